"""
What a reader can do about it: which to choose for which load, and what it costs to choose another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

from echoproto.compare.analysis.measures import Measure
from echoproto.compare.analysis.ranking import Choice, choose
from echoproto.compare.analysis.statistics import LEAST_ROUNDS
from echoproto.compare.analysis.verdict import WITHOUT_FIGURES, Kind, Verdict
from echoproto.compare.report.words import WORDS, axis, describe, labels, panels
from echoproto.compare.results import Cell, Results
from echoproto.units import counted, show_time

ON_TWISTED = ("echoproto", "twisted")
"""Groups of contestants between which a switch chooses; others are other programs."""

NEAR = 5
"""% by which what a contestant achieves may differ between loads, before it is told which."""


@frozen
class Advice:
    """
    A few lines under one heading.

    :ivar title: what they are about.
    """

    title: str
    lines: tuple[str, ...]


def advise(results: Results, said: Sequence[Verdict]) -> tuple[Advice, ...]:
    """
    All that is to be said in words.

    :param said: the verdicts of these results.
    """
    groups = {each.name: each.group for each in results.contestants}
    on_twisted = [name for name, group in groups.items() if group in ON_TWISTED]
    all_of_them = _choices(results, groups)
    found = [Advice("Which to choose", tuple(_which(results, all_of_them)))]
    if 0 < len(on_twisted) < len(groups):
        found.append(Advice("Which of those on Twisted", tuple(_which(results, _choices(results, on_twisted)))))
    told = {cell: choice for cell, choice in all_of_them.items() if not choice.undecided}
    found.append(Advice("What it costs to choose another", tuple(_costs(results, told, said))))
    found.append(Advice("What to bear in mind", tuple(_cautions(results, said))))
    return tuple(each for each in found if each.lines)


def _choices(results: Results, names: Iterable[str]) -> dict[Cell, Choice]:
    names = list(names)
    found = {cell: choose(results, cell, names) for cell in results.cells}
    return {cell: choice for cell, choice in found.items() if choice is not None}


def _which(results: Results, choices: dict[Cell, Choice]) -> Iterator[str]:
    """For each stretch of cells in which the same ones are best, who they are."""
    along = axis(results.cells)
    for cells in panels(results.cells, along).values():
        for stretch in _stretches([choices[cell] for cell in cells if cell in choices]):
            load, measure = _load(stretch[0].cell, stretch[-1].cell, along), stretch[0].measure
            if stretch[0].undecided:
                values = [value for choice in stretch for value in choice.middles.values()]
                yield f"{load}: any; no difference can be told ({_span(values, measure)})"
                continue
            names = [name for name in stretch[0].good if all(name in choice.good for choice in stretch)]
            yield f"{load}: {_any_of(names)}, {_span([choice.middles[names[0]] for choice in stretch], measure)}"


def _stretches(choices: Sequence[Choice]) -> list[list[Choice]]:
    """Choices that follow on each other, as long as somebody is among the best in all of them."""
    stretches: list[list[Choice]] = []
    common: set[str] = set()
    for choice in choices:
        last = stretches[-1][0] if stretches else None
        alike = last and last.measure is choice.measure and last.undecided is choice.undecided
        if alike and common & set(choice.good):
            common &= set(choice.good)
            stretches[-1].append(choice)
        else:
            common = set(choice.good)
            stretches.append([choice])
    return stretches


def _load(first: Cell, last: Cell, along: str | None) -> str:
    """The cells from one to another in words."""
    if along is None or first == last:
        return describe(first)
    words = WORDS[along]
    return f"{describe(first, along)}, {words(getattr(first, along))} to {words(getattr(last, along))}"


def _any_of(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _span(values: Sequence[float], measure: Measure) -> str:
    """The smallest and the largest of some values, to three digits, with their unit."""
    show = _show_number if measure.more_is_better else show_time
    return f"{'–'.join(dict.fromkeys((show(min(values)), show(max(values)))))} {measure.name}"


def _show_number(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.0f}"


def _costs(results: Results, choices: dict[Cell, Choice], said: Sequence[Verdict]) -> Iterator[str]:
    """
    Of each contestant, how much of the best it achieves, where it is nearest to it and where it is farthest.

    That it has failed is said among the cautions, and not here, too.
    """
    names = labels(results.cells)
    lines = []
    for each in results.contestants:
        shares = {cell: choice.share(each.name) for cell, choice in choices.items() if each.name in choice.middles}
        without = [verdict for verdict in said if verdict.contestant == each.name and verdict.kind in WITHOUT_FIGURES]
        failed = any(verdict.kind is Kind.FAILED for verdict in without)
        lacks = [verdict for verdict in without if verdict.kind is Kind.NOT_POSSIBLE or not failed]
        parts = [*_shares(shares, names), *(_lack(verdict, names) for verdict in lacks[:1])]
        if parts:
            lines.append((bool(without), -min(shares.values(), default=0.0), f"{each.name}: {'; '.join(parts)}"))
    for _, _, line in sorted(lines):
        yield line


def _shares(shares: dict[Cell, float], names: dict[Cell, str]) -> Iterator[str]:
    if not shares:
        return
    best, worst = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
    most, least = round(100 * shares[best]), round(100 * shares[worst])
    if most - least < NEAR:
        yield f"{'–'.join(dict.fromkeys((str(least), str(most))))} % of the best"
    else:
        yield f"{most} % of the best ({names[best]}), but {least} % ({names[worst]})"


def _lack(verdict: Verdict, names: dict[Cell, str]) -> str:
    return f"{verdict.kind.value} ({names[verdict.cell]}){f': {verdict.why}' if verdict.why else ''}"


def _cautions(results: Results, said: Sequence[Verdict]) -> Iterator[str]:
    """What a reader has to know before believing it."""
    names = labels(results.cells)
    if results.partial:
        yield "the run was interrupted; this is what was measured until then"
    rounds = min(results.rounds, len({sample.round for sample in results.samples}))
    if rounds < LEAST_ROUNDS:
        those = counted(rounds, "round is", "rounds are")
        yield f"{those} too few to tell how sure a ratio is: it takes {LEAST_ROUNDS}"
    for verdict in said:
        if verdict.kind is Kind.FAILED:
            yield f"{verdict.contestant} failed ({names[verdict.cell]}): {verdict.why}"
    places = counted(len(said), "place")
    bound = sum(verdict.kind is Kind.CLIENT_BOUND for verdict in said)
    if bound:
        yield (
            f"client-bound in {bound} of {places}: there, the generator was the limit, so it is the "
            "processor time of an echo that is compared, not how many came back"
        )
    noisy = sum(verdict.kind is Kind.NOISY for verdict in said)
    if noisy:
        yield (
            f"noisy in {noisy} of {places}: the rounds differed too much to tell; more of them, or a "
            "machine that does nothing else, may help"
        )
