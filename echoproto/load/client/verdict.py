"""
What is to be said of an echoed stream: what came back, what is lost, and what is wrong with the rest.
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
    """What can be wrong with a stream."""

    CORRUPT = "corrupt"
    DUPLICATED = "duplicated"
    INSERTED = "inserted"
    LOST = "lost"
    REORDERED = "reordered"


@frozen
class Finding:
    """
    The first thing that is wrong with a stream.

    :ivar offset: of the first wrong byte in the stream that was sent.
    :ivar length: how many bytes are wrong, missing or too many, as far as that could be told; at least 1.
    """

    kind: Kind
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.length} {noun(self.length, 'byte')} {self.kind.value} at offset {self.offset}"


@frozen
class Verdict:
    """
    What is to be said of one connection.

    :ivar sent: bytes that were sent.
    :ivar acked: bytes that came back as they were sent, from the first on.
    :ivar lost: bytes that should have come back, and did not.
    :ivar unknown: bytes that did not come back, and need not have.
    :ivar finding: what is wrong with what came back, or ``None``.
    """

    sent: int
    acked: int
    lost: int
    unknown: int
    finding: Finding | None

    @property
    def good(self) -> bool:
        """Whether nothing is lost, and nothing is wrong."""
        return not self.lost and self.finding is None


class StreamCheck:
    """
    Compares what comes back on one connection with what was sent on it, as it comes.

    :param payload: what is sent.
    """

    def __init__(self, payload: Payload) -> None:
        self._payload = payload
        self._acked = 0
        self._wrong: bytearray | None = None

    @property
    def acked(self) -> int:
        """Bytes that came back as they were sent, from the first on."""
        return self._acked

    def received(self, data: bytes) -> None:
        """
        Compare what was received next.

        :param data: any number of bytes.
        """
        if self._wrong is not None:
            self._wrong += data[: max(0, 2 * REACH - len(self._wrong))]
            return
        expected = self._payload.read(self._acked, len(data))
        if data == expected:
            self._acked += len(data)
            return
        right = _common_prefix(data, expected)
        self._acked += right
        self._wrong = bytearray(data[right:])

    def finish(self, sent: int, *, due: int) -> Verdict:
        """
        The verdict, once nothing more will come.

        :param sent: how many bytes were sent.
        :param due: how many of them had to come back; others that did not are unknown, not lost.
        """
        finding = None if self._wrong is None else self._diagnose(bytes(self._wrong), sent)
        if finding is None and self._acked > sent:
            finding = Finding(Kind.INSERTED, sent, self._acked - sent)
        lost = max(0, due - self._acked)
        return Verdict(sent, self._acked, lost, max(0, sent - self._acked) - lost, finding)

    def _diagnose(self, wrong: bytes, sent: int) -> Finding:
        """Name what is wrong, by where in the stream it belongs that came in place of what was expected."""
        offset = self._acked
        if offset >= sent:
            return Finding(Kind.INSERTED, offset, len(wrong))
        for length in range(1, min(PROBE, len(wrong))):
            here = wrong[length : length + PROBE]
            if offset + length < sent and here == self._payload.read(offset + length, len(here)):
                return Finding(Kind.CORRUPT, offset, length)
        begin, end = max(0, offset - REACH), min(sent, offset + REACH)
        found = self._payload.read(begin, end - begin).find(wrong[:PROBE])
        belongs = None if found == -1 else begin + found
        skipped = wrong.find(self._payload.read(offset, min(PROBE, end - offset)))
        came_later = skipped != -1
        if belongs is None:
            return Finding(Kind.INSERTED, offset, skipped) if came_later else Finding(Kind.CORRUPT, offset, len(wrong))
        if belongs < offset:
            return Finding(Kind.DUPLICATED, offset, offset - belongs)
        return Finding(Kind.REORDERED if came_later else Kind.LOST, offset, belongs - offset)


def _common_prefix(one: bytes, two: bytes) -> int:
    """How many bytes two strings of one length, which are not equal, have in common from the first on."""
    low, high = 0, len(one)
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == two[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
