"""
One connection of a load: its socket, and what becomes of it.
"""

from __future__ import annotations

import errno
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns
from typing import TYPE_CHECKING

from echoproto.errors import one_line
from echoproto.load.diagnosis import Diagnosis, shown
from echoproto.load.exchange import Exchange
from echoproto.load.loop import READ, WRITE
from echoproto.load.proxyheader import header
from echoproto.load.verdict import Kind

if TYPE_CHECKING:
    from echoproto.load.streams import Streams

AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

RECORD = 1 << 14
"""Bytes of one send over TLS: a record, so that what has to be repeated in full is small."""

TOGETHER = 1 << 16
"""Bytes of messages that are given to one send, where several may be sent; at least one message."""


class Link(Exchange):
    """
    A stream of messages over one connection, or over one after another.

    :ivar socket: of the present connection, or ``None``.
    :ivar recv: of the socket.
    :ivar send: of the socket.
    :ivar handle: what to do when it is ready for something.
    :ivar since: when anything happened on it last, in ns (but for what is in ``expected``).
    :ivar waiting: when the messages that wait for their turn should have been sent, in ns.
    :ivar idle: whether it is to say nothing.
    """

    __slots__ = (
        *("fd", "handle", "idle", "recv", "send", "since", "socket", "waiting"),
        *("_connect_at", "_diagnosis", "_first_byte_due", "_half_closed", "_mask", "_owner"),
    )

    def __init__(self, number: int, owner: Streams, *, idle: bool = False) -> None:
        super().__init__(number, owner.settings)
        self._owner = owner
        self.idle = idle
        self.socket: socket.socket | None = None
        self.fd = -1
        self.handle: Callable[[int], None] = self._open
        self.waiting: deque[int] = deque()
        self.since = self._connect_at = self._mask = 0
        self._diagnosis: Diagnosis | None = None
        self._first_byte_due = self._half_closed = False

    # Before the messages

    def connect(self) -> None:
        """Begin a connection."""
        owner = self._owner
        self.renew()
        self._half_closed = False
        self._diagnosis = None
        try:
            made = owner.address.make_socket()
        except OSError as error:
            owner.not_connected(self, error.errno or 0)
            return
        self.since = self._connect_at = monotonic_ns()
        self._first_byte_due = owner.churn is not None
        code = made.connect_ex(owner.address.address)
        if code not in (0, errno.EINPROGRESS):
            made.close()
            owner.not_connected(self, code)
            return
        self._use(made)
        self.fd = made.fileno()
        owner.links[self.fd] = self
        self.handle = lambda _mask: self._connecting(made)
        self._mask = WRITE
        owner.poller.register(self.fd, WRITE)

    def _use(self, made: socket.socket) -> None:
        self.socket = made
        self.recv = made.recv
        self.send = made.send

    def _wait_for(self, mask: int) -> None:
        if mask != self._mask:
            self._mask = mask
            self._owner.poller.modify(self.fd, mask)

    def _connecting(self, made: socket.socket) -> None:
        owner = self._owner
        if code := made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.close()
            owner.not_connected(self, code)
            return
        self.since = monotonic_ns()
        owner.meter.connect.add(self.since - self._connect_at)
        owner.meter.outcome.connected += 1
        self._wait_for(READ)
        if owner.proxy:
            made.send(
                header(owner.proxy, made.family, made.getsockname(), made.getpeername())
            )  # it fits: nothing else was sent yet
        if owner.tls is None:
            self._opened()
            return
        wrapped = owner.tls.wrap_socket(
            made, do_handshake_on_connect=False, server_hostname=owner.host, suppress_ragged_eofs=False
        )
        self._use(wrapped)
        self.handle = lambda _mask: self._shake_hands(wrapped)
        self._shake_hands(wrapped)

    def _shake_hands(self, wrapped: ssl.SSLSocket) -> None:
        self.since = monotonic_ns()
        try:
            wrapped.do_handshake()
        except ssl.SSLWantReadError:
            self._wait_for(READ)
        except ssl.SSLWantWriteError:
            self._wait_for(READ | WRITE)
        except OSError as error:
            self._owner.reason = one_line(getattr(error, "verify_message", "") or error.strerror or str(error))
            self.fail("TLS")
        else:
            self._wait_for(READ)
            self._opened()

    def _opened(self) -> None:
        if self.idle:
            self._owner.poller.watch_end(self.fd)
            self.handle = lambda _mask: self.fail("idle connection closed")
        else:
            self.handle = self._open
        if self.idle or not self.greeting_due:
            self._owner.ready(self)

    # Messages

    def fill(self) -> None:
        """Send as many messages as may be in flight."""
        owner = self._owner
        self.unsettle()
        flight = self.flight
        while not self.unsent and len(flight) < owner.window:
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

    def _flush(self) -> bool:
        """Send what is unsent, as much as the kernel takes; gives whether the connection is still there."""
        portion = None if self._owner.tls is None else RECORD
        send = self.send
        try:
            while self.unsent:
                self.unsent = self.unsent[send(self.unsent[:portion]) :]
        except AGAIN:
            self._wait_for(READ | WRITE)
            return True
        except OSError as error:
            self.failed(error)
            return False
        self._wait_for(READ)
        return True

    def _open(self, mask: int) -> None:
        if self.unsent and (mask & WRITE or self._owner.tls):
            self.since = monotonic_ns()
            if not self._flush():
                return
            if not self.unsent and self._diagnosis is None:
                self.fill()
        if self.socket is not None and (mask & ~WRITE or self._owner.tls):
            self._read()

    def _read(self) -> None:
        owner = self._owner
        while self.socket is not None:
            try:
                data = self.recv(owner.room)
            except AGAIN:
                return
            except OSError as error:
                self.failed(error)
                return
            self.take(data, monotonic_ns())
            if owner.tls is None:
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
        if self._diagnosis is not None:
            self._diagnosis.received(data)
            if self._diagnosis.full:
                self.conclude()
            return
        self.since = owner.last = now
        if self._first_byte_due:
            self._first_byte_due = False
            owner.meter.first_byte.add(now - self._connect_at)
        was_due = self.greeting_due
        wrong = self.received(data, now)
        if wrong:
            self._doubt(wrong)
        elif was_due:
            if not self.greeting_due:
                owner.ready(self)
        else:
            owner.back(self)

    # The end

    def stuck(self) -> None:
        """Nothing has happened on it for long."""
        if self._diagnosis is not None:
            self.conclude()
        elif self.greeting_due and self.handle == self._open:
            self._owner.wrong_greeting(f"connection {self.number}: no greeting")
            self.fail("greeting")
        else:
            self.fail("no progress", lost=True)

    def part(self) -> None:
        """End it in order, if there is nothing on it that was not asked for."""
        if self.idle:
            with suppress(OSError):  # whatever it says, it is over
                self.recv(RECORD)  # a greeting; what is not read would turn the FIN into a RST
        else:
            self.handle(READ)
            self.conclude()
        if self.socket is not None:
            self._say_goodbye()
            self.close()

    def _ended(self) -> None:
        if self._diagnosis is not None:
            self.conclude()
        elif self._half_closed and not self.in_flight:
            self.close()
            self._owner.over(self)
        else:
            self.fail("end of stream", lost=True)

    def failed(self, error: OSError) -> None:
        """The socket says that it is over: what did not come back need not have."""
        if self._diagnosis is not None:
            self.conclude()
        elif isinstance(error, ssl.SSLError):
            self._owner.reason = one_line(error.strerror or str(error))
            self.fail("TLS")
        else:
            self.fail(errno.errorcode.get(error.errno or 0, "unknown"))

    def fail(self, why: str, *, lost: bool = False) -> None:
        """
        It is over before its time.

        :param why: as in the outcome's errors.
        :param lost: whether what has not come back should have.
        """
        meter = self._owner.meter
        missing = self.missing
        if missing and lost:
            offset = self.place - self.begun
            meter.finding(Kind.LOST.value, f"connection {self.number}: {missing} bytes lost at offset {offset} ({why})")
        self.finish(missing, lost=missing if lost else 0)
        meter.error(why)
        self.close()
        self._owner.over(self, failed=True)

    def _doubt(self, wrong: bytes) -> None:
        """Something is wrong: see more of it, to name it."""
        settings = self._owner.settings
        if self.greeting_due:
            came, due = shown(wrong), shown(settings.greeting or b"")
            self._owner.wrong_greeting(f"connection {self.number}: greeting {came} in place of {due}")
            self.fail("greeting")
            return
        self._diagnosis = Diagnosis(self.payload, self.begun, self.place)
        self._diagnosis.received(wrong)
        self._owner.doubted.add(self)

    def conclude(self) -> None:
        """Name what is wrong, and be done with this connection."""
        diagnosis, self._diagnosis = self._diagnosis, None
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
        """Close the sending side, once all is sent."""
        if not self.unsent and not self._half_closed and self.socket is not None and self._diagnosis is None:
            self._half_closed = True
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        """FIN; over TLS, close_notify."""
        try:
            if isinstance(self.socket, ssl.SSLSocket):
                self.socket.unwrap()
            elif self.socket is not None:
                self.socket.shutdown(socket.SHUT_WR)
        except AGAIN:
            pass  # ours is sent; the peer's is read when it comes
        except OSError as error:
            if not (isinstance(error, ssl.SSLError) and error.reason == "APPLICATION_DATA_AFTER_CLOSE_NOTIFY"):
                self.failed(error)

    def close(self, *, reset: bool = False) -> None:
        """Close the connection, if there is one."""
        if self.socket is None:
            return
        self._owner.poller.unregister(self.fd)
        del self._owner.links[self.fd]
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        self.socket = None
