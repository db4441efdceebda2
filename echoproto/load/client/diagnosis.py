"""
The harm to an echoed stream: its kinds, and how the first harm is named once more of the stream has come.
"""

from __future__ import annotations

from enum import Enum

from attrs import evolve, frozen

from echoproto.errors import one_line
from echoproto.load.client.payload import Payload
from echoproto.units import noun

PROBE = 8
"""Bytes by which a place in the stream is recognised: within reach, they stand elsewhere once in 2**43 times."""

REACH = 1 << 20
"""Bytes before and behind a wrong one, in which its right place is looked for."""

SHOWN = 40
"""Bytes of a peer that are shown at the most."""


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

    :ivar offset: position of the first wrong byte, in the stream that was sent.
    :ivar length: number of bytes that are wrong, missing or too many, as far as that can be told; at least 1.
    """

    kind: Kind
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.length} {noun(self.length, 'byte')} {self.kind.value} at offset {self.offset}"


def diagnose(payload: Payload, wrong: bytes, offset: int, sent: int, start: int = 0) -> Finding:
    """
    Name the harm, by the place in the stream that the wrong bytes belong to.

    :param wrong: all that came from the first wrong byte on.
    :param offset: position of the byte that was expected in its place.
    :param sent: position of the first byte that was not sent.
    :param start: position of the first byte that can have come back.
    """
    if offset >= sent:
        return Finding(Kind.INSERTED, offset, len(wrong))
    for length in range(1, min(PROBE, len(wrong))):
        here = wrong[length : length + PROBE]
        if offset + length < sent and here == payload.read(offset + length, len(here)):
            return Finding(Kind.CORRUPT, offset, length)
    begin, end = max(start, offset - REACH), min(sent, offset + REACH)
    found = payload.read(begin, end - begin).find(wrong[:PROBE])
    belongs = None if found == -1 else begin + found
    skipped = wrong.find(payload.read(offset, min(PROBE, end - offset)))
    came_later = skipped != -1
    if belongs is None:
        return Finding(Kind.INSERTED, offset, skipped) if came_later else Finding(Kind.CORRUPT, offset, len(wrong))
    if belongs < offset:
        return Finding(Kind.DUPLICATED, offset, offset - belongs)
    return Finding(Kind.REORDERED if came_later else Kind.LOST, offset, belongs - offset)


def common_prefix(one: bytes, two: bytes) -> int:
    """Return the number of bytes that two strings of one length have in common from the first on."""
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
    Names the harm, from the first wrong byte on.

    :param payload: what was sent.
    :param begun: position in it of the connection's first byte.
    :param acked: position of the byte that should have come; all before it came as it was sent.
    """

    def __init__(self, payload: Payload, begun: int, acked: int) -> None:
        self._payload = payload
        self._begun = begun
        self._acked = acked
        self._start = max(begun, acked - REACH)
        self._wrong = bytearray()

    def received(self, data: bytes) -> None:
        """Take in more of what came in place of what should have come, and after it."""
        self._wrong += data[: 2 * REACH - len(self._wrong)]

    @property
    def full(self) -> bool:
        """True once there is enough to look at."""
        return len(self._wrong) >= 2 * REACH

    def finding(self, sent: int) -> Finding:
        """
        Name the harm; its offset counts from the connection's first byte.

        :param sent: position of the first byte that was not sent.
        """
        finding = self._finding(sent)
        rest = self._acked + len(self._wrong) - finding.offset
        if rest < PROBE and finding.offset < sent <= finding.offset + rest:
            # Too little to be recognised as of elsewhere; but it stands where it should, and all else is there.
            finding = Finding(Kind.CORRUPT, finding.offset, rest)
        elif finding.kind is Kind.INSERTED and self._acked >= sent:
            before = self._before()
            belongs = before.rfind(self._wrong[:PROBE])
            if len(self._wrong) >= PROBE and belongs >= 0:
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
        """Return what came right before, as far as anything is looked for."""
        return self._payload.read(self._start, self._acked - self._start)

    def greeting(self, finding: Finding) -> bytes | None:
        """Return what was put in front of the stream, if that is the harm."""
        if finding.offset >= PROBE or self._start != self._begun:
            return None  # it began as it should, and not by chance
        whole = self._before() + self._wrong
        beginning = self._payload.read(self._begun, PROBE)
        if beginning not in whole:
            # Nothing of the stream itself has come: either it was not sent yet, or something else came in its place.
            return whole if finding.kind is Kind.INSERTED and not finding.offset else None
        return whole[: whole.index(beginning)]


def shown(data: bytes) -> str:
    """Return some bytes of a peer, escaped and short."""
    more = "…" if len(data) > SHOWN else ""
    return f"{one_line(repr(data[:SHOWN])[1:])}{more}"
