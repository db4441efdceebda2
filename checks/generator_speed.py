"""
How much of what a client in C can send the load generator can, and whether both see the same of a slower server.

``python -m checks.generator_speed`` has both drive an echo in C over the same number of connections, with one message
in flight on each, in turns, pinned to one core, the echo to another. Exit status 1 if the generator sends less than
`LEAST` of what the client in C does. With ``--server twisted``, both drive stock Twisted, which is the limit then; exit
status 1 if what they see differs by more than `NEAR`. With ``--idle 10000``, ours is compared with itself without so
many silent connections beside; exit status 1 if it sends less than `LEAST_IDLE` of that. On a machine that is busy with
something else, rates and times say little; the processor time for each echo says more.
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

LEAST_IDLE = 0.9
"""Share of its own rate without idle connections: what they cost the server's system is in it."""

NEAR = {"rate": 0.05, "p50": 0.10, "p99": 0.10}
"""By which shares of what the client in C sees the generator's figures may differ, where the server is the limit."""

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
def serving(*words: str) -> Iterator[str]:
    """Run a server that prints its port; gives that."""
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
    """What the other client and ours see, in turns: the client in C, or with idle connections, ours without them."""
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
                        f"{number:>2} {name:<9}{seen.rate:>8.0f}/s {seen.cpu:6.2f} us of processor time each,"
                        f" p50 {seen.p50:.0f} us, p99 {seen.p99:.0f} us",
                        flush=True,
                    )
                yield them, ours


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.generator_speed", description=(__doc__ or "").strip())
    parser.add_argument("--server", choices=("c", "twisted"), default="c")
    parser.add_argument("--rounds", type=int, default=9, help="of each client (default 9)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each round (default 1)")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--size", type=int, default=64, help="bytes")
    parser.add_argument("--idle", type=int, default=0, help="silent connections besides (default 0)")
    arguments = parser.parse_args()
    arguments.other = "none idle" if arguments.idle else "C"
    both = list(rounds(arguments))
    ratios = {n: [getattr(ours, n) / getattr(them, n) for them, ours in both] for n in ("rate", "p50", "p99")}
    ratios["echoes per processor time"] = [them.cpu / ours.cpu for them, ours in both]
    middle = {name: statistics.median(values) for name, values in ratios.items()}
    print(f"ours / {arguments.other}: ", end="")
    print(*(f"{name} {middle[name]:.2f} ({min(r):.2f} to {max(r):.2f})" for name, r in ratios.items()), sep=", ")
    if arguments.idle or arguments.server == "c":
        return 1 if middle["rate"] < (LEAST_IDLE if arguments.idle else LEAST) else 0
    return 1 if any(abs(middle[name] - 1) > near for name, near in NEAR.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
