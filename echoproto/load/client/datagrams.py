"""
The datagrams of one socket: sent, received, and damaged.

Each datagram opens with a header that identifies it even when it is damaged. The bytes behind the header are known by
their position in a payload. The layout::

    2 bytes   b"El"
    2 bytes   lowest bits of the seed, which identify the run
    4 bytes   number of the socket
    8 bytes   number of the datagram, from 0 on
    ...       payload of the socket; datagram N starts at N times the largest body
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

MIN_DATAGRAM_BYTES = HEADER.size
"""Bytes."""

TRUNCATED = "truncated"
"""Kind of harm that only datagrams can have."""

MAX_REMEMBERED = 1000
"""Maximum expired datagrams that are still recognised when they arrive late."""

MAX_HEADER_CHANGES = 2
"""Maximum bytes in which a damaged header may differ from the header sent."""


@frozen
class Harm:
    """The harm to a datagram: its kind and its description."""

    kind: str
    words: str


@define
class InFlight:
    """A datagram in flight, with its actual and its intended send time in ns."""

    data: bytes
    number: int
    sent_at: int
    intended: int


class Datagrams:
    """
    The datagrams of one socket, and their byte counts.

    :ivar number: number of the socket.
    :ivar flight: datagrams in flight by header, the oldest first.
    :ivar sent: bytes sent.
    :ivar acked: bytes echoed unchanged.
    :ivar lost: bytes never echoed.
    :ivar unknown: bytes echoed damaged, or abandoned.
    :ivar lost_datagrams: number of datagrams never echoed.
    """

    def __init__(self, number: int, settings: Settings) -> None:
        self.number = number
        self.flight: dict[bytes, InFlight] = {}
        self.sent = self.acked = self.lost = self.unknown = self.lost_datagrams = 0
        self._settings = settings
        self._payload = QuickPayload(settings.seed, number)
        self._random = Random(f"{settings.seed} {number} sizes").random  # noqa: S311 - to be repeated, not secret
        self._next = 0
        self._newest = -1
        self._given_up: dict[bytes, InFlight] = {}

    def begin(self, now: int, intended: int) -> bytes:
        """
        Put the next datagram in flight, and return it.

        :param now: time in ns.
        :param intended: intended send time in ns.
        """
        settings = self._settings
        size = settings.smallest + int(self._random() * (settings.largest + 1 - settings.smallest))
        header = HEADER.pack(MARK, settings.seed & 0xFFFF, self.number & 0xFFFFFFFF, self._next)
        body = self._payload.read(self._next * (settings.largest - MIN_DATAGRAM_BYTES), size - MIN_DATAGRAM_BYTES)
        self.flight[header] = InFlight(header + body, self._next, now, intended)
        self._next += 1
        self.sent += size
        return header + body

    def take_back(self, datagram: bytes) -> None:
        """Undo `begin` for a datagram that the kernel did not accept."""
        del self.flight[datagram[:MIN_DATAGRAM_BYTES]]
        self.sent -= len(datagram)

    def received(self, data: bytes, now: int) -> Harm | None:
        """
        Compare a received datagram with the one sent.

        :param data: one datagram.
        :param now: time in ns.
        :return: its harm, or ``None``.
        """
        header = data[:MIN_DATAGRAM_BYTES]
        in_flight = self.flight.pop(header, None)
        if in_flight is None:
            in_flight = self._given_up.pop(header, None)
            if in_flight is None:
                return self._unknown(data)
            self.lost -= len(in_flight.data)
            self.lost_datagrams -= 1
        if data != in_flight.data:
            return self._harmed(in_flight, data)
        self.acked += len(data)
        self._settings.service.add(now - in_flight.sent_at)
        if self._settings.response is not None:
            self._settings.response.add(now - in_flight.intended)
        if in_flight.number < self._newest:
            return Harm(Kind.REORDERED.value, f"{self._name(in_flight)} came after datagram {self._newest}")
        self._newest = in_flight.number
        return None

    def expire(self, before: int) -> list[str]:
        """Give up the datagrams sent before a time in ns, and describe each."""
        said = []
        for header, in_flight in list(self.flight.items()):
            if in_flight.sent_at >= before:
                break
            del self.flight[header]
            self._given_up[header] = in_flight
            self.lost += len(in_flight.data)
            self.lost_datagrams += 1
            said.append(f"{self._name(in_flight)} not back in time")
        while len(self._given_up) > MAX_REMEMBERED:
            del self._given_up[next(iter(self._given_up))]
        return said

    def abandon(self) -> None:
        """Count everything in flight as unknown."""
        self.unknown += sum(len(in_flight.data) for in_flight in self.flight.values())
        self.flight.clear()

    def _name(self, in_flight: InFlight) -> str:
        return f"socket {self.number}: datagram {in_flight.number}"

    def _harmed(self, in_flight: InFlight, data: bytes) -> Harm:
        sent = in_flight.data
        self.unknown += len(sent)
        name = self._name(in_flight)
        if sent.startswith(data):
            return Harm(TRUNCATED, f"{name} truncated from {len(sent)} {noun(len(sent), 'byte')} to {len(data)}")
        if data.startswith(sent):
            more = len(data) - len(sent)
            return Harm(Kind.INSERTED.value, f"{name}: {more} {noun(more, 'byte')} inserted at offset {len(sent)}")
        offset = next(place for place, (one, other) in enumerate(zip(sent, data, strict=False)) if one != other)
        return Harm(Kind.CORRUPT.value, f"{name} corrupt at offset {offset}")

    def _unknown(self, data: bytes) -> Harm:
        """Classify a datagram whose header matches none in flight."""
        if len(data) >= MIN_DATAGRAM_BYTES:
            mark, run, socket, number = HEADER.unpack_from(data)
            ours = (MARK, self._settings.seed & 0xFFFF, self.number & 0xFFFFFFFF)
            if (mark, run, socket) == ours and number < self._next:
                return Harm(Kind.DUPLICATED.value, f"socket {self.number}: datagram {number} duplicated")
        for header, in_flight in self.flight.items():
            if in_flight.data.startswith(data) or (
                len(in_flight.data) == len(data)
                and in_flight.data[MIN_DATAGRAM_BYTES:] == data[MIN_DATAGRAM_BYTES:]
                and sum(map(ne, header, data)) <= MAX_HEADER_CHANGES
            ):
                del self.flight[header]
                return self._harmed(in_flight, data)
        what = noun(len(data), "byte that was", "bytes that were")
        return Harm(Kind.INSERTED.value, f"socket {self.number}: {len(data)} {what} not sent by it")


def count_lost(every: list[Datagrams], findings: Counter[str]) -> None:
    """Update the number of lost datagrams, which falls when one arrives late."""
    if lost := sum(datagrams.lost_datagrams for datagrams in every):
        findings[Kind.LOST.value] = lost
    else:
        findings.pop(Kind.LOST.value, None)
