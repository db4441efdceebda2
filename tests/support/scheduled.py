"""A connection that follows its schedule, and its verdict."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator

from attrs import define, field, frozen

from echoproto.load.client.payload import Payload
from echoproto.units import noun
from tests.support.channels import Plain, Secure
from tests.support.faultproxy import FaultProxy
from tests.support.schedule import Ending, FaultKind, Schedule
from tests.support.streamcheck import StreamCheck, Verdict

STALL = 0.2
"""Seconds without room for another byte after which a late reader's sending counts as stuck."""


@frozen
class Place:
    """
    Address of an echo without a greeting.

    :ivar connect: returns a connected socket.
    :ivar secure: true for TLS.
    """

    connect: Callable[[], socket.socket]
    secure: bool = False

    def open(self, schedule: Schedule, proxy: FaultProxy) -> Plain:
        """Connect, through the proxy if the schedule has a fault."""
        kind = Secure if self.secure else Plain
        if schedule.fault.kind is FaultKind.NONE:
            client, link = self.connect(), None
        else:
            client, link = proxy.connect(self.connect, schedule.fault, schedule.seed)
        if schedule.buffers is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, schedule.buffers)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, schedule.buffers)
        return kind(client, link)


@define(eq=False)
class Connection:
    """
    One connection that follows its schedule.

    :ivar refused: true if the server accepts nothing any more.
    :ivar arrived: minimum number of bytes at the server when it was told to stop; ``None`` without a stop.
    """

    channel: Plain
    schedule: Schedule
    payload: Payload
    check: StreamCheck
    sent: int = 0
    received: int = 0
    reading: bool = field(init=False)
    late_after: int | None = field(init=False)
    arrived: int | None = None
    ended: str = ""
    refused: bool = False
    stuck_since: float = field(factory=time.monotonic)
    unsent: memoryview = field(factory=lambda: memoryview(b""))
    sends: Iterator[int] = field(init=False)
    receives: Iterator[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.late_after = self.schedule.late_after or None
        self.reading = self.schedule.late_after != 0
        self.sends = self.schedule.portions("send")
        self.receives = self.schedule.portions("receive")
        if not self.schedule.size:
            self.all_sent()

    @property
    def events(self) -> int:
        """Return the events to wait for."""
        if self.refused:
            return selectors.EVENT_READ
        return self.channel.events(sending=self.sent < self.schedule.size, reading=self.reading)

    def turn(self, mask: int) -> None:
        """Handle the events of the socket."""
        if mask & selectors.EVENT_READ:
            try:
                self.receive()
            except BlockingIOError:
                pass
            except ConnectionError as error:
                self.finish(type(error).__name__)
        if mask & selectors.EVENT_WRITE and not self.ended:
            try:
                self.send()
            except BlockingIOError:
                pass
            except ConnectionError:  # earlier data is still to be received, and then the same error
                self.refused = self.reading = True

    def send(self) -> None:
        """Send the next portion, as far as there is room."""
        if not self.unsent and self.sent < self.schedule.size:
            size = min(next(self.sends), self.schedule.size - self.sent)
            self.unsent = memoryview(self.payload.read(self.sent, size))
        count = self.channel.send(self.unsent)
        self.unsent = self.unsent[count:]
        self.sent += count
        self.stuck_since = time.monotonic()
        if count and self.sent == self.schedule.size:
            self.all_sent()

    def all_sent(self) -> None:
        """Half-close, or reset; in both cases, start to read."""
        self.reading = True
        if self.schedule.ending is Ending.RESET:
            self.channel.reset()
            self.ended = "reset"
        else:
            self.channel.half_close()

    def receive(self) -> None:
        """Receive and compare the next portion."""
        data = self.channel.receive(next(self.receives))
        self.check.received(data)
        self.received += len(data)
        if self.channel.ended:
            self.finish(self.channel.ended)
        elif self.late_after is not None and self.received >= self.late_after and self.sent < self.schedule.size:
            self.reading = False
            self.late_after = None  # once
            self.stuck_since = time.monotonic()

    def finish(self, how: str) -> None:
        """End the connection."""
        self.ended = how
        self.channel.close()

    def verdict(self) -> Verdict:
        """Return the verdict; after a reset, no data is due."""
        due = self.sent if self.arrived is None else self.arrived
        return self.check.finish(self.sent, due=0 if self.schedule.is_reset else due)

    def complaint(self) -> str:
        """Return the fault that was found; empty if there is none."""
        verdict = self.verdict()
        if verdict.finding:
            return str(verdict.finding)
        if verdict.lost:
            return f"{verdict.lost} {noun(verdict.lost, 'byte')} lost at offset {verdict.acked}"
        # A foreign reset, or truncated TLS; a stopping service may reset connections that it has not accepted.
        if self.arrived is None and not self.schedule.is_reset and self.ended != "end of stream":
            return "no end"
        return ""
