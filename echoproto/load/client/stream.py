"""
One connection of a load: what is sent and received on it, and what is said of it in the end.
"""

from __future__ import annotations

import errno
import ssl
from collections import deque
from time import monotonic_ns
from typing import TYPE_CHECKING

from echoproto.load.client.connection import Channel
from echoproto.load.client.diagnosis import Diagnosis, shown
from echoproto.load.client.poller import READ, WRITE
from echoproto.load.client.tls import describe
from echoproto.load.client.verdict import Kind
from echoproto.load.errors import IDLE_CLOSED, REFUSED
from echoproto.units import noun

if TYPE_CHECKING:
    from echoproto.load.client.streams import Streams

TOGETHER = 1 << 16
"""Bytes of messages that are given to one send, where several may be sent; at least one message."""

BATCHES = 4
"""Batches of `TOGETHER` bytes that a connection sends in a turn: the others, the clock and what has come back wait."""


class Link(Channel):
    """
    Messages over one connection, or over one after another.

    :ivar waiting: when the messages that wait for their turn should have been sent, in ns.
    :ivar idle: whether it is to say nothing.
    :ivar diagnosis: of what was harmed on it, while more of that is looked at.
    :ivar parting: whether all that was asked for is back, and what still comes is only looked at.
    """

    __slots__ = ("diagnosis", "idle", "parting", "waiting")

    def __init__(self, number: int, owner: Streams, *, idle: bool = False) -> None:
        super().__init__(number, owner)
        self.idle = idle
        self.parting = False
        self.waiting: deque[int] = deque()
        self.diagnosis: Diagnosis | None = None

    def attached(self) -> None:
        """See `Channel.attached`."""
        self._owner.links[self.fd] = self

    def not_opened(self, code: int) -> None:
        """See `Channel.not_opened`."""
        self._owner.not_connected(self, code)

    def no_room(self) -> None:
        """Hold the connection: the listener's queue is full."""
        self._owner.hold(self)

    def opened(self) -> None:
        """See `Channel.opened`."""
        if self.idle:
            self._owner.poller.watch_end(self.fd)
            self.handle = lambda _mask: self.fail(IDLE_CLOSED)
        else:
            self.handle = self._open
        if self.idle or not self.greeting_due:
            self._owner.ready(self)
        if self.tls is not None and self.tls.pending and not self.idle:
            self._read()  # it came with the end of the handshake, and no event will tell

    # Messages

    def fill(self) -> None:
        """Send as many messages as may be in flight."""
        owner = self._owner
        self.unsettle()
        flight = self.flight
        batches = 0
        while not self.unsent and len(flight) < owner.window:
            if batches == BATCHES:
                self._wait_for(READ | WRITE)  # which comes at once, after the events of the others
                return
            batches += 1
            now = self.since = monotonic_ns()
            batch: list[bytes] = []
            size = 0
            while len(flight) < owner.window and size < TOGETHER:
                message = owner.next_message(self, now)
                if message is None:
                    break
                batch.append(message)
                size += len(message)
            if not batch:
                break
            self.unsent = memoryview(batch[0] if len(batch) == 1 else b"".join(batch))
            if not self._flush():
                return
        if owner.half_close and not self.unsent and owner.is_dry(self):
            self.close_sending()
        elif not flight:
            owner.rests(self)
        elif owner.lean:
            self.settle()

    def sent_so_far(self, count: int) -> None:
        """The loop in a hurry has sent so many bytes of ``expected``, which are not all."""
        message = self.expected or b""
        self.unsettle()
        self.unsent = memoryview(message)[count:]
        self.since = monotonic_ns()
        self._wait_for(READ | WRITE)

    def _open(self, mask: int) -> None:
        if mask & WRITE:
            self.since = monotonic_ns()
            if not self._flush():
                return
            if not self.unsent and self.diagnosis is None:
                self.fill()
        if self.socket is not None and mask & ~WRITE:
            self._read()

    def _read(self) -> None:
        owner = self._owner
        while self.socket is not None:
            try:
                data = self.recv(owner.room)
            except BlockingIOError:
                return
            except OSError as error:
                self.failed(error)
                return
            self.take(data, monotonic_ns())
            if self.tls is None or not self.tls.pending:
                return  # what else there is comes with the next event

    def take(self, data: bytes, now: int) -> None:
        """
        Deal with what was received.

        :param data: empty at the end of the stream.
        :param now: in ns.
        """
        owner = self._owner
        if not data:
            self._ended()
            return
        if self.diagnosis is not None:
            self.diagnosis.received(data)
            if self.diagnosis.full:
                self.conclude()
            return
        self.since = owner.last = now
        if self._first_byte_due:
            self._first_byte_due = False
            owner.meter.first_byte.add(now - self.connect_at)
        was_due = self.greeting_due
        wrong = self.received(data, now)
        if wrong:
            self.doubt(wrong)
        elif was_due:
            if not self.greeting_due:
                owner.ready(self)
        else:
            owner.back(self)

    # The end

    @property
    def awaits(self) -> bool:
        """Whether something has to happen on it; at a low rate, it may be long until its turn comes."""
        if self.socket is None:
            return False
        done = not (self.in_flight or self.unsent or self.greeting_due or self._half_closed)
        return not done or self.diagnosis is not None or self.handle != self._open

    @property
    def room(self) -> int:
        """Bytes that are received at once at the most."""
        return self._owner.room

    @property
    def ending(self) -> bool:
        """True once all messages are back, and only the peer's end is missing."""
        return self.socket is not None and self._half_closed and not self.in_flight

    def stuck(self) -> None:
        """Nothing has happened on it for long."""
        if self.diagnosis is not None:
            self.conclude()
        elif self.greeting_due and self.handle == self._open:
            self._owner.wrong_greeting(f"connection {self.number}: no greeting")
            self.fail("greeting")
        else:
            self.fail("no progress", lost=True)

    def _ended(self) -> None:
        if self.diagnosis is not None:
            self.conclude()
        elif self._half_closed and not self.in_flight:
            self.close()
            self._owner.over(self)
        else:
            self.fail("end of stream", lost=True)

    def failed(self, error: OSError) -> None:
        """See `Channel.failed`; what did not come back need not have."""
        if self.diagnosis is not None:
            self.conclude()
        elif self.parting:
            self.close()
        elif isinstance(error, ssl.SSLEOFError):
            self.fail("no close_notify", lost=True)
        elif isinstance(error, ssl.SSLError):
            self.fail("TLS", reason=describe(error))
        elif self.tls is not None and not self.tls.heard:
            # TLS 1.3 has a client take the handshake for done before the server has seen its part of it; where that is
            # refused, an alert is the first to come, unless a reset overtakes it.
            self.fail("TLS", reason=f"{REFUSED}: {describe(error)}")
        else:
            self.fail(errno.errorcode.get(error.errno or 0, "unknown"))

    def fail(self, why: str, *, reason: str = "", lost: bool = False) -> None:
        """
        It is over before its time.

        :param why: as in the outcome's errors.
        :param reason: more on that, safe to print.
        :param lost: whether what has not come back should have.
        """
        meter = self._owner.meter
        self._owner.reason = reason or self._owner.reason
        missing = self.missing
        if missing and lost:
            offset = self.place - self.begun
            what = f"{missing} {noun(missing, 'byte')} lost at offset {offset} ({why})"
            meter.finding(Kind.LOST.value, f"connection {self.number}: {what}")
        self.finish(missing, lost=missing if lost else 0)
        meter.error(why, reason)
        self.close()
        self._owner.over(self, failed=True)

    def doubt(self, wrong: bytes) -> None:
        """Something is wrong: see more of it, to name it."""
        settings = self._owner.settings
        if self.greeting_due:
            came, due = shown(wrong), shown(settings.greeting or b"")
            self._owner.wrong_greeting(f"connection {self.number}: greeting {came} in place of {due}")
            self.fail("greeting")
            return
        self.diagnosis = Diagnosis(self.payload, self.begun, self.place)
        self.diagnosis.received(wrong)
        self._owner.doubts(self)

    def conclude(self) -> None:
        """Name what is wrong, and be done with this connection."""
        diagnosis, self.diagnosis = self.diagnosis, None
        if diagnosis is None:
            return
        owner = self._owner
        owner.doubted.discard(self)
        self.unsettle()
        end = self.place + self.missing
        finding = diagnosis.finding(end)
        missing = max(0, end - self.begun - finding.offset)
        greeting = diagnosis.greeting(finding)
        self.finish(missing, lost=min(missing, finding.length) if finding.kind is Kind.LOST else 0)
        if greeting is None:
            owner.meter.finding(finding.kind.value, f"connection {self.number}: {finding}")
        else:
            owner.wrong_greeting(f"connection {self.number}: unknown greeting {shown(greeting)}")
            owner.meter.error("greeting")
        self.close()
        owner.over(self, failed=True)

    def close_sending(self) -> None:
        """See `Channel.close_sending`; what is doubted is looked at further."""
        if self.diagnosis is None:
            super().close_sending()
