import math
from random import Random

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from checks.coverage_of_intervals import covered, lognormal
from echoproto.compare.analysis.statistics import (
    MIN_ROUNDS,
    Ratio,
    centre,
    paired_ratio,
    shift,
    student,
    tail,
    unpaired_ratio,
)

SIMULATIONS = 300
"""That many are off by 1 of 100, as a rule, and the seeds are fixed."""

FIGURES = strategies.floats(1e-3, 1e6)
PAIRS = strategies.lists(strategies.tuples(FIGURES, FIGURES), min_size=1, max_size=9).map(tuple)
ENOUGH = strategies.lists(strategies.tuples(FIGURES, FIGURES), min_size=MIN_ROUNDS, max_size=9).map(tuple)


class RatioTests(SynchronousTestCase):
    def test_width(self) -> None:
        self.assertAlmostEqual(Ratio(2.0, 1.9, 2.3, 5).width, 0.2)

    def test_within(self) -> None:
        self.assertTrue(Ratio(1.0, 0.971, 1.03, 5).within(0.03))
        self.assertFalse(Ratio(1.0, 0.970, 1.03, 5).within(0.03))
        self.assertFalse(Ratio(1.0, 0.98, 1.031, 5).within(0.03))

    def test_covers_one(self) -> None:
        self.assertTrue(Ratio(1.1, 1.0, 1.2, 5).covers_one)
        self.assertFalse(Ratio(1.1, 1.01, 1.2, 5).covers_one)
        self.assertFalse(Ratio(0.9, 0.8, 0.99, 5).covers_one)


class PairedRatioTests(SynchronousTestCase):
    @given(PAIRS)
    def test_it_lies_between_those_of_the_rounds(self, pairs: tuple[tuple[float, float], ...]) -> None:
        ratios = [one / other for one, other in pairs]
        found = paired_ratio(pairs)
        self.assertTrue(min(ratios) * 0.999 <= found.value <= max(ratios) * 1.001)
        self.assertTrue(found.low <= found.value <= found.high)
        self.assertEqual(found.rounds, len(pairs))

    @given(ENOUGH)
    def test_turned_round_it_is_the_reciprocal(self, pairs: tuple[tuple[float, float], ...]) -> None:
        found = paired_ratio(pairs)
        turned = paired_ratio(tuple((other, one) for one, other in pairs))
        self.assertAlmostEqual(found.value * turned.value, 1)

    @given(ENOUGH, strategies.lists(strategies.floats(0.1, 10), min_size=9, max_size=9))
    def test_what_all_of_a_round_share_changes_nothing(
        self, pairs: tuple[tuple[float, float], ...], drift: list[float]
    ) -> None:
        drifted = tuple((one * by, other * by) for (one, other), by in zip(pairs, drift, strict=False))
        before, after = paired_ratio(pairs), paired_ratio(drifted)
        for name in ("value", "low", "high"):
            self.assertAlmostEqual(getattr(after, name) / getattr(before, name), 1)

    def test_rounds_that_agree(self) -> None:
        found = paired_ratio(((3.0, 2.0),) * 5)
        self.assertAlmostEqual(found.low, 1.5)
        self.assertAlmostEqual(found.high, 1.5)

    def test_one_round_in_which_something_else_happened(self) -> None:
        found = paired_ratio((*((1.5 + number / 1000, 1.0) for number in range(9)), (0.1, 1.0)))
        self.assertAlmostEqual(found.value, 1.504, places=2)

    def test_too_few_rounds(self) -> None:
        found = paired_ratio(((3.0, 2.0),) * (MIN_ROUNDS - 1))
        self.assertAlmostEqual(found.value, 1.5)
        self.assertEqual((found.low, found.high), (0, math.inf))

    def test_the_seed_decides(self) -> None:
        random = Random(3)
        pairs = tuple((random.random() + 1, random.random() + 1) for _ in range(20))
        self.assertEqual(paired_ratio(pairs, 1), paired_ratio.__wrapped__(pairs, 1))
        self.assertNotEqual(paired_ratio(pairs, 1), paired_ratio(pairs, 2))

    def test_more_rounds_say_more(self) -> None:
        random = Random(4)
        pairs = tuple((math.exp(random.gauss(0, 0.05)), 1.0) for _ in range(40))
        widths = [paired_ratio(pairs[:count]).width for count in (5, 10, 20, 40)]
        self.assertEqual(widths, sorted(widths, reverse=True))


class IntervalTests(SynchronousTestCase):
    """The truth lies within 93 to 97 of 100 intervals; ``python -m checks.coverage_of_intervals`` takes more time."""

    def covers(self, rounds: int) -> None:
        share = covered(lognormal, rounds, SIMULATIONS)
        self.assertTrue(0.93 <= share <= 0.97, f"{share} of {rounds} rounds")

    def test_5_rounds(self) -> None:
        self.covers(5)

    def test_8_rounds(self) -> None:
        self.covers(8)


class UnpairedRatioTests(SynchronousTestCase):
    def test_two_runs(self) -> None:
        found = unpaired_ratio((3.0, 3.1, 2.9, 3.0, 3.0), (2.0,) * 7)
        self.assertAlmostEqual(found.value, 1.5)
        self.assertTrue(1.45 <= found.low <= 1.5 <= found.high <= 1.55)
        self.assertEqual(found.rounds, 5)

    def test_too_few_rounds(self) -> None:
        found = unpaired_ratio((3.0,) * 9, (2.0,) * (MIN_ROUNDS - 1))
        self.assertEqual((found.low, found.high, found.rounds), (0, math.inf, MIN_ROUNDS - 1))

    def test_its_interval(self) -> None:
        random = Random(5)
        drawn = [
            unpaired_ratio(*(tuple(math.exp(random.gauss(0, 0.05)) for _ in range(6)) for _ in range(2)))
            for _ in range(SIMULATIONS)
        ]
        self.assertTrue(0.93 <= sum(ratio.covers_one for ratio in drawn) / SIMULATIONS <= 0.975)

    def test_shift(self) -> None:
        self.assertEqual(shift([5, 6, 100], [1, 2, 3]), 4)


class PartsTests(SynchronousTestCase):
    def test_centre(self) -> None:
        self.assertEqual(centre([1]), 1)
        self.assertEqual(centre([1, 3]), 2)
        self.assertEqual(centre([0, 1, 2, 1, 100]), 1.5)

    def test_student(self) -> None:
        """Against the tables."""
        for freedom, quantile in ((4, 2.776), (5, 2.571), (9, 2.262), (14, 2.145), (30, 2.042)):
            self.assertLess(abs(student(1.959964, freedom) / quantile - 1), 0.003)

    def test_the_tail_comes_to_what_it_is_of_many(self) -> None:
        tails = [tail(count, count - 1) for count in (5, 7, 10, 15, 100, 10_000)]
        self.assertEqual(tails, sorted(tails))
        self.assertAlmostEqual(tails[0], 0.001, places=4)
        self.assertAlmostEqual(tails[-1], 0.025, places=4)
