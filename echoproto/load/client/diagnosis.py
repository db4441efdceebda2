"""
The look at a stream in which something is wrong: more of it is taken in, and the harm is named.
"""

from __future__ import annotations

from attrs import evolve

from echoproto.errors import one_line
from echoproto.load.client.payload import Payload
from echoproto.load.client.verdict import PROBE, REACH, Finding, Kind, common_prefix, diagnose

SHOWN = 40
"""Bytes of a peer that are shown at the most."""


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
        self._wrong += data[: max(0, 2 * REACH - len(self._wrong))]

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
        surplus = sent if sent < offset else self._acked
        return Finding(Kind.INSERTED, surplus, offset - surplus)

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
