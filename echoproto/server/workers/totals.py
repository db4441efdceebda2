"""
The counters of several workers, added up; also of those that are gone.
"""

from __future__ import annotations

from echoproto.server.counters import Counters, Snapshot


class Totals:
    """
    Adds up what workers report.

    Of a worker that is killed, what it reported last remains; whoever was connected then counts as lost with it.
    """

    def __init__(self) -> None:
        self._past = Counters().snapshot(())
        self._latest: dict[int, Snapshot] = {}

    def report(self, worker: int, snapshot: Snapshot) -> None:
        """What a worker has counted since its start takes the place of what it reported before."""
        self._latest[worker] = snapshot

    def ended(self, worker: int) -> None:
        """A worker is gone; the next of that number begins at 0."""
        if (latest := self._latest.pop(worker, None)) is not None:
            self._past += latest.lost()

    def total(self) -> Snapshot:
        """All of it."""
        return sum(self._latest.values(), self._past)
