"""
Regression: the changes since an earlier run, better or worse.

Two runs share no rounds, so the state of the machine during each is in the ratio of their figures. Therefore each round
is first put into relation to the contestants that are not ours, and stay as they were when ours change: the yardstick.
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
"""Groups of contestants that are the yardstick."""

TOLERANCE = 0.05
"""Share by which something may have become worse, unless another is asked for."""

REGRESSION = 1
"""Exit status for a regression beyond the tolerance."""


@frozen
class Change:
    """
    The change of one contestant in one cell.

    :ivar kind: the verdict of the ratio, or the reason for having none.
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
        """True if it has become better, beyond doubt."""
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
    new: Figures, old: Figures, *, tolerance: float = TOLERANCE, different_environments: bool = False
) -> tuple[Change, ...]:
    """
    Compare two runs, in the cells and of the contestants that both have; those of the yardstick are not judged.

    :param tolerance: share by which something may have become worse.
    :param different_environments: whether they need not have been made in the same environment.
    :raise ConfigurationError: if they can't be compared.
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

    :param yardstick: contestants of the yardstick there, now and before.
    :param seed: of the draws.
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
    """A change that can't be told for noise is one that may also be none."""
    if not ratio.covers_one and not ratio.within(NO_DIFFERENCE):
        return Kind.DIFFERENT
    return kind_of(ratio)


def _relative(figure: Figure, yardstick: Iterable[Figure], measure: Measure) -> tuple[float, ...]:
    """Return the value of each round as a multiple of the geometric mean of the yardstick's, if there is one."""
    theirs = [dict(values(each.samples, measure)) for each in yardstick]
    found = []
    for number, value in values(figure.samples, measure):
        logs = [math.log(each[number]) for each in theirs if number in each]
        if len(logs) == len(theirs):
            found.append(value / math.exp(fmean(logs)) if logs else value)
    return tuple(found)


def _gain(ratio: Ratio, measure: Measure) -> float:
    """Return how many times as good it has become."""
    return ratio.value if measure.more_is_better else 1 / ratio.value


def exit_status(changed: Iterable[Change]) -> int:
    """Return the exit status of a comparison with an earlier run."""
    return REGRESSION if any(change.regression for change in changed) else 0
