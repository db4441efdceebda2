"""
The counters of several workers, added up; also of those that are gone.
"""

from __future__ import annotations

from collections.abc import Hashable

from echoproto.server.counters import Counters, Snapshot


class Totals:
    """
    Adds up what workers report.

    Of a worker that is killed, what it reported last remains; whoever was connected then counts as lost with it.
    """

    def __init__(self) -> None:
        self._past = Counters().snapshot(())
        self._latest: dict[Hashable, Snapshot] = {}

    def report(self, process: Hashable, snapshot: Snapshot) -> None:
        """What a process has counted since its start takes the place of what it reported before."""
        self._latest[process] = snapshot

    def ended(self, process: Hashable) -> None:
        """A process is gone."""
        if (latest := self._latest.pop(process, None)) is not None:
            self._past += latest.lost()

    def total(self) -> Snapshot:
        """All of it."""
        return sum(self._latest.values(), self._past)
