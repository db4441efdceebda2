"""
Who is best in a cell, and how far the others are behind: compared with the best one, not with the baseline.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from echoproto.compare.analysis.measures import CPU, Measure, measure_of, middle, pairs
from echoproto.compare.analysis.statistics import Ratio, paired_ratio
from echoproto.compare.analysis.verdict import Kind, client_bound, kind_of, without_figures
from echoproto.compare.results import Cell, Results


@frozen
class Choice:
    """
    What there is to choose from in one cell.

    :ivar measure: by what it is chosen: what decides in the cell, but processor time if the generator was the limit
        for anybody.
    :ivar middles: of the measure, by contestant, the best one first.
    :ivar ratios: to the best one, of the others.
    """

    cell: Cell
    measure: Measure
    middles: dict[str, float]
    ratios: dict[str, Ratio]

    @property
    def best(self) -> str:
        """Whose median is best."""
        return next(iter(self.middles))

    @property
    def good(self) -> tuple[str, ...]:
        """The best one, and all of whom it can't be said that they are worse."""
        return (self.best, *(name for name, ratio in self.ratios.items() if _as_good(ratio)))

    @property
    def undecided(self) -> bool:
        """Whether nothing can be told between any of them."""
        return len(self.good) == len(self.middles) > 1

    def share(self, name: str) -> float:
        """
        How much a contestant achieves of what the best one does: 1 for all of it.

        Whose median is not the best can still be ahead in most rounds, by no more than can be told.
        """
        if name == self.best:
            return 1.0
        value = self.ratios[name].value
        return min(1.0, value if self.measure.more_is_better else 1 / value)


def _as_good(ratio: Ratio) -> bool:
    kind = kind_of(ratio)
    return kind is Kind.SAME or (kind is Kind.NOISY and ratio.covers_one)


def choose(results: Results, cell: Cell, names: Iterable[str]) -> Choice | None:
    """
    Compare some contestants in a cell.

    :return: ``None`` if none of them has figures there.
    """
    samples = {name: results.of(name, cell) for name in names}
    usable = {name: taken for name, taken in samples.items() if without_figures(taken) is None}
    measure = CPU if any(map(client_bound, usable.values())) else measure_of(cell)
    known = {name: value for name, taken in usable.items() if (value := middle(taken, measure.of)) is not None}
    if not known:
        return None
    middles = dict(sorted(known.items(), key=lambda item: item[1], reverse=measure.more_is_better))
    best, *others = middles
    paired = {name: pairs(results, name, best, cell, measure) for name in others}
    ratios = {name: paired_ratio(found, results.seed) for name, found in paired.items() if found}
    return Choice(cell, measure, {name: middles[name] for name in (best, *ratios)}, ratios)
