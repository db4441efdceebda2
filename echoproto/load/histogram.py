"""
Histograms of times, with a precision of three digits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from hdrh.histogram import HdrHistogram

MIN_US = 1
MAX_US = 60_000_000
"""Range of a histogram in µs: up to a minute."""

DIGITS = 3

EXACT_LIMIT_US = 2048
"""Time in µs below which each µs has a bucket of its own, with three digits."""

PERCENTILES = (50.0, 75.0, 90.0, 99.0, 99.9, 99.99)

POINTS_PER_HALVING = 5
"""Points of a spectrum for each halving of the remaining share, as in HdrHistogram's own tools."""


class Histogram:
    """
    A histogram of times in µs (HdrHistogram) that loses none.

    The library drops a time out of its range; this class counts it as the nearest time in range.

    :ivar clamped: number of times out of range.
    """

    def __init__(self) -> None:
        self._histogram = HdrHistogram(MIN_US, MAX_US, DIGITS)
        self.clamped = 0

    def record(self, times: Iterable[float]) -> None:
        """
        Count some times, at about 1 µs each.

        :param times: in seconds.
        """
        record = self._histogram.record_value
        for seconds in times:
            time = round(seconds * 1e6)
            if not MIN_US <= time <= MAX_US:
                self.clamped += 1
                time = min(max(time, MIN_US), MAX_US)
            record(time)

    @classmethod
    def of(cls, counts: Sequence[int], others: Sequence[int] = ()) -> Histogram:
        """
        Make a histogram of many times at low cost: the library counts them one by one.

        :param counts: number of times of each length below `EXACT_LIMIT_US`, in µs: 0, 1 and so on.
        :param others: longer times, in µs.
        """
        made = cls()
        made.clamped = counts[0] + sum(time > MAX_US for time in others)
        histogram = made._histogram
        histogram.counts[:EXACT_LIMIT_US] = [0, counts[0] + counts[1], *counts[2:]]
        buckets = Counter(map(_bucket_index, others))
        for index, count in buckets.items():
            histogram.counts[index] = count
        used = [max(index, MIN_US) for index, count in enumerate(counts) if count] + list(buckets)
        if used:
            histogram.set_internal_tacking_values(min(used), max(used), sum(counts) + len(others))
        return made

    def add(self, other: Histogram) -> None:
        """Add the times of another histogram."""
        if other.count:  # the library takes 0 as the minimum of an empty one
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
        """Number of times counted."""
        return int(self._histogram.get_total_count())

    def percentile(self, percent: float) -> int:
        """
        Return a percentile in µs; 0 for an empty histogram.

        :param percent: above 0, up to 100.
        """
        return self.percentiles(percent).get(percent, 0)

    def percentiles(self, *percents: float) -> dict[float, int]:
        """
        Return several percentiles in µs, in one pass.

        :param percents: each above 0, up to 100.
        :return: times in µs by percentile; empty for an empty histogram.
        """
        if not self.count:
            return {}
        found = self._histogram.get_percentile_to_value_dict(percents)
        return {percent: int(found[percent]) for percent in percents}

    def spectrum(self) -> list[tuple[float, int]]:
        """
        Return the whole distribution as the points of a line: percentiles, and their times in µs.

        :return: points up to percentile 100, the maximum; empty for an empty histogram.
        """
        if not self.count:
            return []
        points = self._histogram.get_percentile_iterator(POINTS_PER_HALVING)
        return [(float(p.percentile_level_iterated_to), int(p.value_iterated_to)) for p in points]

    def write_percentiles(self, file: BinaryIO) -> None:
        """
        Write the percentile distribution in µs, as text for HdrHistogram's tools (``.hgrm``).

        :param file: a binary file, open for writing.
        """
        self._histogram.output_percentile_distribution(file, 1.0, POINTS_PER_HALVING)


def _bucket_index(time: int) -> int:
    """Return the index of HdrHistogram's bucket for a time of `EXACT_LIMIT_US` or more; each doubling halves them."""
    time = min(time, MAX_US)
    doublings = time.bit_length() - (EXACT_LIMIT_US - 1).bit_length()
    return doublings * EXACT_LIMIT_US // 2 + (time >> doublings)


class Times:
    """
    Times in µs on their way into histograms, counted so cheaply that it does not distort the measurement.

    A hot path uses the two parts directly: ``counts[µs] += 1`` below `EXACT_LIMIT_US`, else ``slow.append(µs)``.

    :ivar counts: number of times of each length below `EXACT_LIMIT_US`; always the same list.
    :ivar slow: all longer times, one by one; always the same list.
    """

    __slots__ = ("counts", "slow")

    def __init__(self) -> None:
        self.counts = [0] * EXACT_LIMIT_US
        self.slow: list[int] = []

    def add(self, ns: int) -> None:
        """
        Count one time.

        :param ns: the time in ns, 0 or more.
        """
        us = ns // 1000
        if us < EXACT_LIMIT_US:
            self.counts[us] += 1
        else:
            self.slow.append(us)

    @property
    def count(self) -> int:
        """Number of times counted."""
        return sum(self.counts) + len(self.slow)

    def move(self, *histograms: Histogram) -> int:
        """Move all times into each of some histograms (or none), and return their number."""
        if count := self.count:
            if histograms:
                moved = Histogram.of(self.counts, self.slow)
                for histogram in histograms:
                    histogram.add(moved)
            self.counts[:] = [0] * EXACT_LIMIT_US
            self.slow.clear()
        return count
