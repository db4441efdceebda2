"""
The ratio of two measurements of the same rounds, and its confidence interval.

The contestants of a comparison take turns in each round, so other activity of the machine slows down most samples of a
round alike. Therefore the ratios within the rounds count, not the ratio of two medians.

For few rounds (5 to 15), the plain percentile bootstrap of a mean or a median is overconfident: with 5 rounds, its 95 %
intervals cover the truth in 84 of 100 cases. This module bootstraps the Hodges–Lehmann estimate of the logarithms of
the ratios. It widens the percentiles by the ratio of Student's t to the normal distribution: the "expanded percentile
interval" (T. Hesterberg, What Teachers Should Know about the Bootstrap, The American Statistician 69, 2015). The
Hodges–Lehmann estimate is the median of the means of all pairs (J. Hodges, E. Lehmann, Estimates of Location Based on
Rank Tests, Ann. Math. Statist. 34, 1963): it is nearly as efficient as a mean, and robust against a disturbed round.
Alternatives were worse with 5 rounds: BCa of the mean covers the truth in 84 of 100 cases, too, and the interval of
bootstrap-t is a third wider than necessary. ``python -m checks.coverage_of_intervals`` measures the coverage of this
method; with 5 rounds, its interval is the range of the ratios, and covers the truth in 93.75 of 100 cases, by
combinatorics.
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

MIN_ROUNDS = 5
"""Minimum number of rounds for an interval: the truth lies outside the range of 4 rounds in one of 8 cases."""

CONFIDENCE = 0.95

RESAMPLES = 1_000
"""Number of bootstrap samples, enough for a few beyond each end of the interval even with 5 rounds."""


@frozen
class Ratio:
    """
    A ratio with its confidence interval.

    :ivar value: the ratio, above 0.
    :ivar low: lower end of the 95 % interval; 0 with too few rounds.
    :ivar high: upper end of the interval; infinite with too few rounds.
    :ivar rounds: number of rounds with both values.
    """

    value: float
    low: float
    high: float
    rounds: int

    @property
    def width(self) -> float:
        """Width of the interval as a share of the value."""
        return (self.high - self.low) / self.value

    def within(self, share: float) -> bool:
        """Return true if the whole interval is near 1: for a share of 0.03, within 1 / 1.03 and 1.03."""
        return 1 / (1 + share) <= self.low and self.high <= 1 + share

    @property
    def covers_one(self) -> bool:
        """True if both values may be equal."""
        return self.low <= 1 <= self.high


@lru_cache(maxsize=4096)
def paired_ratio(pairs: tuple[tuple[float, float], ...], seed: int = 0) -> Ratio:
    """
    Estimate a ratio from pairs of the same rounds.

    :param pairs: the two values of each round, one round or more, all above 0.
    :param seed: seed of the bootstrap, so that equal figures give equal intervals.
    """
    logs = [math.log(one / other) for one, other in pairs]
    value = math.exp(centre(logs))
    if len(logs) < MIN_ROUNDS:
        return Ratio(value, 0.0, math.inf, len(logs))
    low, high = interval(logs, seed)
    return Ratio(value, math.exp(low), math.exp(high), len(logs))


def centre(values: Sequence[float]) -> float:
    """Return the Hodges–Lehmann estimate: the median of the means of all pairs, including each value with itself."""
    middle: float = median(starmap(add, combinations_with_replacement(values, 2)))
    return middle / 2


def interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    """
    Return the 95 % interval of the centre of a distribution from some of its values.

    :param values: `MIN_ROUNDS` values or more.
    :param seed: seed of the bootstrap.
    """
    draw = random.Random(seed)  # noqa: S311 - need not be secret
    centres = sorted(centre(draw.choices(values, k=len(values))) for _ in range(RESAMPLES))
    beyond = math.floor(tail(len(values), len(values) - 1) * RESAMPLES)
    return centres[beyond], centres[-1 - beyond]


def tail(count: int, freedom: int) -> float:
    """
    Return the share of the bootstrap samples beyond each end of an interval.

    :param count: number of values, 2 or more.
    :param freedom: degrees of freedom.
    :return: a share below 0.025, its limit for many values.
    """
    normal = NormalDist()
    share = (1 - CONFIDENCE) / 2
    return normal.cdf(student(normal.inv_cdf(share), freedom) * math.sqrt(count / (count - 1)))


def student(normal: float, freedom: int) -> float:
    """
    Return the quantile of Student's t for a given quantile of the normal distribution.

    The error is below 0.3 % for 4 degrees of freedom, and smaller for more (Abramowitz and Stegun, 26.7.5).
    """
    x = normal
    first = (x**3 + x) / 4
    second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    return x + first / freedom + second / freedom**2 + third / freedom**3


@lru_cache(maxsize=4096)
def unpaired_ratio(ones: tuple[float, ...], others: tuple[float, ...], seed: int = 0) -> Ratio:
    """
    Estimate the ratio of two runs without common rounds.

    The method is that of `paired_ratio`, with the median of all differences between the two runs, and the degrees of
    freedom of both together. With 5 rounds each or more, it covers the truth in 95 to 97 of 100 cases.

    :param ones: values of each round, above 0; one or more.
    :param others: values of each round of the other run, above 0; one or more.
    :param seed: seed of the bootstrap.
    """
    new, old = [math.log(one) for one in ones], [math.log(other) for other in others]
    value, rounds = math.exp(shift(new, old)), min(len(new), len(old))
    if rounds < MIN_ROUNDS:
        return Ratio(value, 0.0, math.inf, rounds)
    draw = random.Random(seed)  # noqa: S311 - need not be secret
    shifts = sorted(shift(draw.choices(new, k=len(new)), draw.choices(old, k=len(old))) for _ in range(RESAMPLES))
    beyond = math.floor(tail(rounds, len(new) + len(old) - 2) * RESAMPLES)
    return Ratio(value, math.exp(shifts[beyond]), math.exp(shifts[-1 - beyond]), rounds)


def shift(ones: Sequence[float], others: Sequence[float]) -> float:
    """Return the Hodges–Lehmann estimate of the shift between two samples: the median of all differences."""
    middle: float = median(starmap(sub, product(ones, others)))
    return middle
