"""
Regression: the changes since an earlier run, better or worse.

Two runs share no rounds, so the ratio of their figures includes the state of the machine. Therefore each round is first
divided by the yardstick: the foreign contestants, which do not change with ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean

from attrs import field, frozen

from echoproto.compare.analysis.comparability import check_environments
from echoproto.compare.analysis.figures import Figure, Figures
from echoproto.compare.analysis.measures import CPU, Measure, measure_of, values
from echoproto.compare.analysis.statistics import Ratio, unpaired_ratio
from echoproto.compare.analysis.verdict import NO_DIFFERENCE, Kind, kind_of, show_ratio
from echoproto.compare.results import Cell

YARDSTICK = ("twisted", "asyncio", "uvloop", "socketserver")
"""Groups of contestants that form the yardstick."""

TOLERANCE = 0.05
"""Default slowdown that still passes, as a share."""

REGRESSION = 1
"""Exit status for a regression beyond the tolerance."""


@frozen
class Change:
    """
    The change of one contestant in one cell.

    :ivar kind: the verdict of the ratio, or the reason for having none.
    :ivar ratio: ratio of the new run to the old one; ``None`` if either has no figures.
    :ivar why: the reason for having no ratio.
    :ivar regression: true for a significant slowdown beyond the tolerance.
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
        """True for a significant improvement."""
        return self.kind is Kind.DIFFERENT and self.ratio is not None and _gain(self.ratio, self.measure) > 1

    def __str__(self) -> str:
        """Return the change in a few words."""
        if self.ratio is None:
            return f"{self.kind.value}{f': {self.why}' if self.why else ''}"
        shown = show_ratio(self.ratio, self.measure)
        if self.kind is not Kind.DIFFERENT:
            return f"{self.kind.value}: {shown}"
        return f"{'better' if self.better else 'worse'}: {shown}"


def changes(
    new: Figures, old: Figures, *, tolerance: float = TOLERANCE, different_environments: bool = False
) -> tuple[Change, ...]:
    """
    Compare the common cells and contestants of two runs, except for the yardstick.

    :param tolerance: slowdown that still passes, as a share.
    :param different_environments: true to permit different environments.
    :raise ConfigurationError: if the runs can't be compared.
    """
    check_environments(new.results, old.results, may_differ=different_environments)
    groups = {each.name: each.group for each in new.results.contestants}
    both = [each.name for each in old.results.contestants if each.name in groups]
    yardstick = [name for name in both if groups[name] in YARDSTICK]
    cells = [cell for cell in new.results.cells if cell in old.results.cells]
    found = []
    for cell in cells:
        usual = [(new.at(name, cell), old.at(name, cell)) for name in yardstick]
        usable = [pair for pair in usual if not any(each.void for each in pair)]
        judged = [(new.at(name, cell), old.at(name, cell)) for name in both if name not in yardstick]
        found += [_change(now, before, usable, tolerance, new.results.seed) for now, before in judged]
    return tuple(found)


def _change(
    now: Figure, before: Figure, yardstick: Sequence[tuple[Figure, Figure]], tolerance: float, seed: int
) -> Change:
    """
    Compare one contestant in one cell.

    :param yardstick: figures of the yardstick in the cell, now and before.
    :param seed: seed of the bootstrap.
    """
    name, cell, measure = now.contestant.name, now.cell, measure_of(now.cell)
    if now.void:
        broken = not before.void and now.verdict.kind is not Kind.NOT_MEASURED
        return Change(name, cell, measure, now.verdict.kind, why=now.verdict.why, regression=broken)
    if before.void:
        why = f"before, it was {before.verdict.kind.value}"
        return Change(name, cell, measure, Kind.NOTHING_TO_COMPARE, why=why)
    measure = CPU if now.client_bound or before.client_bound else measure
    ones = _relative(now, [one for one, _ in yardstick], measure)
    others = _relative(before, [other for _, other in yardstick], measure)
    if not ones or not others:
        why = "there is no round with a yardstick"
        return Change(name, cell, measure, Kind.NOTHING_TO_COMPARE, why=why)
    ratio = unpaired_ratio(ones, others, seed)
    worse = not ratio.covers_one and _gain(ratio, measure) < 1 - tolerance
    return Change(name, cell, measure, _kind(ratio), ratio=ratio, regression=worse)


def _kind(ratio: Ratio) -> Kind:
    """Return the kind of a change; only an interval that includes 1 counts as noise."""
    if not ratio.covers_one and not ratio.within(NO_DIFFERENCE):
        return Kind.DIFFERENT
    return kind_of(ratio)


def _relative(figure: Figure, yardstick: Iterable[Figure], measure: Measure) -> tuple[float, ...]:
    """Return the value of each round, divided by the geometric mean of the yardstick if there is one."""
    theirs = [dict(values(each.samples, measure)) for each in yardstick]
    found = []
    for number, value in values(figure.samples, measure):
        logs = [math.log(each[number]) for each in theirs if number in each]
        if len(logs) == len(theirs):
            found.append(value / math.exp(fmean(logs)) if logs else value)
    return tuple(found)


def _gain(ratio: Ratio, measure: Measure) -> float:
    """Return the improvement as a factor; below 1 for a slowdown."""
    return ratio.value if measure.more_is_better else 1 / ratio.value


def exit_status(changed: Iterable[Change]) -> int:
    """Return the exit status of a comparison with an earlier run."""
    return REGRESSION if any(change.regression for change in changed) else 0
