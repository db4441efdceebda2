"""
One connection's life, in any order that hypothesis can think of, against a model of what an echo owes.

A real listening port on the reactor that the suite runs on, and a client's socket in the same thread: the reactor is
turned until what has to happen has happened.
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

MOST_HELD = 128 << 10
"""Bytes that a transport may hold: one full buffer and one read, 64 KiB each."""

BUFFERS = 1 << 16
"""Size of the kernel's buffers: small enough to be filled often."""

SEGMENT = 1400
"""Bytes in a segment, as on an Ethernet: with those of loopback, which are as large as a buffer, windows get stuck."""

QUIET = 15
"""Turns without a change after which nothing more happens until the client reads."""

FEW = strategies.one_of(strategies.integers(0, 10), strategies.integers(60_000, 70_000))
MANY = strategies.integers(400_000, 600_000)
"""Bytes; many are more than kernels and transport hold together when the client does not read."""

ENDINGS = strategies.sampled_from(["half_close", "reset", "deadline", "drain"])
"""The methods of what ends a connection."""


class Machine(RuleBasedStateMachine):
    """
    What may happen to a connection, and what has to hold after each of it.

    :param reactor: that it is served on.
    :param protocol: what serves it.
    :param transport: the class of its connections.
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
        """The server's side."""
        return next(iter(self.factory.connections), None)

    # What may happen.

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
    @rule(size=FEW)
    def send_little(self, size: int) -> None:
        self.send(size)

    @precondition(lambda self: self.client and not self.half_closed)
    @rule(size=MANY)
    def send_much(self, size: int) -> None:
        self.send(size)

    @precondition(lambda self: self.client and not self.half_closed)
    @rule(size=MANY)
    def send_much_without_reading(self, size: int) -> None:
        self.paused = True
        self.send(size)

    @precondition(lambda self: self.client)
    @rule(how=ENDINGS)
    def end(self, how: str) -> None:
        """One rule for all, or else few connections would live for long."""
        getattr(self, how)()

    @precondition(lambda self: self.client and not self.half_closed)
    @rule(size=FEW, how=ENDINGS)
    def send_last_words(self, size: int, how: str) -> None:
        """Data and the end at once: the service sees both together, as from a pipe into a client."""
        assert self.client is not None
        with contextlib.suppress(BlockingIOError, ConnectionError):
            count = self.client.send(self.payload.read(self.sent, size))
            self.sent += count
            self.sent_by_all += count
        self.end(how)

    def send(self, size: int) -> None:
        """As much of it as is taken."""
        assert self.client is not None
        unsent = memoryview(self.payload.read(self.sent, size))
        still = 0
        while unsent and not self.over and still < QUIET:
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
        """The client reads no more."""
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
        """The service ends it at once."""
        if self.connection is None:  # it is done, and the client has only to read
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
        """The service stops: what lies in its receive queue, and before, is owed."""
        assert self.client is not None
        if self.connection is None or self.draining:
            return
        self.draining = True
        if not self.connection.transport.disconnecting:
            self.due = len(GREETING) + max(0, self.sent - not_taken(self.client))
        self.connection.ended_by = "stop"
        drain(self.connection)
        self.settle()

    # What has to hold.

    @invariant()
    def what_came_back_is_a_prefix(self) -> None:
        if self.opened:
            owed = GREETING + self.payload.read(0, self.sent)
            assert self.received == owed[: len(self.received)]

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.most_held <= MOST_HELD, f"{self.most_held} bytes held"

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

    # How it goes on.

    def prepare(self, end: socket.socket) -> None:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFERS)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFERS)
        with contextlib.suppress(OSError):  # macOS only takes a smaller one than its default
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)

    def turn(self) -> None:
        """Have the server do what it can, and the client read what there is."""
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
        """Go on until something is the case."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "nothing happens any more"
            self.turn()

    def settle(self) -> None:
        """Go on until all has happened that has to."""
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
        while still < QUIET:
            self.turn()
            connection = self.connection
            now = connection and (connection.bytes_received, connection.transport.buffered())
            still, before = (still + 1, now) if now == before else (0, now)

    def leave(self) -> None:
        """The server has ended it; then all that it owed is there."""
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
