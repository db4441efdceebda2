"""
Times, counted as they are taken: so cheaply that the counting does not show in them.
"""

from __future__ import annotations

from echoproto.load.histogram import FINE, Histogram

__all__ = ["FINE", "Times"]


class Times:
    """
    Times in µs that are on their way into histograms.

    Where each message counts, use the two parts directly: ``counts[µs] += 1`` below `FINE`, else ``slow.append(µs)``.

    :ivar counts: how many there were of each below `FINE`; always the same list.
    :ivar slow: all the others, one by one; always the same list.
    """

    __slots__ = ("counts", "slow")

    def __init__(self) -> None:
        self.counts = [0] * FINE
        self.slow: list[int] = []

    def add(self, ns: int) -> None:
        """
        Count one.

        :param ns: 0 or more.
        """
        us = ns // 1000
        if us < FINE:
            self.counts[us] += 1
        else:
            self.slow.append(us)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.counts) + len(self.slow)

    def move(self, *histograms: Histogram) -> int:
        """Count all of them in some histograms (or none), and begin anew; gives how many there were."""
        if count := self.count:
            if histograms:
                moved = Histogram.of(self.counts, self.slow)
                for histogram in histograms:
                    histogram.add(moved)
            self.counts[:] = [0] * FINE
            self.slow.clear()
        return count
