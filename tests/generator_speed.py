"""
How much of what a client in C can send the load generator can: ``python -m tests.generator_speed``.

Both drive an echo in C over the same number of connections with one message in flight each, in turns, pinned to one
core, and the echo to another. Exit status 1 if the generator sends less than `LEAST` of what the client in C does. On a
machine that is busy with something else, the rates say little; the time on the processor per echo says more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

LEAST = 0.75
"""Share of the rate of the client in C."""

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "c")

OURS = """
import sys
from echoproto.load.engine import run
from echoproto.load.workload import Target, Transport, Workload
port, connections, size, seconds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
target = Target(Transport.TCP, "127.0.0.1", port)
outcome = run(Workload(
    target=target, connections=connections, smallest=size, largest=size, duration=seconds, warmup=0.1
))
assert not outcome.errors and not outcome.findings, outcome
percentile = outcome.service_time.percentile
echoes = outcome.messages
print(echoes / outcome.elapsed, outcome.cpu * 1e6 / echoes, percentile(50), percentile(99))
"""
"""Prints what the client in C does."""


@frozen
class Figures:
    """Echoes a second, µs of the client's processor time for each, and percentiles of their times in µs."""

    rate: float
    cpu: float
    p50: float
    p99: float


def build(folder: str) -> None:
    """Compile the programs in C."""
    for name in ("echo", "client"):
        words = ("gcc", "-O2", "-Wall", "-Wextra", "-o", os.path.join(folder, name), f"{SOURCES}/{name}.c")
        subprocess.run(words, check=True)


def pinned(core: int, *words: str) -> list[str]:
    """A command that runs on one core, if there are several."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[core % len(cores)]), *words]


@contextmanager
def serving(folder: str) -> Iterator[str]:
    """Run the echo in C; gives its port."""
    with subprocess.Popen(pinned(-1, f"{folder}/echo"), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def measure(*words: str) -> Figures:
    """Run a client."""
    ended = subprocess.run(pinned(0, *words), stdout=subprocess.PIPE, text=True, check=True)
    return Figures(*map(float, ended.stdout.split()))


def show(name: str, ratios: list[float]) -> str:
    """A ratio's median and range over the rounds."""
    return f"{name} {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.generator_speed", description=(__doc__ or "").strip())
    parser.add_argument("--rounds", type=int, default=9, help="of each client (default 9)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each round (default 1)")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--size", type=int, default=64, help="bytes")
    arguments = parser.parse_args()
    rounds: list[tuple[Figures, Figures]] = []
    with tempfile.TemporaryDirectory(prefix="echo-") as folder:
        build(folder)
        with serving(folder) as port:
            words = (port, str(arguments.connections), str(arguments.size), str(arguments.seconds))
            for number in range(1, arguments.rounds + 1):
                c, ours = measure(f"{folder}/client", *words), measure(sys.executable, "-c", OURS, *words)
                rounds.append((c, ours))
                for name, seen in (("C", c), ("ours", ours)):
                    print(
                        f"{number:>2} {name:<5}{seen.rate:>8.0f}/s {seen.cpu:6.2f} us of processor time,"
                        f" p50 {seen.p50:.0f} us, p99 {seen.p99:.0f} us",
                        flush=True,
                    )
    rates = [ours.rate / c.rate for c, ours in rounds]
    print(f"ours / C: {show('rate', rates)}, {show('work', [c.cpu / ours.cpu for c, ours in rounds])}, least {LEAST}")
    return 1 if statistics.median(rates) < LEAST else 0


if __name__ == "__main__":
    sys.exit(main())
