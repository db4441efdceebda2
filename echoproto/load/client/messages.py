"""
The messages of one stream, sent and echoed.

Bytes are known by their position in a `echoproto.load.client.payload.Payload`. Each received byte is compared
with the byte sent. There is no I/O here.
"""

from __future__ import annotations

from collections import deque
from itertools import accumulate, pairwise
from random import Random

from attrs import frozen

from echoproto.load.client.payload import QuickPayload
from echoproto.load.histogram import Times

HELLO = b"Hello\n"
"""Optional greeting of an echo server, accepted unless the load names another one."""

DRAWN_BYTES = 4096
"""Bytes of messages drawn ahead; at least one message."""

MAX_DRAWN = 64
"""Maximum number of messages drawn ahead."""


class Supply:
    """
    The messages that all streams together may still send.

    :ivar left: their number.
    :param streams: number of streams that share the supply.
    """

    def __init__(self, streams: int) -> None:
        self.left = 0
        self._shares = 2 * streams

    def take(self, wanted: int) -> int:
        """Take up to this number; fewer towards the end, so that every stream gets some."""
        taken = min(wanted, max(1, self.left // self._shares), self.left)
        self.left -= taken
        return taken


@frozen
class Settings:
    """
    The settings shared by all streams of a run.

    :ivar smallest: bytes of the smallest message, at least 1.
    :ivar largest: bytes of the largest message.
    :ivar greeting: bytes expected first; ``None`` for `HELLO` or nothing.
    :ivar supply: source of the messages.
    :ivar service: times from the actual send.
    :ivar response: times from the intended send, or ``None``.
    :ivar ahead: maximum number of messages drawn ahead, at least 1.
    """

    seed: int
    smallest: int
    largest: int
    greeting: bytes | None
    supply: Supply
    service: Times
    response: Times | None
    ahead: int = MAX_DRAWN


class Messages:
    """
    The messages of one stream, over one connection or a sequence of connections.

    The fast path keeps its one message in flight in ``expected``, so that one comparison checks the echo. All methods
    keep messages in flight in ``flight``.

    :ivar number: number of the stream.
    :ivar drawn: messages drawn ahead, the next one last.
    :ivar expected: the message in flight on the fast path, or ``None``.
    :ivar sent_at: send time of ``expected``, in ns.
    :ivar flight: messages in flight, each with its actual and its intended send time in ns.
    :ivar unsent: bytes in flight that the kernel has not accepted yet.
    :ivar lost: bytes lost on ended connections.
    :ivar unknown: bytes on ended connections whose echo was not required.
    :ivar begun: position of the first byte of this connection.
    """

    __slots__ = (
        *("begun", "drawn", "expected", "flight", "lost", "number", "payload", "sent_at", "unknown", "unsent"),
        *("_ahead", "_end", "_fresh", "_greeting", "_offset", "_random", "_settings", "_skipped"),
    )

    def __init__(self, number: int, settings: Settings) -> None:
        self.number = number
        self._settings = settings
        self.payload = QuickPayload(settings.seed, number)
        self._random = Random(f"{settings.seed} {number} sizes").random  # noqa: S311 - to be repeated, not secret
        self._ahead = max(1, min(settings.ahead, DRAWN_BYTES // settings.largest))
        self.drawn: list[bytes] = []
        self.expected: bytes | None = None
        self.sent_at = 0
        self.flight: deque[tuple[bytes, int, int]] = deque()
        self.unsent = memoryview(b"")
        self.lost = self.unknown = 0
        self._end = self._skipped = self._offset = 0
        self.renew()

    def renew(self) -> None:
        """Start a new connection."""
        self._fresh = True
        self._greeting = HELLO if self._settings.greeting is None else self._settings.greeting
        self.begun = self._end - self.drawn_unsent

    def begin(self, now: int, intended: int) -> bytes | None:
        """
        Put the next message in flight, and return it; ``None`` if the supply is used up.

        :param now: time in ns.
        :param intended: intended send time in ns.
        """
        if not self.drawn and not self.draw():
            return None
        message = self.drawn.pop()
        self.flight.append((message, now, intended))
        return message

    def enter_fast_path(self) -> None:
        """Move the only message in flight to ``expected``, unless its echo has begun, or other bytes are due."""
        if len(self.flight) == 1 and not (self._offset or self._greeting or self.unsent):
            self.expected, self.sent_at, _ = self.flight.pop()

    def leave_fast_path(self) -> None:
        """Move the message in flight back to ``flight``."""
        if self.expected is not None:
            self.flight.append((self.expected, self.sent_at, self.sent_at))
            self.expected = None

    def received(self, data: bytes, now: int) -> bytes:
        """
        Compare received bytes with those sent.

        :param data: at least 1 byte.
        :param now: time in ns.
        :return: all bytes from `position` on if one of them is wrong, else none.
        """
        self.leave_fast_path()
        if self._greeting:
            greeting = self._greeting
            if self.greeting_due or len(greeting) < len(HELLO) or data.startswith(HELLO[:1]):
                count = min(len(greeting), len(data))
                if data[:count] != greeting[:count]:
                    whole = self._settings.greeting or HELLO
                    return whole[: len(whole) - len(greeting)] + data
                self._greeting = greeting[count:]
                data = data[count:]
            else:
                self._greeting = b""
        return self._compare(data, now)

    def _compare(self, data: bytes, now: int) -> bytes:
        flight = self.flight
        service, response = self._settings.service, self._settings.response
        position, end = 0, len(data)
        while position < end:
            if not flight:
                return data[position:]
            message, sent_at, intended = flight[0]
            offset = self._offset
            missing = len(message) - offset
            if end - position < missing:
                rest = data[position:] if position else data
                if not message.startswith(rest, offset):
                    return rest
                self._offset += len(rest)
                return b""
            if not data.startswith(message[offset:] if offset else message, position):
                return data[position:]
            flight.popleft()
            self._offset = 0
            position += missing
            service.add(now - sent_at)
            if response is not None:
                response.add(now - intended)
        return b""

    @property
    def greeting_due(self) -> bool:
        """True while a required greeting is incomplete; sending waits for it."""
        return bool(self._settings.greeting and self._greeting)

    @property
    def in_flight(self) -> int:
        """Number of messages in flight."""
        return len(self.flight) + (self.expected is not None)

    @property
    def drawn_unsent(self) -> int:
        """Bytes of messages drawn ahead."""
        return sum(map(len, self.drawn))

    @property
    def sent(self) -> int:
        """Bytes sent, over all connections."""
        return self._end - self._skipped - self.drawn_unsent - len(self.unsent)

    @property
    def missing(self) -> int:
        """Bytes sent on this connection and not echoed yet."""
        in_flight = sum(len(message) for message, _, _ in self.flight) + len(self.expected or b"")
        return in_flight - self._offset - len(self.unsent)

    @property
    def acked(self) -> int:
        """Bytes echoed unchanged, over all connections."""
        return self.sent - self.lost - self.unknown - self.missing

    @property
    def position(self) -> int:
        """Position of the next expected byte."""
        return self._end - self.drawn_unsent - len(self.unsent) - self.missing

    def give_back(self) -> None:
        """Discard the messages drawn ahead."""
        self._end -= self.drawn_unsent
        self.drawn.clear()

    def finish(self, missing: int, *, lost: int = 0) -> None:
        """
        End the connection.

        :param missing: bytes sent on it and not echoed.
        :param lost: bytes among them that count as lost; the others count as unknown.
        """
        self.lost += lost
        self.unknown += missing - lost
        self._skipped += len(self.unsent)
        self.unsent = memoryview(b"")
        self.expected = None
        self.flight.clear()
        self._offset = 0

    def draw(self) -> bool:
        """Draw messages ahead, and return true if the supply had any."""
        settings = self._settings
        count = settings.supply.take(self._ahead)
        if not count:
            return False
        if self._fresh:
            self._fresh = False
            # Skip bytes equal to the first of a greeting, so that one byte tells a greeting from an echo.
            while settings.greeting is None and self.payload.read(self._end, 1) == HELLO[:1]:
                self._end += 1
                self._skipped += 1
            self.begun = self._end
        smallest, largest = settings.smallest, settings.largest
        if smallest == largest:
            data = self.payload.read(self._end, count * largest)
            self.drawn = [data[start : start + largest] for start in range(0, len(data), largest)]
        else:
            random, span = self._random, largest + 1 - smallest
            ends = list(accumulate(smallest + int(random() * span) for _ in range(count)))
            data = self.payload.read(self._end, ends[-1])
            self.drawn = [data[start:end] for start, end in pairwise([0, *ends])]
        self.drawn.reverse()
        self._end += len(data)
        return True
