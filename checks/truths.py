"""
What is known of the field, and a comparison has to find by itself: ``python -m checks.truths RESULTS.json...``.

Takes results of ``echoproto compare``: of the preset ``c10k``, or of any plan with the contestants and loads that are
named below; of several files, each is looked into. Exits with 1 if one of the truths is not found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

from attrs import evolve, frozen

from echoproto.compare.analysis.measures import CPU, THROUGHPUT
from echoproto.compare.analysis.statistics import Ratio, paired_ratio
from echoproto.compare.analysis.verdict import Kind, client_bound, show_ratio, without_figures
from echoproto.compare.report.write import read_file
from echoproto.compare.results import Cell, Results
from echoproto.errors import ConfigurationError

MANY = 10_000
"""Idle connections."""

FALL = 5.0
"""How many times slower poll is with so many."""

EPOLL_LOSS = 0.10
"""Share that epoll may lose by them."""


@frozen
class Found:
    """What the results say of a truth: whether it is found, and by which figures."""

    holds: bool
    figures: str


def over_idle(results: Results, name: str) -> Ratio | None:
    """What a contestant makes with many idle connections, as a multiple of what it makes with none, all else alike."""
    none_idle = next((cell for cell in usual(results) if evolve(cell, idle=MANY) in results.cells), None)
    if none_idle is None:
        return None
    few = {sample.round: sample.echoes_per_second for sample in results.of(name, none_idle)}
    many = {sample.round: sample.echoes_per_second for sample in results.of(name, evolve(none_idle, idle=MANY))}
    pairs = [(many[number], few[number]) for number in many if few.get(number) and many[number]]
    return paired_ratio(tuple(pairs), results.seed) if pairs else None


def beats(results: Results, one: str, other: str) -> Found | None:
    """Whether one is better than another under the first load, by processor time if the generator was the limit."""
    cell = next(usual(results), None)
    if cell is None:
        return None
    samples, others = results.of(one, cell), results.of(other, cell)
    if without_figures(samples) or without_figures(others):
        return None
    measure = CPU if client_bound(samples) or client_bound(others) else THROUGHPUT
    theirs = {sample.round: measure.of(sample) for sample in others}
    pairs = [
        (value, base) for sample in samples if (value := measure.of(sample)) and (base := theirs.get(sample.round))
    ]
    if not pairs:
        return None
    ratio = paired_ratio(tuple(pairs), results.seed)
    better = ratio.low > 1 if measure.more_is_better else ratio.high < 1
    return Found(better, show_ratio(ratio, measure))


def usual(results: Results) -> Iterator[Cell]:
    """The loads with nothing special about them: TCP, nobody idle, no rate, no churn."""
    return (cell for cell in results.cells if cell == Cell(cell.connections, cell.size))


def poll_falls(results: Results) -> Found | None:
    ratio = over_idle(results, "twisted-poll") or over_idle(results, "echo-poll-buffered")
    return None if ratio is None else Found(ratio.value <= 1 / FALL, show_ratio(ratio, THROUGHPUT))


def epoll_stays(results: Results) -> Found | None:
    ratio = over_idle(results, "twisted-epoll") or over_idle(results, "echo-epoll-buffered")
    return None if ratio is None else Found(ratio.value > 1 - EPOLL_LOSS, show_ratio(ratio, THROUGHPUT))


def select_can_not(results: Results) -> Found | None:
    for cell in results.cells:
        for name in ("twisted-select", "echo-select"):
            wrong = without_figures(results.of(name, cell))
            if cell.idle >= MANY and wrong is not None and wrong[0] is not Kind.NOT_MEASURED:
                return Found(wrong[0] is Kind.NOT_POSSIBLE, f"{wrong[0].value}, because {wrong[1]}")
    return None


def ours_beats_stock(results: Results) -> Found | None:
    return beats(results, "echo-epoll", "echo-epoll-buffered") or beats(results, "echo-epoll", "twisted-epoll")


def asyncio_is_ahead(results: Results) -> Found | None:
    return beats(results, "asyncio-protocol", "twisted-epoll")


TRUTHS: dict[str, Callable[[Results], Found | None]] = {
    f"with stock writes, poll falls by {FALL:g} × and more from 0 to {MANY:,} idle connections": poll_falls,
    f"and epoll by less than {EPOLL_LOSS:.0%}": epoll_stays,
    f"select can't hold {MANY:,} connections": select_can_not,
    "our transport beats stock writes": ours_beats_stock,
    "stock Twisted on epoll is behind asyncio": asyncio_is_ahead,
}


def lines(runs: Sequence[Results]) -> Iterator[tuple[bool, str]]:
    """Of each truth, whether it is found in all runs that can tell, and there are such; and how it is told."""
    for text, look in TRUTHS.items():
        found = [each for run in runs if (each := look(run)) is not None]
        holds = bool(found) and all(each.holds for each in found)
        figures = "; ".join(each.figures for each in found) or "these results can't tell"
        yield holds, f"{'found' if holds else 'NOT FOUND'}: {text}: {figures}"


def main() -> int:
    if len(sys.argv) == 1:
        print((__doc__ or "").strip())
        return 2
    try:
        told = list(lines([read_file(path) for path in sys.argv[1:]]))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(*(line for _, line in told), sep="\n")
    return 0 if all(holds for holds, _ in told) else 1


if __name__ == "__main__":
    sys.exit(main())
