"""
Compare the load generator with a client in C: its speed, and its view of a slower server.

``python -m checks.generator_speed`` makes both load an echo in C in turns, over the same connections with one message
in flight on each; clients and echo are pinned to different cores. The exit status is 1 if the generator reaches less
than 75 % of the rate of the client in C. With ``--server twisted``, both load stock Twisted, which is the limit then;
the exit status is 1 if their figures differ by more than 5 % (rate) or 10 % (p50, p99). With ``--idle 10000``, the
generator is compared with itself without idle connections; the exit status is 1 below 90 % of that rate. On a busy
machine, trust the CPU time per echo rather than rates and times.
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

MIN_RATE_SHARE = 0.75
"""Minimum rate, as a share of the rate of the client in C."""

MIN_IDLE_SHARE = 0.9
"""Minimum rate with idle connections, as a share of the rate without; includes their cost for the server."""

MAX_DIFFERENCE = {"rate": 0.05, "p50": 0.10, "p99": 0.10}
"""Maximum relative differences from the figures of the client in C, if the server is the limit."""

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "c")

TWISTED = """
from twisted.internet import epollreactor
epollreactor.install()
from twisted.internet import protocol, reactor
from twisted.protocols.wire import Echo
print(reactor.listenTCP(0, protocol.Factory.forProtocol(Echo), 500, "127.0.0.1").getHost().port, flush=True)
reactor.run()
"""

OURS = """
import sys
from echoproto.load.engine import run
from echoproto.load.workload import Target, Transport, Workload
port, connections, size, seconds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
outcome = run(Workload(
    target=Target(Transport.TCP, "127.0.0.1", port), connections=connections, smallest=size, largest=size,
    duration=seconds, warmup=0.1, idle=int(sys.argv[5]),
))
assert not outcome.errors and not outcome.findings, outcome
percentile, echoes = outcome.service_time.percentile, outcome.messages
print(echoes / outcome.elapsed, outcome.cpu * 1e6 / echoes, percentile(50), percentile(99))
"""
"""Program that prints the same figures as the client in C."""


@frozen
class Figures:
    """Echoes per second, the client's CPU time per echo in µs, and percentiles in µs."""

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
    """Return a command that runs on one core, if there are several."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[core % len(cores)]), *words]


@contextmanager
def serving(*words: str) -> Iterator[str]:
    """Run a server that prints its port; provide the port."""
    with subprocess.Popen(pinned(-1, *words), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def measure(*words: str) -> Figures:
    """Run a client."""
    ended = subprocess.run(pinned(0, *words), stdout=subprocess.PIPE, text=True, check=True)
    return Figures(*map(float, ended.stdout.split()))


def rounds(arguments: argparse.Namespace) -> Iterator[tuple[Figures, Figures]]:
    """Measure the other client and ours in turns; the other is the client in C, or ours without idle connections."""
    with tempfile.TemporaryDirectory(prefix="echo-") as folder:
        build(folder)
        server = {"c": (f"{folder}/echo",), "twisted": (sys.executable, "-c", TWISTED)}[arguments.server]
        with serving(*server) as port:
            words = (port, str(arguments.connections), str(arguments.size), str(arguments.seconds))
            engine = (sys.executable, "-c", OURS, *words)
            other = (*engine, "0") if arguments.idle else (f"{folder}/client", *words)
            for number in range(1, arguments.rounds + 1):
                them = measure(*other)
                ours = measure(*engine, str(arguments.idle))
                for name, seen in ((arguments.other, them), ("ours", ours)):
                    print(
                        f"{number:>2} {name:<9}{seen.rate:>8.0f}/s {seen.cpu:6.2f} us of CPU time each,"
                        f" p50 {seen.p50:.0f} us, p99 {seen.p99:.0f} us",
                        flush=True,
                    )
                yield them, ours


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.generator_speed", description=(__doc__ or "").strip())
    parser.add_argument("--server", choices=("c", "twisted"), default="c", help="server to load (default c)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each client (default 9)")
    parser.add_argument("--seconds", type=float, default=1.0, help="duration of a round (default 1)")
    parser.add_argument("--connections", type=int, default=50, help="concurrent connections (default 50)")
    parser.add_argument("--size", type=int, default=64, help="message size in bytes (default 64)")
    parser.add_argument("--idle", type=int, default=0, help="additional idle connections (default 0)")
    arguments = parser.parse_args()
    arguments.other = "none idle" if arguments.idle else "C"
    both = list(rounds(arguments))
    ratios = {n: [getattr(ours, n) / getattr(them, n) for them, ours in both] for n in ("rate", "p50", "p99")}
    ratios["echoes per CPU time"] = [them.cpu / ours.cpu for them, ours in both]
    middle = {name: statistics.median(values) for name, values in ratios.items()}
    print(f"ours / {arguments.other}: ", end="")
    print(*(f"{name} {middle[name]:.2f} ({min(r):.2f} to {max(r):.2f})" for name, r in ratios.items()), sep=", ")
    if arguments.idle or arguments.server == "c":
        return 1 if middle["rate"] < (MIN_IDLE_SHARE if arguments.idle else MIN_RATE_SHARE) else 0
    return 1 if any(abs(middle[name] - 1) > near for name, near in MAX_DIFFERENCE.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
