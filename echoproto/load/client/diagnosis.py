"""
What is wrong with a stream: more of it is looked at, and named.
"""

from __future__ import annotations

from attrs import evolve

from echoproto.errors import one_line
from echoproto.load.client.payload import Payload
from echoproto.load.client.verdict import PROBE, REACH, Finding, Kind, StreamCheck

SHOWN = 40
"""Bytes of a peer that are shown at the most."""


class Diagnosis:
    """
    Finds out what is wrong, from the first wrong byte on.

    :param payload: what was sent.
    :param begun: position in it of the connection's first byte.
    :param acked: position of the byte that should have come; all before it came as it was sent.
    """

    def __init__(self, payload: Payload, begun: int, acked: int) -> None:
        self._start = max(begun, acked - REACH)
        self._begun = begun
        self._acked = acked
        self._payload = _Later(payload, self._start)
        self._check = StreamCheck(self._payload)
        self._check.received(self._payload.read(0, acked - self._start))
        self._wrong = bytearray()

    def received(self, data: bytes) -> None:
        """What came in place of what should have come, and what comes after it."""
        self._wrong += data[: max(0, 2 * REACH - len(self._wrong))]
        self._check.received(data)

    @property
    def full(self) -> bool:
        """Whether there is enough to look at."""
        return len(self._wrong) >= 2 * REACH

    def finding(self, sent: int) -> Finding:
        """
        What it is; its offset counts from the connection's first byte.

        :param sent: position of the first byte that was not sent.
        """
        found = self._check.finish(sent - self._start, due=0).finding
        finding = found or Finding(Kind.INSERTED, self._acked - self._start, len(self._wrong))
        rest = len(self._wrong) - (self._start + finding.offset - self._acked)
        if rest < PROBE and self._start + finding.offset < sent <= self._start + finding.offset + rest:
            # Too little to be recognised as of elsewhere; but it stands where it should, and all else is there.
            finding = Finding(Kind.CORRUPT, finding.offset, rest)
        elif finding.kind is Kind.INSERTED and self._acked >= sent:
            before = self._payload.read(0, self._acked - self._start)
            belongs = before.rfind(self._wrong[:PROBE])
            if len(self._wrong) >= PROBE and belongs >= 0:
                finding = Finding(Kind.DUPLICATED, finding.offset, len(before) - belongs)
        return evolve(finding, offset=finding.offset + self._start - self._begun)

    def greeting(self, finding: Finding) -> bytes | None:
        """What was put in front of the stream, if that is what is wrong with it."""
        if finding.offset >= PROBE or self._start != self._begun:
            return None  # it began as it should, and not by chance
        whole = self._payload.read(0, self._acked - self._start) + self._wrong
        beginning = self._payload.read(0, PROBE)
        if beginning not in whole:
            # Nothing of the stream itself has come: either it was not sent yet, or something else came in its place.
            return whole if finding.kind is Kind.INSERTED and not finding.offset else None
        return whole[: whole.index(beginning)]


class _Later(Payload):
    """A stream from some position on."""

    def __init__(self, payload: Payload, position: int) -> None:
        self._whole = payload
        self._position = position

    def read(self, start: int, length: int) -> bytes:
        return self._whole.read(self._position + start, length)


def shown(data: bytes) -> str:
    """Some bytes of a peer, escaped and short."""
    more = "…" if len(data) > SHOWN else ""
    return f"{one_line(repr(data[:SHOWN])[1:])}{more}"
