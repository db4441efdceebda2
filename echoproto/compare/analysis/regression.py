"""
What has become better or worse since an earlier run.

Two runs share no rounds, so what the machine did meanwhile is in the ratio of their figures. Therefore each round is
first put into relation to the contestants that are not ours, and stay as they were when ours change: the yardstick.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean

from attrs import field, frozen

from echoproto.compare.analysis.comparability import check_environments
from echoproto.compare.analysis.measures import CPU, Measure, measure_of
from echoproto.compare.analysis.statistics import Ratio, unpaired_ratio
from echoproto.compare.analysis.verdict import NO_DIFFERENCE, Kind, client_bound, kind_of, show_ratio, without_figures
from echoproto.compare.results import Cell, Results, Sample

YARDSTICK = ("twisted", "asyncio", "uvloop", "socketserver")
"""Groups of contestants that are the yardstick."""

TOLERANCE = 0.05
"""Share by which something may have become worse, unless another is asked for."""


@frozen
class Change:
    """
    What has become of one contestant in one cell.

    :ivar kind: what the ratio says, or what there is in place of it.
    :ivar ratio: of the new run to the old one; ``None`` if either has no figures.
    :ivar why: there is none.
    :ivar regression: whether it has become worse by more than is tolerated, beyond doubt.
    """

    contestant: str
    cell: Cell
    measure: Measure
    kind: Kind
    ratio: Ratio | None = field(default=None, kw_only=True)
    why: str = field(default="", kw_only=True)
    regression: bool = field(default=False, kw_only=True)

    @property
    def better(self) -> bool:
        """Whether it has become better, beyond doubt."""
        return self.kind is Kind.DIFFERENT and self.ratio is not None and _gain(self.ratio, self.measure) > 1

    def __str__(self) -> str:
        """The change in a few words."""
        if self.ratio is None:
            return f"{self.kind.value}{f': {self.why}' if self.why else ''}"
        shown = show_ratio(self.ratio, self.measure)
        if self.kind is not Kind.DIFFERENT:
            return f"{self.kind.value}: {shown}"
        return f"{'better' if self.better else 'worse'}: {shown}"


def changes(
    new: Results, old: Results, *, tolerance: float = TOLERANCE, different_environments: bool = False
) -> tuple[Change, ...]:
    """
    Compare two runs, in the cells and of the contestants that both have; those of the yardstick are not judged.

    :param tolerance: share by which something may have become worse.
    :param different_environments: whether they need not have been made in the same environment.
    :raise ConfigurationError: if they can't be compared.
    """
    check_environments(new, old, may_differ=different_environments)
    groups = {each.name: each.group for each in new.contestants}
    both = [each.name for each in old.contestants if each.name in groups]
    yardstick = tuple(name for name in both if groups[name] in YARDSTICK)
    found = _Comparison(new, old, yardstick, tolerance)
    cells = [cell for cell in new.cells if cell in old.cells]
    return tuple(found.change(name, cell) for cell in cells for name in both if name not in yardstick)


@frozen
class _Comparison:
    """Two runs, and how they are compared."""

    new: Results
    old: Results
    yardstick: tuple[str, ...]
    tolerance: float

    def change(self, name: str, cell: Cell) -> Change:
        """What has become of a contestant in a cell."""
        now, before = self.new.of(name, cell), self.old.of(name, cell)
        wrong, was_wrong = without_figures(now), without_figures(before)
        if wrong is not None:
            broken = was_wrong is None and wrong[0] is not Kind.NOT_MEASURED
            return Change(name, cell, measure_of(cell), wrong[0], why=wrong[1], regression=broken)
        if was_wrong is not None:
            why = f"before, it was {was_wrong[0].value}"
            return Change(name, cell, measure_of(cell), Kind.NOTHING_TO_COMPARE, why=why)
        measure = CPU if client_bound(now) or client_bound(before) else measure_of(cell)
        runs = (self.new, self.old)
        usable = [each for each in self.yardstick if all(without_figures(run.of(each, cell)) is None for run in runs)]
        ones, others = (_relative(run, run.of(name, cell), usable, measure) for run in runs)
        if not ones or not others:
            why = "there is no round with a yardstick"
            return Change(name, cell, measure, Kind.NOTHING_TO_COMPARE, why=why)
        ratio = unpaired_ratio(ones, others, self.new.seed)
        worse = not ratio.covers_one and _gain(ratio, measure) < 1 - self.tolerance
        return Change(name, cell, measure, _kind(ratio), ratio=ratio, regression=worse)


def _kind(ratio: Ratio) -> Kind:
    """A change that can't be told for noise is one that may also be none."""
    if not ratio.covers_one and not ratio.within(NO_DIFFERENCE):
        return Kind.DIFFERENT
    return kind_of(ratio)


def _relative(run: Results, samples: Iterable[Sample], yardstick: Sequence[str], measure: Measure) -> tuple[float, ...]:
    """The figure of each round, as a multiple of the geometric mean of those of the yardstick, if there is one."""
    found = []
    for sample in samples:
        here = [other for other in run.samples if (other.cell, other.round) == (sample.cell, sample.round)]
        values = [measure.of(other) for other in here if other.contestant in yardstick]
        logs = [math.log(value) for value in values if value is not None]
        value = measure.of(sample)
        if value is not None and len(logs) == len(yardstick):
            found.append(value / math.exp(fmean(logs)) if logs else value)
    return tuple(found)


def _gain(ratio: Ratio, measure: Measure) -> float:
    """How many times as good it has become."""
    return ratio.value if measure.more_is_better else 1 / ratio.value
