"""
The diagnosis of an echoed stream: the kind, position and length of its first harm.
"""

from __future__ import annotations

from enum import Enum

from attrs import evolve, frozen

from echoproto.errors import one_line
from echoproto.load.client.payload import Payload
from echoproto.units import noun

PROBE_BYTES = 8
"""Bytes that identify a position in the stream: within reach, the chance of a second match is 1 in 2**43."""

SEARCH_BYTES = 1 << 20
"""Bytes searched before and behind a wrong byte for its position."""

MAX_SHOWN_BYTES = 40
"""Maximum bytes of a peer shown in a message."""


class Kind(Enum):
    """A kind of harm to a stream."""

    CORRUPT = "corrupt"
    DUPLICATED = "duplicated"
    INSERTED = "inserted"
    LOST = "lost"
    REORDERED = "reordered"


@frozen
class Finding:
    """
    The first harm to a stream.

    :ivar offset: position of the first wrong byte in the stream sent.
    :ivar length: number of wrong, missing or surplus bytes, as far as known; at least 1.
    """

    kind: Kind
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.length} {noun(self.length, 'byte')} {self.kind.value} at offset {self.offset}"


def diagnose(payload: Payload, wrong: bytes, offset: int, sent: int, start: int = 0) -> Finding:
    """
    Name the harm by the position where the wrong bytes belong.

    :param wrong: received bytes from the first wrong one on.
    :param offset: position of the byte expected instead.
    :param sent: position of the first byte not sent.
    :param start: position of the first byte that can be echoed.
    """
    if offset >= sent:
        return Finding(Kind.INSERTED, offset, len(wrong))
    for length in range(1, min(PROBE_BYTES, len(wrong))):
        here = wrong[length : length + PROBE_BYTES]
        if offset + length < sent and here == payload.read(offset + length, len(here)):
            return Finding(Kind.CORRUPT, offset, length)
    begin, end = max(start, offset - SEARCH_BYTES), min(sent, offset + SEARCH_BYTES)
    found = payload.read(begin, end - begin).find(wrong[:PROBE_BYTES])
    belongs = None if found == -1 else begin + found
    skipped = wrong.find(payload.read(offset, min(PROBE_BYTES, end - offset)))
    came_later = skipped != -1
    if belongs is None:
        return Finding(Kind.INSERTED, offset, skipped) if came_later else Finding(Kind.CORRUPT, offset, len(wrong))
    if belongs < offset:
        return Finding(Kind.DUPLICATED, offset, offset - belongs)
    return Finding(Kind.REORDERED if came_later else Kind.LOST, offset, belongs - offset)


def common_prefix(one: bytes, two: bytes) -> int:
    """Return the length of the common prefix of two strings of equal length."""
    if one == two:
        return len(one)
    low, high = 0, len(one)
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == two[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class Diagnosis:
    """
    A diagnosis of harm from the first wrong byte on.

    :param payload: payload sent.
    :param begun: position of the connection's first byte.
    :param acked: position of the expected byte; all bytes before it are correct.
    """

    def __init__(self, payload: Payload, begun: int, acked: int) -> None:
        self._payload = payload
        self._begun = begun
        self._acked = acked
        self._start = max(begun, acked - SEARCH_BYTES)
        self._wrong = bytearray()

    def received(self, data: bytes) -> None:
        """Add received bytes, from the first wrong one on."""
        self._wrong += data[: 2 * SEARCH_BYTES - len(self._wrong)]

    @property
    def full(self) -> bool:
        """True once enough bytes are collected."""
        return len(self._wrong) >= 2 * SEARCH_BYTES

    def finding(self, sent: int) -> Finding:
        """
        Name the harm, with the offset from the connection's first byte.

        :param sent: position of the first byte not sent.
        """
        finding = self._finding(sent)
        rest = self._acked + len(self._wrong) - finding.offset
        if rest < PROBE_BYTES and finding.offset < sent <= finding.offset + rest:
            # Too few bytes to be found elsewhere, but none are missing: they stand where they belong, damaged.
            finding = Finding(Kind.CORRUPT, finding.offset, rest)
        elif finding.kind is Kind.INSERTED and self._acked >= sent:
            before = self._before()
            belongs = before.rfind(self._wrong[:PROBE_BYTES])
            if len(self._wrong) >= PROBE_BYTES and belongs >= 0:
                finding = Finding(Kind.DUPLICATED, finding.offset, len(before) - belongs)
        return evolve(finding, offset=finding.offset - self._begun)

    def _finding(self, sent: int) -> Finding:
        wrong = bytes(self._wrong)
        right = common_prefix(wrong, self._payload.read(self._acked, len(wrong)))
        offset = self._acked + right
        if right < len(wrong):
            return diagnose(self._payload, wrong[right:], offset, sent, self._start)
        return Finding(Kind.INSERTED, min(sent, offset), max(0, offset - sent))

    def _before(self) -> bytes:
        """Return the correct bytes right before the wrong one, within reach."""
        return self._payload.read(self._start, self._acked - self._start)

    def greeting(self, finding: Finding) -> bytes | None:
        """Return the bytes inserted in front of the stream, if that is the harm."""
        if finding.offset >= PROBE_BYTES or self._start != self._begun:
            return None  # the first `PROBE_BYTES` bytes were right, which is no coincidence
        whole = self._before() + self._wrong
        beginning = self._payload.read(self._begun, PROBE_BYTES)
        if beginning not in whole:
            # No byte of the stream itself was received: it was not sent yet, or other bytes took its place.
            return whole if finding.kind is Kind.INSERTED and not finding.offset else None
        return whole[: whole.index(beginning)]


def shown(data: bytes) -> str:
    """Return bytes of a peer, escaped and shortened."""
    more = "…" if len(data) > MAX_SHOWN_BYTES else ""
    return f"{one_line(repr(data[:MAX_SHOWN_BYTES])[1:])}{more}"
