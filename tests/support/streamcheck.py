"""
A check of one echoed stream: every byte that comes back is compared with the byte that was sent.
"""

from __future__ import annotations

from attrs import frozen

from echoproto.load.client.diagnosis import REACH, Finding, Kind, common_prefix, diagnose
from echoproto.load.client.payload import Payload


@frozen
class Verdict:
    """
    The verdict on one connection.

    :ivar sent: bytes that were sent.
    :ivar acked: bytes that came back as they were sent, from the first on.
    :ivar lost: bytes that should have come back, and did not.
    :ivar unknown: bytes that did not come back, and need not have.
    :ivar finding: the harm to what came back, or ``None``.
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
    Compares what comes back on one connection with what was sent on it.

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
        right = common_prefix(data, self._payload.read(self._acked, len(data)))
        self._acked += right
        if right < len(data):
            self._wrong = bytearray(data[right:])

    def finish(self, sent: int, *, due: int) -> Verdict:
        """
        Return the verdict, once nothing more will come.

        :param sent: number of bytes that were sent.
        :param due: number of bytes that had to come back; others that did not are unknown, not lost.
        """
        finding = None
        if self._wrong is not None:
            finding = diagnose(self._payload, bytes(self._wrong), self._acked, sent)
        elif self._acked > sent:
            finding = Finding(Kind.INSERTED, sent, self._acked - sent)
        lost = max(0, due - self._acked)
        return Verdict(sent, self._acked, lost, max(0, sent - self._acked) - lost, finding)
