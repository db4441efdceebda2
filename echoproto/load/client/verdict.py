"""
The faults that an echoed stream can have, and how the first of them is named.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from echoproto.load.client.payload import Payload
from echoproto.units import noun

PROBE = 8
"""Bytes by which a place in the stream is recognised: within reach, they stand elsewhere once in 2**43 times."""

REACH = 1 << 20
"""Bytes before and behind a wrong one, in which its right place is looked for."""


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
