"""
A proxy between clients and a server that injects the faults of networks.

It forwards bytes unchanged, and then the end: a FIN as a half-close, an RST as an RST. A `Fault` describes all other
events. One thread serves all connections on non-blocking sockets. The proxy reads only as it forwards, so both sides
notice a fault.
"""

from __future__ import annotations

import selectors
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from math import inf
from random import Random
from typing import Self

from attrs import define, field

from tests.support.clients import PATIENCE, not_taken, reset
from tests.support.schedule import Fault, FaultKind, Way

CHUNK = 1 << 16
"""Maximum bytes per read."""

END_OF_SEGMENT = socket.MSG_EOR if sys.platform.startswith("linux") else 0
"""Flag that ends a segment on Linux; elsewhere, TCP may join waiting data."""

TICK = 0.01
"""Seconds between two bursts at a limited bandwidth, and between two checks."""

SHORT_PATIENCE = 1.0
"""Maximum seconds to wait for the delivery of forwarded data before both sides are reset."""


@define(eq=False)
class Flow:
    """
    One direction of a link.

    :ivar limit: number of bytes to forward before the fault.
    :ivar passed: number of bytes forwarded.
    :ivar hold_until: time before which nothing is forwarded.
    :ivar closed: true after the end was forwarded, or if nothing can be forwarded any more.
    :ivar was_reset: true if the source has ended with an RST.
    :ivar refused: true if the sink accepts nothing any more.
    """

    source: socket.socket
    sink: socket.socket
    fault: Fault
    random: Random
    limit: float = inf
    passed: int = 0
    hold_until: float = 0.0
    closed: bool = False
    was_reset: bool = False
    refused: bool = False
    _waiting: memoryview = field(init=False, factory=lambda: memoryview(b""))
    _ended: bool = field(init=False, default=False)

    @property
    def wants_more(self) -> bool:
        """True to read from the source."""
        return not self._ended and not self._waiting

    @property
    def has_some(self) -> bool:
        """True if there is something to forward: bytes, or the end."""
        return bool(self._waiting) or (self._ended and not self.closed)

    def read(self, now: float) -> None:
        """Read the next bytes to forward from the source."""
        try:
            data = self.source.recv(CHUNK)
        except ConnectionError:
            data = b""
            self.was_reset = True
        self._waiting = memoryview(data)
        self._ended = not data
        if self._ended and self.fault.kind is FaultKind.SLOW_CLOSE:
            self.hold_until = now + self.fault.seconds

    def write(self, now: float) -> None:
        """Forward some bytes; after the last, the end."""
        try:
            if self._waiting:
                self._pass_on(now)
            else:
                self.closed = True
                if not self.was_reset:
                    self.sink.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self._waiting = memoryview(b"")
            self._ended = self.closed = self.refused = True

    def _pass_on(self, now: float) -> None:
        most = min(self.limit - self.passed, CHUNK)
        if self.fault.kind is FaultKind.SLICE:
            most = self.random.randint(1, self.fault.piece)
        elif self.fault.kind is FaultKind.BANDWIDTH:
            most = max(1, self.fault.rate * TICK)
        count = self.sink.send(self._waiting[: int(most)], END_OF_SEGMENT)
        self._waiting = self._waiting[count:]
        self.passed += count
        if self.fault.kind is FaultKind.BANDWIDTH:
            self.hold_until = max(self.hold_until, now) + count / self.fault.rate


class Link:
    """
    Two connections; each is forwarded to the other.

    :param near: the connection to the client.
    :param far: the connection to the server.
    :param seed: seed of its random values.

    :ivar over: true if both sides have ended, or were reset.
    :ivar watched: events that each of its sockets is watched for.
    """

    def __init__(self, near: socket.socket, far: socket.socket, fault: Fault, seed: int) -> None:
        self.near, self.far, self.fault = near, far, fault
        self.over = False
        self.watched = {near: 0, far: 0}
        self._resetting: list[socket.socket] = []
        self._reset_by = 0.0
        nothing = Fault()
        self.up = Flow(near, far, fault if Way.UP in fault.ways else nothing, Random(f"{seed} up"))
        self.down = Flow(far, near, fault if Way.DOWN in fault.ways else nothing, Random(f"{seed} down"))
        for end in (near, far):
            end.setblocking(False)
            if end.family != socket.AF_UNIX:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._struck = [flow for flow in (self.up, self.down) if flow.fault.kind in {FaultKind.STALL, FaultKind.RESET}]
        for flow in self._struck:
            flow.limit = fault.at
        self._strike(time.monotonic())

    def arrived(self) -> int:
        """Return the minimum number of the client's bytes at the server's kernel; callable from any thread."""
        passed = self.up.passed
        if self.far.family == socket.AF_UNIX:  # sent bytes arrive at once
            return passed
        try:
            return max(0, passed - not_taken(self.far))
        except ValueError:  # it is closed: both sides have ended
            return passed

    def turn(self, end: socket.socket, mask: int, now: float) -> None:
        """Handle the events of a socket."""
        inward, outward = (self.up, self.down) if end is self.near else (self.down, self.up)
        if mask & selectors.EVENT_READ and inward.wants_more:
            inward.read(now)
        if mask & selectors.EVENT_WRITE and outward.has_some:
            outward.write(now)
        self._strike(now)
        for flow in (self.up, self.down):
            if flow.closed and flow.was_reset:
                self._reset_when_taken([flow.sink], now + PATIENCE)
        if self.up.closed and self.down.closed and not self._resetting:
            # A refused flow is reset only now: earlier data in the other direction must arrive.
            refused = [flow.source for flow in (self.up, self.down) if flow.refused]
            if refused:
                self._reset_when_taken(refused, now + PATIENCE)
            else:
                self.close()

    def interests(self, now: float) -> tuple[dict[socket.socket, int], float]:
        """Return the events to wait for on each socket, and the time of the next call."""
        wanted = {self.near: 0, self.far: 0}
        if self._resetting:
            if now < self._reset_by and any(map(not_taken, self._resetting)):
                return wanted, now + TICK
            self.over = True
            reset(self.near)
            reset(self.far)
        again = inf
        for flow in () if self.over else (self.up, self.down):
            if flow.wants_more:
                wanted[flow.source] |= selectors.EVENT_READ
            elif flow.has_some and now >= flow.hold_until:
                wanted[flow.sink] |= selectors.EVENT_WRITE
            elif flow.has_some:
                again = min(again, flow.hold_until)
        return wanted, again

    def close(self) -> None:
        """Close both sockets."""
        self.over = True
        self.near.close()
        self.far.close()

    def _strike(self, now: float) -> None:
        """Start the fault when the byte of its offset was forwarded."""
        if all(flow.passed < flow.limit for flow in self._struck):
            return
        for flow in self._struck:
            flow.limit = inf
            flow.hold_until = now + self.fault.seconds
        self._struck.clear()
        if self.fault.kind is FaultKind.RESET:
            self._reset_when_taken([self.near, self.far], now + SHORT_PATIENCE)

    def _reset_when_taken(self, ends: list[socket.socket], until: float) -> None:
        """
        End both connections with RST; a Unix socket, which has none, is closed.

        An RST would destroy unsent data of the kernel, so wait until some ends have accepted all of it.
        """
        if not self._resetting:
            self._resetting, self._reset_by = ends, until


class FaultProxy:
    """The proxy; a context manager that runs it."""

    def __init__(self) -> None:
        self._new: deque[Link] = deque()
        self._links: set[Link] = set()
        self._again: dict[Link, float] = {}
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._waker, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="fault proxy")

    def __enter__(self) -> Self:
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._wake.send(b"x")
        self._thread.join()
        for link in [*self._links, *self._new]:
            link.close()
        self._selector.close()
        for end in (self._listener, self._waker, self._wake):
            end.close()

    def connect(
        self, connect: Callable[[], socket.socket], fault: Fault | None = None, seed: int = 0
    ) -> tuple[socket.socket, Link]:
        """
        Connect to a server.

        :param connect: returns a socket that is connected to the server.
        :param fault: the fault of the connection.
        :param seed: seed of its random values.
        :return: the client's socket, which is always TCP, and its link to the server.
        """
        far = connect()
        client = socket.create_connection(self._listener.getsockname())
        link = Link(self._listener.accept()[0], far, fault or Fault(), seed)
        self._new.append(link)
        self._wake.send(b"x")
        return client, link

    def _run(self) -> None:
        while not self._stopping:
            again = min(self._again.values(), default=inf)
            events = self._selector.select(None if again == inf else max(0.0, again - time.monotonic()))
            now = time.monotonic()
            touched = {link for link, again in self._again.items() if now >= again}
            for key, mask in events:
                if key.data is None:
                    self._waker.recv(CHUNK)
                elif not key.data.over:
                    key.data.turn(key.fileobj, mask, now)
                    touched.add(key.data)
            for link in touched:
                self._watch(link, now)
            while self._new:  # only now, since they may reuse descriptors of links that are over
                link = self._new.popleft()
                self._links.add(link)
                self._watch(link, now)

    def _watch(self, link: Link, now: float) -> None:
        wanted, again = link.interests(now)
        if again == inf:
            self._again.pop(link, None)
        else:
            self._again[link] = again
        for end, events in wanted.items():
            if events and not link.watched[end]:
                self._selector.register(end, events, link)
            elif events != link.watched[end]:
                if events:
                    self._selector.modify(end, events, link)
                else:
                    self._selector.unregister(end)
            link.watched[end] = events
        if link.over:
            self._links.discard(link)
