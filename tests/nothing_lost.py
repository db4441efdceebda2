"""
The "nothing lost" check: many connections at once, each with a schedule of its own, every byte compared.

``python -m tests.nothing_lost [--gib N] [--seed S] [--reactor R ...]`` starts the installed ``twistd`` on each reactor,
and sends N GiB through it, half of them over TCP, half over a Unix socket. The seed is printed, and repeats the
schedules. Exit status 1 if a byte is lost or harmed.

Proves T1, T6, T9.
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from secrets import randbits

from attrs import define, field

from echoproto.load.payload import Payload
from echoproto.load.schedule import Ending, Schedule, draw
from echoproto.load.verdict import StreamCheck, Verdict
from tests.clients import reset

PATIENCE = 30.0
"""Seconds without any progress on any connection after which what has not come back counts as lost."""

STALL = 0.2
"""Seconds without room for another byte after which a sender that does not read yet counts as stuck."""


@define(eq=False)
class Connection:
    """One connection that follows its schedule."""

    socket: socket.socket
    schedule: Schedule
    payload: Payload
    check: StreamCheck
    sent: int = 0
    received: int = 0
    reading: bool = field(init=False)
    late_after: int | None = field(init=False)
    ended: str = ""
    stuck_since: float = 0.0
    unsent: memoryview = field(factory=lambda: memoryview(b""))
    sends: Iterator[int] = field(init=False)
    receives: Iterator[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.late_after = self.schedule.late_after or None
        self.reading = self.schedule.late_after != 0
        self.sends = self.schedule.portions("send")
        self.receives = self.schedule.portions("receive")
        self.stuck_since = time.monotonic()
        if self.schedule.buffers is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.schedule.buffers)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.schedule.buffers)
        self.socket.setblocking(False)
        if not self.schedule.size:
            self.all_sent()

    @property
    def events(self) -> int:
        """What to wait for."""
        wanted = selectors.EVENT_WRITE if self.sent < self.schedule.size else 0
        return wanted | (selectors.EVENT_READ if self.reading else 0)

    def send(self) -> None:
        """Send the next portion, as much of it as the kernel takes."""
        if not self.unsent:
            self.unsent = memoryview(
                self.payload.read(self.sent, min(next(self.sends), self.schedule.size - self.sent))
            )
        try:
            count = self.socket.send(self.unsent)
        except BlockingIOError:
            return
        except (ConnectionResetError, BrokenPipeError) as error:
            self.finish(type(error).__name__)
            return
        self.unsent = self.unsent[count:]
        self.sent += count
        self.stuck_since = time.monotonic()
        if self.sent == self.schedule.size:
            self.all_sent()

    def all_sent(self) -> None:
        """Half-close, or reset; either way, there is nothing to wait for with the reading."""
        self.reading = True
        if self.schedule.ending is Ending.RESET:
            reset(self.socket)
            self.ended = "reset"
        else:
            self.socket.shutdown(socket.SHUT_WR)

    def receive(self) -> None:
        """Receive and compare the next portion."""
        try:
            data = self.socket.recv(next(self.receives))
        except BlockingIOError:
            return
        except ConnectionResetError as error:
            self.finish(type(error).__name__)
            return
        if not data:
            self.finish("end of stream")
            return
        self.check.received(data)
        self.received += len(data)
        if self.late_after is not None and self.received >= self.late_after and self.sent < self.schedule.size:
            self.reading = False
            self.late_after = None  # once
            self.stuck_since = time.monotonic()

    def finish(self, how: str) -> None:
        """It is over."""
        self.ended = how
        self.socket.close()

    def verdict(self) -> Verdict:
        """What is to be said of it; after a reset, what has not come back is nobody's promise."""
        return self.check.finish(self.sent, complete=self.schedule.ending is not Ending.RESET)


@define
class Result:
    """What is to be said of all connections of a run."""

    seed: int
    connections: int = 0
    sent: int = 0
    acked: int = 0
    lost: int = 0
    unknown: int = 0
    bad: list[str] = field(factory=list)

    def add(self, connection: Connection) -> None:
        """Count one that is over."""
        verdict = connection.verdict()
        self.connections += 1
        self.sent += verdict.sent
        self.acked += verdict.acked
        self.lost += verdict.lost
        self.unknown += verdict.unknown
        if not verdict.good:
            what = str(verdict.finding or f"{verdict.lost} bytes lost at offset {verdict.acked}")
            self.bad.append(f"schedule {connection.schedule.seed}: {what} of {verdict.sent} ({connection.ended})")

    def __str__(self) -> str:
        return (
            f"{self.connections} connections, {self.sent / 2**30:.2f} GiB sent, {self.acked / 2**30:.2f} GiB back, "
            f"{self.lost} bytes lost, {self.unknown} unknown after resets, {len(self.bad)} bad, seed {self.seed}"
        )


def run(
    connect: Callable[[], socket.socket],
    *,
    total: int,
    seed: int,
    maximum: int = 8 << 20,
    at_once: int = 20,
    patience: float = PATIENCE,
) -> Result:
    """
    Send bytes through an echo without a greeting.

    :param connect: gives a connected socket.
    :param total: how many bytes to send at least, over all connections.
    :param seed: of the run, 0 to 2**63 - 1.
    :param maximum: the most bytes of one connection.
    :param at_once: how many connections there are at a time.
    :param patience: seconds without progress on any of them after which they are given up.
    """
    result = Result(seed)
    opened = planned = 0
    with selectors.DefaultSelector() as selector:
        last_progress = time.monotonic()
        while planned < total or selector.get_map():
            while planned < total and len(selector.get_map()) < at_once:
                schedule = draw(seed + opened, maximum)
                # Two of the payload, because each keeps the block that it is at, and the sending is ahead.
                check = StreamCheck(Payload(seed, opened))
                connection = Connection(connect(), schedule, Payload(seed, opened), check)
                opened += 1
                planned += schedule.size + 1000  # so that the empty ones come to an end, too
                _watch(selector, connection, result)
            for key, mask in selector.select(STALL):
                connection = key.data
                last_progress = time.monotonic()
                if mask & selectors.EVENT_READ:
                    connection.receive()
                if mask & selectors.EVENT_WRITE and not connection.ended:
                    connection.send()
                _rewatch(selector, key.fileobj, connection, result)
            now = time.monotonic()
            for key in list(selector.get_map().values()):
                if not key.data.reading and now - key.data.stuck_since > STALL:
                    key.data.reading = True
                    _rewatch(selector, key.fileobj, key.data, result)
                elif now - last_progress > patience:
                    selector.unregister(key.fileobj)
                    key.data.finish("no progress")
                    result.add(key.data)
    return result


def _watch(selector: selectors.BaseSelector, connection: Connection, result: Result) -> None:
    if connection.ended:
        result.add(connection)
    else:
        selector.register(connection.socket, connection.events, connection)


def _rewatch(selector: selectors.BaseSelector, socket: object, connection: Connection, result: Result) -> None:
    if connection.ended:
        selector.unregister(socket)  # type: ignore[arg-type]
        result.add(connection)
    elif selector.get_key(socket).events != connection.events:  # type: ignore[arg-type]
        selector.modify(socket, connection.events, connection)  # type: ignore[arg-type]


def main() -> int:
    """Check the installed service on each reactor."""
    from tests.integration.twistd import LISTENING, Server, script
    from tests.suite import environment_for, here

    parser = argparse.ArgumentParser(prog="python -m tests.nothing_lost", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--gib", type=float, default=1.0, help="how much to send on each reactor (default 1)")
    parser.add_argument("--seed", type=int, default=randbits(31), help="to repeat a run")
    parser.add_argument("--reactor", action="append", metavar="R", help="one of them; default: all of this platform")
    arguments = parser.parse_args()
    bad = 0
    for name in arguments.reactor or here():
        with _folder() as folder:
            path = os.path.join(folder, "s")
            words = ("--port", "0", "--listen", f"unix:{path}", "--greeting", "", "--log-connections", "off")
            server = Server(
                script("twistd"), "-n", "echo", "--reactor", name, *words, cwd=folder, env=environment_for(name)
            )
            try:
                server.listening()
                server.wait_for(LISTENING)
                for kind, connect in (("tcp", server.connect), ("unix", _unix(path))):
                    begun = time.monotonic()
                    result = run(connect, total=int(arguments.gib * 2**29), seed=arguments.seed)
                    bad += len(result.bad)
                    print(f"{name:<8} {kind:<5} {result}, {time.monotonic() - begun:.0f} s", flush=True)
                    print(*(f"  {line}" for line in result.bad[:10]), sep="\n", end="\n" if result.bad else "")
            finally:
                server.stop()
            if "Traceback" in "\n".join(server.lines):
                print(*server.lines, sep="\n")
                bad += 1
    return 1 if bad else 0


def _unix(path: str) -> Callable[[], socket.socket]:
    def connect() -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        return client

    return connect


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="echo-")


if __name__ == "__main__":
    sys.exit(main())
