"""
Advice: which contestant to choose for which load, and the cost of choosing another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence

from attrs import frozen

from echoproto.compare.analysis.figures import Figure, Figures
from echoproto.compare.analysis.measures import Measure
from echoproto.compare.analysis.ranking import Ranking, rank
from echoproto.compare.analysis.statistics import MIN_ROUNDS
from echoproto.compare.analysis.verdict import Kind
from echoproto.compare.report.words import WORDS, axis, describe, labels, panels
from echoproto.compare.results import Cell
from echoproto.units import counted, show_time

ON_TWISTED = ("echoproto", "twisted")
"""Groups of contestants that differ only by an option; all others are other programs."""

MAX_UNNAMED_SPREAD = 5
"""Maximum difference in percentage points between the worst and the best load without naming them."""


@frozen
class Advice:
    """
    Lines under one heading.
    """

    title: str
    lines: tuple[str, ...]


def advise(figures: Figures) -> tuple[Advice, ...]:
    """Return the advice that follows from the figures."""
    groups = {each.name: each.group for each in figures.results.contestants}
    on_twisted = [name for name, group in groups.items() if group in ON_TWISTED]
    rankings = _rankings(figures, groups)
    found = [Advice("Best choice", tuple(_which(figures, rankings)))]
    if 0 < len(on_twisted) < len(groups):
        found.append(Advice("Best choice on Twisted", tuple(_which(figures, _rankings(figures, on_twisted)))))
    told = {cell: ranking for cell, ranking in rankings.items() if not ranking.undecided}
    found.append(Advice("Cost of another choice", tuple(_costs(figures, told))))
    found.append(Advice("Caveats", tuple(_cautions(figures))))
    return tuple(each for each in found if each.lines)


def _rankings(figures: Figures, names: Container[str]) -> dict[Cell, Ranking]:
    found = {cell: rank(figures, cell, names) for cell in figures.results.cells}
    return {cell: ranking for cell, ranking in found.items() if ranking is not None}


def _which(figures: Figures, rankings: Mapping[Cell, Ranking]) -> Iterator[str]:
    """Yield a line for each stretch of cells with the same best contestants."""
    along = axis(figures.results.cells)
    for cells in panels(figures.results.cells, along).values():
        for stretch in _stretches([rankings[cell] for cell in cells if cell in rankings]):
            load, measure = _load(stretch[0].cell, stretch[-1].cell, along), stretch[0].measure
            if stretch[0].undecided:
                values = [value for ranking in stretch for value in ranking.medians.values()]
                yield f"{load}: none is measurably better than another ({_span(values, measure)})"
                continue
            names = [name for name in stretch[0].best_group if all(name in each.best_group for each in stretch)]
            yield f"{load}: {_any_of(names)}, {_span([each.medians[names[0]] for each in stretch], measure)}"


def _stretches(rankings: Sequence[Ranking]) -> list[list[Ranking]]:
    """Split successive rankings into stretches, each with a contestant among the best throughout."""
    stretches: list[list[Ranking]] = []
    common: set[str] = set()
    for ranking in rankings:
        last = stretches[-1][0] if stretches else None
        alike = last and last.measure is ranking.measure and last.undecided is ranking.undecided
        if alike and common & set(ranking.best_group):
            common &= set(ranking.best_group)
            stretches[-1].append(ranking)
        else:
            common = set(ranking.best_group)
            stretches.append([ranking])
    return stretches


def _load(first: Cell, last: Cell, along: str | None) -> str:
    """Describe a range of cells."""
    if along is None or first == last:
        return describe(first)
    words = WORDS[along]
    return f"{describe(first, along)}, {words(getattr(first, along))} to {words(getattr(last, along))}"


def _any_of(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _span(values: Sequence[float], measure: Measure) -> str:
    """Format the range of values to three digits, with their unit."""
    show = _show_number if measure.more_is_better else show_time
    return f"{'–'.join(dict.fromkeys((show(min(values)), show(max(values)))))} {measure.name}"


def _show_number(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.0f}"


def _costs(figures: Figures, rankings: Mapping[Cell, Ranking]) -> Iterator[str]:
    """
    Yield for each contestant its share of the best, in its best and in its worst load.

    The cautions report failures.
    """
    names = labels(figures.results.cells)
    lines = []
    for name in (each.name for each in figures.results.contestants):
        shares = {cell: ranking.share(name) for cell, ranking in rankings.items() if name in ranking.medians}
        void = [each for cell in figures.results.cells if (each := figures.at(name, cell)).void]
        failed = any(each.verdict.kind is Kind.FAILED for each in void)
        lacks = [each for each in void if each.verdict.kind is Kind.NOT_POSSIBLE or not failed]
        parts = [*_shares(shares, names), *(_lack(each, names) for each in lacks[:1])]
        if parts:
            lines.append((bool(void), -min(shares.values(), default=0.0), f"{name}: {'; '.join(parts)}"))
    for _, _, line in sorted(lines):
        yield line


def _shares(shares: Mapping[Cell, float], names: Mapping[Cell, str]) -> Iterator[str]:
    if not shares:
        return
    best, worst = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
    most, least = round(100 * shares[best]), round(100 * shares[worst])
    if most - least < MAX_UNNAMED_SPREAD:
        yield f"{'–'.join(dict.fromkeys((str(least), str(most))))} % of the best"
    else:
        yield f"{most} % of the best ({names[best]}), but {least} % ({names[worst]})"


def _lack(figure: Figure, names: Mapping[Cell, str]) -> str:
    verdict = figure.verdict
    return f"{verdict.kind.value} ({names[figure.cell]}){f': {verdict.why}' if verdict.why else ''}"


def _cautions(figures: Figures) -> Iterator[str]:
    """Yield reasons for caution with the figures."""
    results, names = figures.results, labels(figures.results.cells)
    if results.partial:
        yield "the run was interrupted; this is what was measured until then"
    rounds = min(results.rounds, len({sample.round for sample in results.samples}))
    if rounds < MIN_ROUNDS:
        those = counted(rounds, "round is", "rounds are")
        yield f"{those} too few for a verdict: it takes {MIN_ROUNDS}"
    for each in figures:
        if each.verdict.kind is Kind.FAILED:
            yield f"{each.contestant.name} failed ({names[each.cell]}): {each.verdict.why}"
    kinds = Counter(each.verdict.kind for each in figures)
    places = counted(kinds.total(), "place")
    if bound := kinds[Kind.CLIENT_BOUND]:
        yield (
            f"client-bound in {bound} of {places}: there, the generator was the limit, so CPU "
            "time per echo is compared, not echoes per second"
        )
    if noisy := kinds[Kind.NOISY]:
        yield (
            f"noisy in {noisy} of {places}: the rounds differ too much for a verdict; repeat with "
            "more --rounds, or on an idle machine"
        )
