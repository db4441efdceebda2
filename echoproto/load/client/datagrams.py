"""
The datagrams of one socket: which were sent, which came back, and what is wrong with them.

Each begins with a mark, the run, the socket and its own number, so that it is known again whatever became of it; what
follows is known by its position. Its layout::

    2 bytes   b"El"
    2 bytes   the lowest bits of the seed
    4 bytes   number of the socket
    8 bytes   number of the datagram, from 0 on
    ...       of the stream of that socket, each datagram from where the largest one before it could have ended
"""

from __future__ import annotations

import struct
from collections import Counter
from operator import ne
from random import Random

from attrs import define, frozen

from echoproto.load.client.diagnosis import Kind
from echoproto.load.client.messages import Settings
from echoproto.load.client.payload import QuickPayload
from echoproto.units import noun

MARK = b"El"

HEADER = struct.Struct("!2sHIQ")

SMALLEST = HEADER.size
"""Bytes."""

TRUNCATED = "truncated"
"""The kind of harm that only datagrams have."""

MAX_REMEMBERED = 1000
"""Datagrams that are given up, but known again if they come after all."""

MAX_HEADER_CHANGES = 2
"""Bytes in which a header may differ from one in flight to count as that one harmed."""


@frozen
class Harm:
    """The harm to a datagram: its kind, and in words."""

    kind: str
    words: str


@define
class Flying:
    """A datagram that was sent: when it was, and when it should have been, in ns."""

    data: bytes
    number: int
    sent_at: int
    intended: int


class Datagrams:
    """
    What one socket sends and receives.

    :ivar number: of the socket.
    :ivar flight: what has not come back yet, by header, the oldest first.
    :ivar sent: bytes that were sent.
    :ivar acked: bytes that came back as they were sent.
    :ivar lost: bytes that did not come back in time, nor later.
    :ivar unknown: bytes that came back otherwise than they were sent, or need not have come back.
    :ivar lost_datagrams: how many of them did not come back.
    """

    def __init__(self, number: int, settings: Settings) -> None:
        self.number = number
        self.flight: dict[bytes, Flying] = {}
        self.sent = self.acked = self.lost = self.unknown = self.lost_datagrams = 0
        self._settings = settings
        self._payload = QuickPayload(settings.seed, number)
        self._random = Random(f"{settings.seed} {number} sizes").random  # noqa: S311 - to be repeated, not secret
        self._next = 0
        self._newest = -1
        self._given_up: dict[bytes, Flying] = {}

    def begin(self, now: int, intended: int) -> bytes:
        """
        The next datagram, which is in flight from now on.

        :param now: in ns.
        :param intended: when it should have been sent, in ns.
        """
        settings = self._settings
        size = settings.smallest + int(self._random() * (settings.largest + 1 - settings.smallest))
        header = HEADER.pack(MARK, settings.seed & 0xFFFF, self.number & 0xFFFFFFFF, self._next)
        body = self._payload.read(self._next * (settings.largest - SMALLEST), size - SMALLEST)
        self.flight[header] = Flying(header + body, self._next, now, intended)
        self._next += 1
        self.sent += size
        return header + body

    def take_back(self, datagram: bytes) -> None:
        """The system did not take it: it was not sent after all."""
        del self.flight[datagram[:SMALLEST]]
        self.sent -= len(datagram)

    def received(self, data: bytes, now: int) -> Harm | None:
        """
        Compare what has come.

        :param data: one datagram, as the socket has it.
        :param now: in ns.
        """
        header = data[:SMALLEST]
        flying = self.flight.pop(header, None)
        if flying is None:
            flying = self._given_up.pop(header, None)
            if flying is None:
                return self._unknown(data)
            self.lost -= len(flying.data)
            self.lost_datagrams -= 1
        if data != flying.data:
            return self._harmed(flying, data)
        self.acked += len(data)
        self._settings.service.add(now - flying.sent_at)
        if self._settings.response is not None:
            self._settings.response.add(now - flying.intended)
        if flying.number < self._newest:
            return Harm(Kind.REORDERED.value, f"{self._name(flying)} came after datagram {self._newest}")
        self._newest = flying.number
        return None

    def expire(self, before: int) -> list[str]:
        """
        Give up what was sent before a time, in ns; gives what to say of each.
        """
        said = []
        for header, flying in list(self.flight.items()):
            if flying.sent_at >= before:
                break
            del self.flight[header]
            self._given_up[header] = flying
            self.lost += len(flying.data)
            self.lost_datagrams += 1
            said.append(f"{self._name(flying)} not back in time")
        while len(self._given_up) > MAX_REMEMBERED:
            del self._given_up[next(iter(self._given_up))]
        return said

    def abandon(self) -> None:
        """Count what is in flight as unknown: it need not come back."""
        self.unknown += sum(len(flying.data) for flying in self.flight.values())
        self.flight.clear()

    def _name(self, flying: Flying) -> str:
        return f"socket {self.number}: datagram {flying.number}"

    def _harmed(self, flying: Flying, data: bytes) -> Harm:
        sent = flying.data
        self.unknown += len(sent)
        name = self._name(flying)
        if sent.startswith(data):
            return Harm(TRUNCATED, f"{name} truncated from {len(sent)} {noun(len(sent), 'byte')} to {len(data)}")
        if data.startswith(sent):
            more = len(data) - len(sent)
            return Harm(Kind.INSERTED.value, f"{name}: {more} {noun(more, 'byte')} inserted at offset {len(sent)}")
        offset = next(place for place, (one, other) in enumerate(zip(sent, data, strict=False)) if one != other)
        return Harm(Kind.CORRUPT.value, f"{name} corrupt at offset {offset}")

    def _unknown(self, data: bytes) -> Harm:
        """Something with a header that nothing in flight has."""
        if len(data) >= SMALLEST:
            mark, run, socket, number = HEADER.unpack_from(data)
            ours = (MARK, self._settings.seed & 0xFFFF, self.number & 0xFFFFFFFF)
            if (mark, run, socket) == ours and number < self._next:
                return Harm(Kind.DUPLICATED.value, f"socket {self.number}: datagram {number} duplicated")
        for header, flying in self.flight.items():
            if flying.data.startswith(data) or (
                len(flying.data) == len(data)
                and flying.data[SMALLEST:] == data[SMALLEST:]
                and sum(map(ne, header, data)) <= MAX_HEADER_CHANGES
            ):
                del self.flight[header]
                return self._harmed(flying, data)
        what = noun(len(data), "byte that was", "bytes that were")
        return Harm(Kind.INSERTED.value, f"socket {self.number}: {len(data)} {what} not sent by it")


def count_lost(every: list[Datagrams], findings: Counter[str]) -> None:
    """Bring the findings up to date: what was lost may have come after all."""
    if lost := sum(datagrams.lost_datagrams for datagrams in every):
        findings[Kind.LOST.value] = lost
    else:
        findings.pop(Kind.LOST.value, None)
