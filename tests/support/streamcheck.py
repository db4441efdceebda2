"""
Check of one echoed stream: every received byte is compared with the sent one.
"""

from __future__ import annotations

from attrs import frozen

from echoproto.load.client.diagnosis import SEARCH_BYTES, Finding, Kind, common_prefix, diagnose
from echoproto.load.client.payload import Payload


@frozen
class Verdict:
    """
    The verdict on one connection.

    :ivar sent: bytes sent.
    :ivar acked: bytes that came back correctly, from the first on.
    :ivar lost: bytes that did not come back although they were due.
    :ivar unknown: bytes that did not come back, and were not due.
    :ivar finding: harm to the received bytes, or ``None``.
    """

    sent: int
    acked: int
    lost: int
    unknown: int
    finding: Finding | None

    @property
    def good(self) -> bool:
        """True if nothing is lost, and nothing is wrong."""
        return not self.lost and self.finding is None


class StreamCheck:
    """
    Compare the received bytes of a connection with its sent ones.

    :param payload: the bytes to send.
    """

    def __init__(self, payload: Payload) -> None:
        self._payload = payload
        self._acked = 0
        self._wrong: bytearray | None = None

    @property
    def acked(self) -> int:
        """Bytes that came back correctly, from the first on."""
        return self._acked

    def received(self, data: bytes) -> None:
        """
        Compare the next received bytes.

        :param data: any number of bytes.
        """
        if self._wrong is not None:
            self._wrong += data[: max(0, 2 * SEARCH_BYTES - len(self._wrong))]
            return
        right = common_prefix(data, self._payload.read(self._acked, len(data)))
        self._acked += right
        if right < len(data):
            self._wrong = bytearray(data[right:])

    def finish(self, sent: int, *, due: int) -> Verdict:
        """
        Return the verdict, after the end of the stream.

        :param sent: number of bytes sent.
        :param due: number of bytes that must come back; other missing bytes are unknown, not lost.
        """
        finding = None
        if self._wrong is not None:
            finding = diagnose(self._payload, bytes(self._wrong), self._acked, sent)
        elif self._acked > sent:
            finding = Finding(Kind.INSERTED, sent, self._acked - sent)
        lost = max(0, due - self._acked)
        return Verdict(sent, self._acked, lost, max(0, sent - self._acked) - lost, finding)
