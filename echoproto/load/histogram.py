"""
Times, counted by how long they were, to three digits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from hdrh.histogram import HdrHistogram

LOWEST = 1
"""µs."""

HIGHEST = 60_000_000
"""µs; a minute."""

DIGITS = 3

FINE = 2048
"""µs below which, with three digits, every µs is counted apart."""

PERCENTILES = (50.0, 75.0, 90.0, 99.0, 99.9, 99.99)

STEPS = 5
"""Points of a spectrum for each halving of what is above them, as HdrHistogram's own tools have it."""


class Histogram:
    """
    A histogram of times in µs (HdrHistogram), which loses none.

    The library drops what is out of its range; here, that is counted as the nearest that is in it.

    :ivar clamped: how many were out of range.
    """

    def __init__(self) -> None:
        self._histogram = HdrHistogram(LOWEST, HIGHEST, DIGITS)
        self.clamped = 0

    def record(self, times: Iterable[float]) -> None:
        """
        Count some times; best in batches, since each costs about 1 µs.

        :param times: in seconds.
        """
        record = self._histogram.record_value
        for seconds in times:
            time = round(seconds * 1e6)
            if not LOWEST <= time <= HIGHEST:
                self.clamped += 1
                time = min(max(time, LOWEST), HIGHEST)
            record(time)

    @classmethod
    def of(cls, counts: Sequence[int], others: Sequence[int] = ()) -> Histogram:
        """
        A histogram of many times, made at little cost: the library counts only one at a time.

        :param counts: how many there are of each time below `FINE`, in µs: of 0, of 1 and so on.
        :param others: times of `FINE` or more, in µs.
        """
        made = cls()
        made.clamped = counts[0] + sum(time > HIGHEST for time in others)
        histogram = made._histogram
        histogram.counts[:FINE] = [0, counts[0] + counts[1], *counts[2:]]
        places = Counter(map(_place, others))
        for place, count in places.items():
            histogram.counts[place] = count
        used = [max(place, LOWEST) for place, count in enumerate(counts) if count] + list(places)
        if used:
            histogram.set_internal_tacking_values(min(used), max(used), sum(counts) + len(others))
        return made

    def add(self, other: Histogram) -> None:
        """Count all that another one has counted."""
        if other.count:  # whose smallest the library would take to be 0
            self._histogram.add(other._histogram)
        self.clamped += other.clamped

    def __getstate__(self) -> tuple[bytes, int]:
        return self._histogram.encode(), self.clamped

    def __setstate__(self, state: tuple[bytes, int]) -> None:
        encoded, self.clamped = state
        self._histogram = HdrHistogram.decode(encoded)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.__getstate__() == other.__getstate__()

    __hash__ = None  # type: ignore[assignment]

    @property
    def count(self) -> int:
        """How many were counted."""
        return int(self._histogram.get_total_count())

    def percentile(self, percent: float) -> int:
        """
        The time that so many did not exceed, in µs; 0 if there are none.

        :param percent: above 0 to 100.
        """
        return self.percentiles(percent).get(percent, 0)

    def percentiles(self, *percents: float) -> dict[float, int]:
        """
        The same for several shares, in one pass through all that is counted.

        :param percents: above 0 to 100.
        :return: times in µs by share; nothing if there are none.
        """
        if not self.count:
            return {}
        found = self._histogram.get_percentile_to_value_dict(percents)
        return {percent: int(found[percent]) for percent in percents}

    def spectrum(self) -> list[tuple[float, int]]:
        """
        All of it, as a line to draw: shares in %, and the time that each did not exceed, in µs.

        :return: from the shortest to the longest time, whose share is 100; nothing if there are none.
        """
        if not self.count:
            return []
        points = self._histogram.get_percentile_iterator(STEPS)
        return [(float(p.percentile_level_iterated_to), int(p.value_iterated_to)) for p in points]

    def write_percentiles(self, file: BinaryIO) -> None:
        """
        Write the percentile distribution as text, as HdrHistogram's tools read it (``.hgrm``), in µs.

        :param file: where to.
        """
        self._histogram.output_percentile_distribution(file, 1.0, STEPS)


def _place(time: int) -> int:
    """Where HdrHistogram counts a time of `FINE` µs or more: each doubling has half as many places as those below."""
    time = min(time, HIGHEST)
    doublings = time.bit_length() - (FINE - 1).bit_length()
    return doublings * FINE // 2 + (time >> doublings)


class Times:
    """
    Times in µs on their way into histograms, counted so cheaply that the counting does not show in them.

    Where each message counts, use the two parts directly: ``counts[µs] += 1`` below `FINE`, else ``slow.append(µs)``.

    :ivar counts: number of times of each length below `FINE`; always the same list.
    :ivar slow: all longer times, one by one; always the same list.
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
        """Number of times counted."""
        return sum(self.counts) + len(self.slow)

    def move(self, *histograms: Histogram) -> int:
        """Count all times in some histograms (or none), and begin anew; gives their number."""
        if count := self.count:
            if histograms:
                moved = Histogram.of(self.counts, self.slow)
                for histogram in histograms:
                    histogram.add(moved)
            self.counts[:] = [0] * FINE
            self.slow.clear()
        return count
