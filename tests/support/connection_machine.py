"""
The life of one connection, with events in any order that hypothesis tries, against a model of an echo.

It has a real listening port on the suite's reactor, and a client's socket in the same thread. Each step turns the
reactor until the expected state is reached.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

from hypothesis import strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from echoproto import GREETING, Echo, EchoFactory
from echoproto.load.client.payload import Payload
from echoproto.server.counters import Counters
from echoproto.server.limits.drain import close_if_delivered, drain
from echoproto.server.sockets.connection import TCPConnection
from tests.support.clients import PATIENCE, not_taken, reset
from tests.support.reactorbuilder import turn

MAX_HELD_BYTES = 128 << 10
"""Maximum bytes in a transport: one full buffer and one read, 64 KiB each."""

BUFFER_SIZE = 1 << 16
"""Size of the kernel's buffers, small enough to fill often."""

SEGMENT_SIZE = 1400
"""Segment size in bytes, as on Ethernet: segments of loopback are as large as a buffer, and make windows get stuck."""

QUIET_TURNS = 15
"""Turns without a change after which nothing more happens until the client reads."""

SMALL_SIZES = strategies.one_of(strategies.integers(0, 10), strategies.integers(60_000, 70_000))
LARGE_SIZES = strategies.integers(400_000, 600_000)
"""Bytes to send; large sizes exceed all buffers together, if the client does not read."""

ENDINGS = strategies.sampled_from(["half_close", "reset", "deadline", "drain"])
"""Names of the methods that end a connection."""


class Machine(RuleBasedStateMachine):
    """
    Events of a connection, and the invariants after each event.

    :param reactor: the reactor of the server.
    :param protocol: the protocol of the server.
    :param transport: the transport class of the server.
    """

    def __init__(self, reactor: Any, protocol: type[Echo] = Echo, transport: Any = TCPConnection) -> None:
        super().__init__()
        self.reactor = reactor
        self.counters = Counters()
        self.ended: list[Echo] = []
        ended = self.ended

        class Watched(protocol):  # type: ignore[valid-type,misc]
            def connectionLost(self, reason: Failure = connectionDone) -> None:
                ended.append(self)
                super().connectionLost(reason)

        self.factory = EchoFactory(observers=[self.counters])
        self.factory.protocol = Watched
        self.port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.port.transport = transport
        self.prepare(self.port.socket)
        self.client: socket.socket | None = None
        self.opened = self.sent_by_all = self.received_by_all = self.most_held = 0

    @property
    def connection(self) -> Echo | None:
        """The server's side of the connection."""
        return next(iter(self.factory.connections), None)

    # Events.

    @precondition(lambda self: self.client is None)
    @rule(seed=strategies.integers(0, 1 << 32))
    def open(self, seed: int) -> None:
        self.opened += 1
        self.payload = Payload(seed, self.opened)
        self.sent, self.received = 0, b""
        self.paused = self.half_closed = self.draining = self.over = False
        self.due: int | None = None
        self.client = socket.socket()
        self.prepare(self.client)
        self.client.connect(self.port.socket.getsockname())
        self.client.setblocking(False)
        self.until(lambda: self.connection is not None)
        self.settle()

    @precondition(lambda self: self.client and not self.half_closed)
    @rule(size=SMALL_SIZES)
    def send_little(self, size: int) -> None:
        self.send(size)

    @precondition(lambda self: self.client and not self.half_closed)
    @rule(size=LARGE_SIZES)
    def send_much(self, size: int) -> None:
        self.send(size)

    @precondition(lambda self: self.client and not self.half_closed)
    @rule(size=LARGE_SIZES)
    def send_much_without_reading(self, size: int) -> None:
        self.paused = True
        self.send(size)

    @precondition(lambda self: self.client)
    @rule(how=ENDINGS)
    def end(self, how: str) -> None:
        """End the connection; one rule for all ways, since more rules would end most connections soon."""
        getattr(self, how)()

    @precondition(lambda self: self.client and not self.half_closed)
    @rule(size=SMALL_SIZES, how=ENDINGS)
    def send_last_words(self, size: int, how: str) -> None:
        """Send data and the end at once, so that the service receives both together, as from a pipe."""
        assert self.client is not None
        with contextlib.suppress(BlockingIOError, ConnectionError):
            count = self.client.send(self.payload.read(self.sent, size))
            self.sent += count
            self.sent_by_all += count
        self.end(how)

    def send(self, size: int) -> None:
        """Send data, as much as is accepted."""
        assert self.client is not None
        unsent = memoryview(self.payload.read(self.sent, size))
        still = 0
        while unsent and not self.over and still < QUIET_TURNS:
            try:
                count = self.client.send(unsent)
            except BlockingIOError:
                count = 0
            except ConnectionError:  # while it drains, the service may have closed
                break
            unsent = unsent[count:]
            self.sent += count
            self.sent_by_all += count
            still = 0 if count or not self.paused else still + 1
            self.turn()
        self.settle()

    @precondition(lambda self: self.client and not self.paused)
    @rule()
    def pause(self) -> None:
        """Stop reading on the client's side."""
        self.paused = True

    @precondition(lambda self: self.client and self.paused)
    @rule()
    def resume(self) -> None:
        self.paused = False
        self.settle()

    def half_close(self) -> None:
        assert self.client is not None
        self.half_closed = True
        with contextlib.suppress(OSError):  # the same
            self.client.shutdown(socket.SHUT_WR)
        self.settle()

    def reset(self) -> None:
        assert self.client is not None
        reset(self.client)
        self.client = None
        self.until(lambda: self.connection is None)

    def deadline(self) -> None:
        """End the connection at once on the service's side."""
        if self.connection is None:  # the service has ended it, and the client only reads
            return
        closed = self.counters.closed.copy()
        self.connection.ended_by = "idle"
        self.connection.transport.abortConnection()
        self.until(lambda: self.connection is None)
        assert self.counters.closed - closed == {"idle": 1}
        self.due = 0
        self.paused = False
        self.settle()

    def drain(self) -> None:
        """Drain the connection; all data up to the service's receive queue must come back."""
        assert self.client is not None
        if self.connection is None or self.draining:
            return
        self.draining = True
        if not self.connection.transport.disconnecting:
            self.due = len(GREETING) + max(0, self.sent - not_taken(self.client))
        self.connection.ended_by = "stop"
        drain(self.connection)
        self.settle()

    # Invariants.

    @invariant()
    def what_came_back_is_a_prefix(self) -> None:
        if self.opened:
            owed = GREETING + self.payload.read(0, self.sent)
            assert self.received == owed[: len(self.received)]

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.most_held <= MAX_HELD_BYTES, f"{self.most_held} bytes held"

    @invariant()
    def counters_add_up(self) -> None:
        snapshot = self.counters.snapshot(self.factory.connections)
        closed = sum(snapshot.closed.values())
        assert snapshot.accepted == self.opened == snapshot.active + closed, "connections do not add up"
        assert snapshot.bytes_received <= self.sent_by_all, "bytes do not add up"
        assert self.received_by_all <= snapshot.bytes_sent <= snapshot.bytes_received + len(GREETING) * self.opened
        assert set(snapshot.closed) <= {"peer", "reset", "idle", "stop"}, snapshot.closed

    @invariant()
    def each_ends_once(self) -> None:
        assert len(self.ended) == len(set(self.ended)) == self.opened - len(self.factory.connections)

    # Steps.

    def prepare(self, end: socket.socket) -> None:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_SIZE)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_SIZE)
        with contextlib.suppress(OSError):  # macOS only accepts a smaller size than its default
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_SIZE)

    def turn(self) -> None:
        """Turn the server's reactor, and read all available data on the client's side."""
        turn(self.reactor)
        connection = self.connection
        if connection is not None:
            self.most_held = max(self.most_held, connection.transport.buffered())
            if self.draining:
                close_if_delivered(connection)
        while self.client is not None and not self.paused and not self.over:
            try:
                data = self.client.recv(1 << 20)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            self.received += data
            self.received_by_all += len(data)
            self.over = not data

    def until(self, condition: Callable[[], object]) -> None:
        """Turn until a condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "no progress"
            self.turn()

    def settle(self) -> None:
        """Turn until all expected data has come back, or the connection is over."""
        if self.paused:
            self.until_quiet()
        elif self.half_closed or self.draining or self.connection is None:
            self.until(lambda: self.over)
        else:
            self.until(lambda: self.over or len(self.received) == len(GREETING) + self.sent)
        if self.over:
            self.leave()

    def until_quiet(self) -> None:
        still, before = 0, None
        while still < QUIET_TURNS:
            self.turn()
            connection = self.connection
            now = connection and (connection.bytes_received, connection.transport.buffered())
            still, before = (still + 1, now) if now == before else (0, now)

    def leave(self) -> None:
        """Leave a connection that the server has ended; all data due must have come back."""
        assert self.client is not None
        assert len(self.received) >= (len(GREETING) + self.sent if self.due is None else self.due), "not all came back"
        self.client.close()
        self.client = None
        self.until(lambda: self.connection is None)

    def teardown(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None
        if self.connection is not None:
            self.connection.transport.abortConnection()
        stopped: list[None] = []
        self.port.stopListening().addCallback(stopped.append)
        self.until(lambda: stopped and self.connection is None)
