import math
from random import Random

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from checks.coverage_of_intervals import lognormal, simulated
from echoproto.compare.analysis.measures import THROUGHPUT
from echoproto.compare.analysis.statistics import Ratio
from echoproto.compare.analysis.verdict import NO_DIFFERENCE, NOISY_WIDTH, Kind, Verdict, kind_of, show_ratio


class KnownTruthTests(SynchronousTestCase):
    def called_different(self, noise: float, rounds: int) -> int:
        random = Random(f"{noise} {rounds}")
        ratios = [simulated(random, lambda draw: draw.gauss(0, noise), rounds, truth=1.0) for _ in range(200)]
        return sum(kind_of(ratio) is Kind.DIFFERENT for ratio in ratios)

    def test_equals_are_rarely_called_different(self) -> None:
        """At most 5 of 100 times, whatever the noise."""
        for noise, rounds in ((0.01, 5), (0.1, 7)):
            self.assertLessEqual(self.called_different(noise, rounds), 10, noise)

    def test_what_differs_by_a_fifth_is_found(self) -> None:
        random = Random(12)
        ratios = [simulated(random, lognormal, 7, 1.2) for _ in range(50)]
        self.assertGreater(sum(kind_of(ratio) is Kind.DIFFERENT for ratio in ratios), 45)


BOUNDS = strategies.floats(0.01, 100)


class KindTests(SynchronousTestCase):
    @given(BOUNDS, BOUNDS)
    def test_what_a_ratio_says(self, one: float, other: float) -> None:
        low, high = sorted((one, other))
        ratio = Ratio(math.sqrt(low * high), low, high, 5)
        found = kind_of(ratio)
        if (high - low) / ratio.value > NOISY_WIDTH:
            self.assertIs(found, Kind.NOISY)
        elif low <= 1 <= high or ratio.within(NO_DIFFERENCE):
            self.assertIs(found, Kind.SAME)
        else:
            self.assertIs(found, Kind.DIFFERENT)


class TextTests(SynchronousTestCase):
    def test_digits(self) -> None:
        for value, text in ((0.0123, "0.012"), (0.1, "0.10"), (1.683, "1.68"), (12.34, "12.3"), (123.4, "123")):
            self.assertEqual(show_ratio(Ratio(value, value, value, 5), THROUGHPUT), f"{text} × ({text}–{text})")

    def test_a_single_round(self) -> None:
        self.assertEqual(show_ratio(Ratio(2.0, 0, math.inf, 1), THROUGHPUT), "2.00 × (of 1 round only)")

    def test_without_a_reason(self) -> None:
        self.assertEqual(str(Verdict(Kind.FAILED, THROUGHPUT)), "failed")
