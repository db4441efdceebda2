"""
What was tried to make an echo cheaper: ``python -m tests.bench.trials [--size BYTES] [--connections N] [TRIAL ...]``.

Each trial is our service's echo on ``lean-epoll`` with one thing done otherwise, beside the echo as it is; that is
there twice, which tells how much is chance. Clients and server are in one process, and only the reactor's turns are
timed: so nearly all is left out that others do to a server. Each trial has a process of its own in each round, in
random order. It needs Linux, and wants a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import gc
import inspect
import os
import random
import select
import socket
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from typing import Any

from attrs import define
from rich.console import Console
from rich.progress import track
from rich.table import Table
from twisted.internet import tcp
from twisted.internet.epollreactor import EPollReactor

from echoproto.compare.reporting import console as terminal
from echoproto.protocol import EchoFactory
from echoproto.reactors import leanepoll
from echoproto.reactors.lean import Lean
from echoproto.reactors.transports import WritesAtOnce
from echoproto.server import transport as reading
from echoproto.server.counters import Counters
from echoproto.server.transport import TCPConnection

AS_IT_IS = ("as it is", "as it is, again")

TURNS = 600
"""For each sample."""

LARGEST = 16 << 10
"""Bytes: what goes out and comes back in one turn."""

PATIENCE = 10.0
"""Seconds in which an echo has to come back."""


@define
class Setting:
    """What a trial may exchange, besides what it changes of modules and classes: each has a process of its own."""

    reactor: type[Any] = leanepoll.LeanEPollReactor
    transport: type[Any] = TCPConnection


def received_into_a_buffer(_: Setting) -> None:
    """recv_into(2) into one buffer for all connections; a protocol is given bytes of its own"""
    buffer = memoryview(bytearray(reading.LARGE_READ))

    def receive(connection: Any, size: int) -> bytes:
        return bytes(buffer[: connection.socket.recv_into(buffer, size)])

    vars(reading)["receive"] = receive
    _rewrite(TCPConnection, "doRead", ("self.socket.recv(", "receive(self, "))


def methods_looked_up_once(_: Setting) -> None:
    """recv, send and dataReceived kept by each connection, not looked up for each event"""
    made = TCPConnection.__init__

    def keep(self: Any, *arguments: Any) -> None:
        made(self, *arguments)
        self.receive, self.send, self.received = self.socket.recv, self.socket.send, self.protocol.dataReceived

    vars(reading)["keep"] = keep
    TCPConnection.__init__ = keep  # type: ignore[method-assign,assignment]
    _rewrite(
        TCPConnection,
        "doRead",
        ("self.socket.recv(", "self.receive("),
        ("self.protocol.dataReceived(", "self.received("),
    )
    _rewrite(WritesAtOnce, "write", ("self.socket.send(", "self.send("), ("super()", "super(WritesAtOnce, self)"))


def large_reads(_: Setting) -> None:
    """256 KiB at a time, always, as asyncio has it"""
    TCPConnection._read_size = reading.SMALL_READ = 256 << 10


def few_events(_: Setting) -> None:
    """epoll_wait(2) for 64 events at a time"""
    leanepoll.MOST_EVENTS = 64


def many_events(_: Setting) -> None:
    """epoll_wait(2) for 4,096 events at a time"""
    leanepoll.MOST_EVENTS = 4096


def garbage_frozen(_: Setting) -> None:
    """gc.freeze() after the start"""
    gc.collect()
    gc.freeze()


def no_collector(_: Setting) -> None:
    """gc.disable() after the start"""
    gc.disable()


def timers_each_turn(_: Setting) -> None:
    """undone: turns in which timers are left alone if none is due"""
    Lean._turn = _turn_of_twisted  # type: ignore[method-assign,assignment]


def context_for_each_event(setting: Setting) -> None:
    """undone: one log context for all events of a turn, and the turns above (that is Twisted's epoll reactor)"""
    setting.reactor = EPollReactor


def writes_buffered(setting: Setting) -> None:
    """undone: writes at once (that is Twisted's transport)"""
    setting.transport = tcp.Server


TRIALS: dict[str, Callable[[Setting], None]] = {
    each.__name__.replace("_", " "): each
    for each in (
        *(received_into_a_buffer, methods_looked_up_once, large_reads, few_events, many_events),
        *(garbage_frozen, no_collector, timers_each_turn, context_for_each_event, writes_buffered),
    )
}


def _rewrite(owner: type, name: str, *changes: tuple[str, str]) -> None:
    """Have a method made anew from its source, with changes; so it is the one that there is, but for those."""
    method = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(method))
    for old, new in changes:
        assert old in source, f"there is no {old!r} in {name}"
        source = source.replace(old, new)
    made: dict[str, Any] = {}
    exec(source, method.__globals__, made)
    setattr(owner, name, made[name])


def _turn_of_twisted(reactor: Any) -> None:
    reactor.runUntilCurrent()
    reactor.doIteration(reactor.running and reactor.timeout())


def sample(name: str, size: int, connections: int, turns: int = TURNS) -> float:
    """
    Measure one trial, in this process.

    :return: seconds of the server for an echo: the middle of the turns.
    :raise RuntimeError: if an echo was not the same as what was sent, or has not come back.
    """
    setting = Setting()
    TRIALS.get(name, id)(setting)
    reactor = setting.reactor()
    reactor.running = True
    turn = reactor._turn if isinstance(reactor, Lean) else lambda: _turn_of_twisted(reactor)
    factory = EchoFactory(b"", observers=[Counters()])
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    port.transport = setting.transport
    reactor.callLater(PATIENCE, bool)  # there is always one; and turns are to end
    clients = []
    while len(factory.connections) < connections:
        clients.append(socket.create_connection(("127.0.0.1", port.getHost().port), PATIENCE))
        turn()
    came_back = select.poll()
    for client in clients:
        came_back.register(client, select.POLLIN)
    message, seconds = os.urandom(size), []
    for _ in range(turns):
        for client in clients:
            client.sendall(message)
        spent, deadline = 0.0, time.monotonic() + PATIENCE
        while True:
            begun = time.perf_counter()
            turn()
            spent += time.perf_counter() - begun
            if len(came_back.poll(0)) == connections:
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name}: not every echo has come back")
        if any(client.recv(size, socket.MSG_WAITALL) != message for client in clients):
            raise RuntimeError(f"{name}: an echo is not what was sent")
        seconds.append(spent / connections)
    return statistics.median(seconds)


def _sample_of_a_process(name: str, arguments: argparse.Namespace) -> float:
    options = [f"--size={arguments.size}", f"--connections={arguments.connections}", f"--turns={arguments.turns}"]
    command = [sys.executable, "-m", "tests.bench.trials", "--sample", *options, name]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.trials", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--size", type=int, default=64, help=f"bytes of a message, up to {LARGEST} (default 64)")
    parser.add_argument("--connections", type=int, default=50, help="how many (default 50)")
    parser.add_argument("--rounds", type=int, default=9, help="how many (default 9)")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"of each in a round (default {TURNS})")
    parser.add_argument("--sample", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=f"of: {'; '.join(TRIALS)} (default all)")
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
    """Print the middle of each, and between what its ratios to the echo as it is were, round by round."""
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
