"""
What a reader can do about it: which to choose for which load, and what it costs to choose another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

from echoproto.compare.cells import WORDS, axis, describe, panels, varying
from echoproto.compare.choice import Choice, choose
from echoproto.compare.measures import Measure
from echoproto.compare.results import Cell, Results
from echoproto.compare.verdict import WITHOUT_FIGURES, Kind, Verdict
from echoproto.load.units import show_time

ON_TWISTED = ("echoproto", "twisted")
"""Groups of contestants between which a switch chooses; others are other programs."""


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
    found.append(Advice("What it costs to choose another", tuple(_costs(results, all_of_them, said))))
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
            first, last = stretch[0], stretch[-1]
            names = [name for name in first.good if all(name in choice.good for choice in stretch)]
            load = _load(results, first.cell, last.cell, along)
            yield f"{load}: {_any_of(names)}, {_figures(first, last, names[0])}"


def _stretches(choices: Sequence[Choice]) -> list[list[Choice]]:
    """Choices that follow on each other, as long as somebody is among the best in all of them."""
    stretches: list[list[Choice]] = []
    common: set[str] = set()
    for choice in choices:
        if stretches and common & set(choice.good) and stretches[-1][0].measure is choice.measure:
            common &= set(choice.good)
            stretches[-1].append(choice)
        else:
            common = set(choice.good)
            stretches.append([choice])
    return stretches


def _load(results: Results, first: Cell, last: Cell, along: str | None) -> str:
    """The cells from one to another in words."""
    told = varying(results.cells)
    if along is None or first == last:
        return describe(first, told) if told else describe(first)
    rest = describe(first, [name for name in told if name != along])
    span = f"{WORDS[along](getattr(first, along))} to {WORDS[along](getattr(last, along))}"
    return ", ".join(filter(None, [rest, span]))


def _any_of(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _figures(first: Choice, last: Choice, name: str) -> str:
    begin, end = (show_figure(choice.middles[name], choice.measure) for choice in (first, last))
    return begin if begin == end else f"{begin} to {end}"


def show_figure(value: float, measure: Measure) -> str:
    """A value of a measure with its unit."""
    if measure.more_is_better:
        return f"{value:,.0f} {measure.name}"
    return f"{show_time(value)} {measure.name}"


def _costs(results: Results, choices: dict[Cell, Choice], said: Sequence[Verdict]) -> Iterator[str]:
    """Of each contestant, how much of the best it achieves, where it is nearest to it and where it is farthest."""
    told = varying(results.cells)
    lines = []
    for each in results.contestants:
        shares = {cell: choice.share(each.name) for cell, choice in choices.items() if each.name in choice.middles}
        without = [verdict for verdict in said if verdict.contestant == each.name and verdict.kind in WITHOUT_FIGURES]
        parts = [*_span(shares, told), *(_lack(verdict, told) for verdict in without[:1])]
        lines.append((min(shares.values(), default=0.0), f"{each.name}: {'; '.join(parts)}"))
    for _, line in sorted(lines, key=lambda line: -line[0]):
        yield line


def _span(shares: dict[Cell, float], told: Sequence[str]) -> Iterator[str]:
    if not shares:
        return
    best, worst = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
    most, least = f"{shares[best]:.0%}", f"{shares[worst]:.0%}"
    if most == least:
        yield f"{most} of the best"
    else:
        yield f"{most} of the best with {describe(best, told)}, {least} with {describe(worst, told)}"


def _lack(verdict: Verdict, told: Sequence[str]) -> str:
    place = f" with {describe(verdict.cell, told)}" if told else ""
    return f"{verdict.kind.value}{place}{f': {verdict.why}' if verdict.why else ''}"


def _cautions(results: Results, said: Sequence[Verdict]) -> Iterator[str]:
    """What a reader has to know before believing it."""
    if results.partial:
        yield "the run was interrupted; this is what was measured until then"
    for verdict in said:
        if verdict.kind is Kind.FAILED:
            yield f"{verdict.contestant} failed with {describe(verdict.cell)}: {verdict.why}"
    bound = sum(verdict.kind is Kind.CLIENT_BOUND for verdict in said)
    if bound:
        yield (
            f"client-bound in {bound} of {len(said)} places: there, the generator was the limit, so it is the "
            "processor time of an echo that is compared, not how many came back"
        )
    noisy = sum(verdict.kind is Kind.NOISY for verdict in said)
    if noisy:
        yield (
            f"noisy in {noisy} of {len(said)} places: the rounds differed too much to tell; more of them, or a "
            "machine that does nothing else, may help"
        )
