"""
The ranking of contestants under one load, by comparison with the best one, not with the baseline.
"""

from __future__ import annotations

from collections.abc import Container

from attrs import frozen

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.analysis.measures import CPU, Measure, measure_of, pairs
from echoproto.compare.analysis.statistics import Ratio, paired_ratio
from echoproto.compare.analysis.verdict import Kind, kind_of
from echoproto.compare.results import Cell


@frozen
class Ranking:
    """
    The ranking of some contestants under one load.

    :ivar measure: the measure of the ranking: the main one of the cell, or CPU time if the generator was the
        bottleneck for any of them.
    :ivar medians: medians of the measure by contestant, the best one first.
    :ivar ratios: ratios of the others to the best one.
    """

    cell: Cell
    measure: Measure
    medians: dict[str, float]
    ratios: dict[str, Ratio]

    @property
    def best(self) -> str:
        """The contestant with the best median."""
        return next(iter(self.medians))

    @property
    def best_group(self) -> tuple[str, ...]:
        """The best contestant and every one not measurably worse."""
        return (self.best, *(name for name, ratio in self.ratios.items() if _as_good(ratio)))

    @property
    def undecided(self) -> bool:
        """True if no contestant is measurably worse than the best one."""
        return len(self.best_group) == len(self.medians) > 1

    def share(self, name: str) -> float:
        """
        Return the share of the best contestant's value that a contestant achieves, up to 1.

        A contestant with a lower median can still be ahead in most rounds, within the noise.
        """
        if name == self.best:
            return 1.0
        value = self.ratios[name].value
        return min(1.0, value if self.measure.more_is_better else 1 / value)


def _as_good(ratio: Ratio) -> bool:
    kind = kind_of(ratio)
    return kind is Kind.SAME or (kind is Kind.NOISY and ratio.covers_one)


def rank(figures: Figures, cell: Cell, names: Container[str]) -> Ranking | None:
    """
    Rank some contestants under a load.

    :return: the ranking, or ``None`` if no contestant has figures.
    """
    usable = {each.contestant.name: each for each in figures.under(cell) if each.contestant.name in names}
    usable = {name: each for name, each in usable.items() if not each.void}
    measure = CPU if any(each.client_bound for each in usable.values()) else measure_of(cell)
    known = {name: value for name, each in usable.items() if (value := each.median(measure)) is not None}
    if not known:
        return None
    best, *others = sorted(known, key=known.__getitem__, reverse=measure.more_is_better)
    paired = {name: pairs(usable[name].samples, usable[best].samples, measure) for name in others}
    ratios = {name: paired_ratio(found, figures.results.seed) for name, found in paired.items() if found}
    return Ranking(cell, measure, {name: known[name] for name in (best, *ratios)}, ratios)
