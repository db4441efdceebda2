"""
The ratio of two measurements of the same rounds, and its confidence interval.

The rounds of a comparison take turns, and what one of them is slowed down by, the others of the same round are, too, to
a large part. So it is the ratios within the rounds that count, not the ratio of two middles.

Of few rounds (5 to 15), the plain percentile bootstrap of a mean or a median claims to know more than it does: of 5
rounds, its 95 % intervals cover the truth 84 times of 100. What is used here is a bootstrap of the Hodges–Lehmann
estimate of the logarithms of the ratios, with percentiles that are moved outwards as far as Student's t lies outside of
the normal distribution: the "expanded percentile interval" (T. Hesterberg, What Teachers Should Know about the
Bootstrap, The American Statistician 69, 2015). The Hodges–Lehmann estimate is the median of the means of all pairs
(J. Hodges, E. Lehmann, Estimates of Location Based on Rank Tests, Ann. Math. Statist. 34, 1963): it uses the figures
nearly as well as a mean does, and a round in which the machine did something else moves it little. Others were tried:
of 5 rounds, BCa of the mean covers the truth 84 times of 100, too, and the interval of bootstrap-t is a third wider
than it has to be. ``python -m checks.coverage_of_intervals`` shows how often the one that is used here does; of 5
rounds, it goes from the smallest to the largest, and covers the truth in 93.75 of 100, by combinatorics.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations_with_replacement, product, starmap
from operator import add, sub
from statistics import NormalDist, median

from attrs import frozen

LEAST_ROUNDS = 5
"""Fewer tell nothing at 95 %: the truth lies outside of all that 4 rounds have shown once in 8 times."""

CONFIDENCE = 0.95

RESAMPLES = 1_000
"""Draws of the bootstrap, of which a few lie beyond each end of the interval even for 5 rounds."""


@frozen
class Ratio:
    """
    A ratio with its confidence interval.

    :ivar value: above 0.
    :ivar low: where the interval begins that covers the truth 95 times of 100; 0 where there are too few rounds.
    :ivar high: where it ends; infinite where there are too few rounds.
    :ivar rounds: that both were measured in.
    """

    value: float
    low: float
    high: float
    rounds: int

    @property
    def width(self) -> float:
        """The whole interval as a share of the value."""
        return (self.high - self.low) / self.value

    def within(self, share: float) -> bool:
        """Tell if all of the interval lies so near to 1, on either side: within 0.03, from 1 / 1.03 to 1.03."""
        return 1 / (1 + share) <= self.low and self.high <= 1 + share

    @property
    def covers_one(self) -> bool:
        """True if both may be equal."""
        return self.low <= 1 <= self.high


@lru_cache(maxsize=4096)
def paired_ratio(pairs: tuple[tuple[float, float], ...], seed: int = 0) -> Ratio:
    """
    Estimate a ratio from pairs of the same rounds.

    :param pairs: one or more; of each round, the one and the other, all above 0.
    :param seed: of the draws, so that the same figures make the same interval.
    """
    logs = [math.log(one / other) for one, other in pairs]
    value = math.exp(centre(logs))
    if len(logs) < LEAST_ROUNDS:
        return Ratio(value, 0.0, math.inf, len(logs))
    low, high = interval(logs, seed)
    return Ratio(value, math.exp(low), math.exp(high), len(logs))


def centre(values: Sequence[float]) -> float:
    """The Hodges–Lehmann estimate: the median of the means of all pairs, each value with itself among them."""
    middle: float = median(starmap(add, combinations_with_replacement(values, 2)))
    return middle / 2


def interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    """
    An interval that covers the centre of what some values are drawn from, 95 times of 100.

    :param values: `LEAST_ROUNDS` or more.
    :param seed: of the draws.
    """
    draw = random.Random(seed)  # noqa: S311 - nobody has to be kept from guessing it
    centres = sorted(centre(draw.choices(values, k=len(values))) for _ in range(RESAMPLES))
    beyond = math.floor(tail(len(values), len(values) - 1) * RESAMPLES)
    return centres[beyond], centres[-1 - beyond]


def tail(count: int, freedom: int) -> float:
    """
    The share of the draws that is to lie beyond each end of an interval.

    :param count: of the values, 2 or more.
    :param freedom: degrees of it.
    :return: below 0.025, which is what it comes to where there are many.
    """
    normal = NormalDist()
    share = (1 - CONFIDENCE) / 2
    return normal.cdf(student(normal.inv_cdf(share), freedom) * math.sqrt(count / (count - 1)))


def student(normal: float, freedom: int) -> float:
    """
    The quantile of Student's t where the normal distribution has a given one.

    Right within 0.3 % for 4 degrees of freedom, and nearer for more (Abramowitz and Stegun, 26.7.5).
    """
    x = normal
    first = (x**3 + x) / 4
    second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    return x + first / freedom + second / freedom**2 + third / freedom**3


@lru_cache(maxsize=4096)
def unpaired_ratio(ones: tuple[float, ...], others: tuple[float, ...], seed: int = 0) -> Ratio:
    """
    Estimate the ratio of one run to another, which share no rounds.

    The interval is made as that of `paired_ratio`, of the median of all differences between the one and the other, with
    as many degrees of freedom as both have together: of 5 rounds each and more, it covers the truth in 95 to 97 of 100.

    :param ones: of each round, above 0; one or more.
    :param others: of each round of the other run, above 0; one or more.
    """
    new, old = [math.log(one) for one in ones], [math.log(other) for other in others]
    value, rounds = math.exp(shift(new, old)), min(len(new), len(old))
    if rounds < LEAST_ROUNDS:
        return Ratio(value, 0.0, math.inf, rounds)
    draw = random.Random(seed)  # noqa: S311 - nobody has to be kept from guessing it
    shifts = sorted(shift(draw.choices(new, k=len(new)), draw.choices(old, k=len(old))) for _ in range(RESAMPLES))
    beyond = math.floor(tail(rounds, len(new) + len(old) - 2) * RESAMPLES)
    return Ratio(value, math.exp(shifts[beyond]), math.exp(shifts[-1 - beyond]), rounds)


def shift(ones: Sequence[float], others: Sequence[float]) -> float:
    """The Hodges–Lehmann estimate of how far some values lie above others: the median of all differences."""
    middle: float = median(starmap(sub, product(ones, others)))
    return middle
