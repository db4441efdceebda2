from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.histogram import EXACT_LIMIT_US, MAX_US, PERCENTILES, Histogram, Times

times = strategies.lists(strategies.integers(0, 2 * MAX_US * 1000), max_size=50)


class TimesTests(SynchronousTestCase):
    @given(times)
    def test_they_are_counted_as_a_histogram_counts_them_one_by_one(self, ns: list[int]) -> None:
        counted, one_by_one = Times(), Histogram()
        for time in ns:
            counted.add(time)
        one_by_one.record(time // 1000 / 1e6 for time in ns)
        histogram = Histogram()
        self.assertEqual(counted.move(histogram), len(ns))
        self.assertEqual((histogram.count, histogram.clamped), (one_by_one.count, one_by_one.clamped))
        self.assertEqual(histogram.percentiles(*PERCENTILES, 100), one_by_one.percentiles(*PERCENTILES, 100))

    def test_into_several_histograms_and_anew(self) -> None:
        counted, one, two = Times(), Histogram(), Histogram()
        counts, slow = counted.counts, counted.slow
        counted.add(5_000)
        counted.add(EXACT_LIMIT_US * 1000)
        self.assertEqual(counted.move(one, two), 2)
        self.assertEqual((one.count, two.count), (2, 2))
        self.assertEqual(counted.move(one), 0)
        counts[7] += 1
        slow.append(EXACT_LIMIT_US)
        self.assertEqual(counted.move(one), 2)
        self.assertEqual((one.percentile(50), one.count), (7, 4))

    def test_thrown_away(self) -> None:
        counted = Times()
        counted.add(1_000)
        self.assertEqual(counted.move(), 1)
        self.assertEqual(counted.move(), 0)
