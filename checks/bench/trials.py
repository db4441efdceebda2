"""
Try variants that could make an echo cheaper:
``python -m checks.bench.trials [--size BYTES] [--connections N] [TRIAL ...]``.

Each trial changes one detail of our service's echo on ``lean-epoll``, and is compared with the echo as it is; that runs
twice, to show the size of chance. Clients and server share one process, and only the reactor's turns are timed, which
excludes most other influences. Each trial has its own process in each round, in random order. Needs Linux and an idle
machine.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import socket
import statistics
import subprocess
import sys
import time

from rich.console import Console
from rich.progress import track
from rich.table import Table

from checks.bench.otherwise import TRIALS, Setting, turn_of_twisted
from echoproto.protocol import EchoFactory
from echoproto.reactors.lean import Lean
from echoproto.server.counters import Counters
from echoproto.terminal import console as terminal

AS_IT_IS = ("as it is", "as it is, again")

TURNS = 600
"""Number of turns in a sample."""

LARGEST = 16 << 10
"""Maximum message size in bytes that is sent and comes back in one turn."""

PATIENCE = 120.0
"""Time limit of a sample in seconds; without it, a lost echo would block forever."""


def sample(name: str, size: int, connections: int, turns: int = TURNS) -> float:
    """
    Measure one trial, in this process.

    :return: seconds of the server per echo: the median of the turns.
    :raise RuntimeError: if an echo differs from the sent data.
    """
    setting = Setting()
    if name not in AS_IT_IS:
        TRIALS[name](setting)
    reactor = setting.reactor()
    reactor.running = True
    turn = reactor._turn if isinstance(reactor, Lean) else lambda: turn_of_twisted(reactor)
    factory = EchoFactory(b"", observers=[Counters()])
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    port.transport = setting.transport
    reactor.callLater(1000, bool)  # there is always one in a service, of its deadlines
    clients = []
    while len(factory.connections) < connections:
        clients.append(socket.create_connection(("127.0.0.1", port.getHost().port), PATIENCE))
        turn()
    setting.connected()
    came_back = select.poll()
    for client in clients:
        came_back.register(client, select.POLLIN)
    message, seconds = os.urandom(size), []
    for _ in range(turns):
        for client in clients:
            client.sendall(message)
        spent = 0.0
        while len(came_back.poll(0)) < connections:
            begun = time.perf_counter()
            turn()
            spent += time.perf_counter() - begun
        if any(client.recv(size, socket.MSG_WAITALL) != message for client in clients):
            raise RuntimeError(f"{name}: an echo is not what was sent")
        seconds.append(spent / connections)
    return statistics.median(seconds)


def _sample_of_a_process(name: str, arguments: argparse.Namespace) -> float:
    options = [f"--size={arguments.size}", f"--connections={arguments.connections}", f"--turns={arguments.turns}"]
    command = [sys.executable, "-m", "checks.bench.trials", "--sample", *options, name]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=PATIENCE).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.bench.trials", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--size", type=int, default=64, help=f"message size in bytes, up to {LARGEST} (default 64)")
    parser.add_argument("--connections", type=int, default=50, help="concurrent connections (default 50)")
    parser.add_argument("--rounds", type=int, default=9, help="number of rounds (default 9)")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"reactor turns per trial and round (default {TURNS})")
    parser.add_argument("--sample", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=f"one of: {'; '.join(TRIALS)} (default all)")
    arguments = parser.parse_args()
    if unknown := set(arguments.trials) - {*TRIALS, *AS_IT_IS}:
        parser.error(f"there is no trial {min(unknown)!r}")
    if not 0 < arguments.size <= LARGEST:
        parser.error(f"--size: {arguments.size} is not between 1 and {LARGEST}")
    if arguments.sample:
        print(sample(arguments.trials[0], arguments.size, arguments.connections, arguments.turns))
        return 0
    names = [*AS_IT_IS, *(arguments.trials or TRIALS)]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found: dict[str, list[float]] = {name: [] for name in names}
    console = Console(stderr=True)
    order = [name for _ in range(arguments.rounds) for name in random.sample(names, len(names))]
    for name in track(order, "measuring", console=console, transient=True):
        found[name].append(_sample_of_a_process(name, arguments))
    show(found)
    return 0


def show(found: dict[str, list[float]]) -> None:
    """Print the median of each trial, and the range of its ratios to the unchanged echo over the rounds."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("trial")
    for title in ("µs an echo", "ratio", "in rounds"):
        table.add_column(title, justify="right")
    table.add_column("")
    base = found[AS_IT_IS[0]]
    for name, seconds in found.items():
        ratios = sorted(mine / its for mine, its in zip(seconds, base, strict=True))
        words = (TRIALS[name].__doc__ or "") if name in TRIALS else ""
        middle = f"{statistics.median(seconds) * 1e6:.2f}"
        table.add_row(name, middle, f"{statistics.median(ratios):.2f}", f"{ratios[0]:.2f}–{ratios[-1]:.2f}", words)
    terminal().print(table)


if __name__ == "__main__":
    sys.exit(main())
