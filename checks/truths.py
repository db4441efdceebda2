"""
Check that a comparison finds known facts of the field: ``python -m checks.truths RESULTS.json...``.

Reads results of ``echoproto compare``: of the preset ``c10k``, or of any plan with the contestants and loads that are
named below. Each of several files is checked. The exit status is 1 if one of the facts is not found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

from attrs import evolve, frozen

from echoproto.compare.analysis.figures import Figures, judge
from echoproto.compare.analysis.measures import CPU, THROUGHPUT, pairs
from echoproto.compare.analysis.statistics import Ratio, paired_ratio
from echoproto.compare.analysis.verdict import Kind, show_ratio
from echoproto.compare.report.write import read_file
from echoproto.compare.results import Cell
from echoproto.errors import ConfigurationError

MANY_IDLE = 10_000
"""Number of idle connections."""

POLL_FALL = 5.0
"""Minimum slowdown of poll with many idle connections, as a factor."""

EPOLL_FALL = 0.10
"""Maximum slowdown of epoll with them, as a share."""


@frozen
class Found:
    """The verdict of the results on a fact, and the figures for it."""

    holds: bool
    figures: str


def over_idle(figures: Figures, name: str) -> Ratio | None:
    """Return the throughput of a contestant with many idle connections, as a multiple of that without."""
    results = figures.results
    few = next((cell for cell in usual(figures) if evolve(cell, idle=MANY_IDLE) in results.cells), None)
    if few is None:
        return None
    found = pairs(results.of(name, evolve(few, idle=MANY_IDLE)), results.of(name, few), THROUGHPUT)
    return paired_ratio(found, results.seed) if found else None


def beats(figures: Figures, one: str, other: str) -> Found | None:
    """Check if one is better under the first load, by CPU time if the generator was the bottleneck."""
    cell = next(usual(figures), None)
    ours, theirs = (None if cell is None else figures.rows.get((name, cell)) for name in (one, other))
    if ours is None or ours.void or theirs is None or theirs.void:
        return None
    measure = CPU if ours.client_bound or theirs.client_bound else THROUGHPUT
    if not (found := pairs(ours.samples, theirs.samples, measure)):
        return None
    ratio = paired_ratio(found, figures.results.seed)
    better = ratio.low > 1 if measure.more_is_better else ratio.high < 1
    return Found(better, show_ratio(ratio, measure))


def usual(figures: Figures) -> Iterator[Cell]:
    """Yield the plain loads: TCP, no idle connections, no rate, no churn."""
    return (cell for cell in figures.results.cells if cell == Cell(cell.connections, cell.size_bytes))


def poll_falls(figures: Figures) -> Found | None:
    ratio = over_idle(figures, "twisted-poll") or over_idle(figures, "echo-poll-buffered")
    return None if ratio is None else Found(ratio.value <= 1 / POLL_FALL, show_ratio(ratio, THROUGHPUT))


def epoll_stays(figures: Figures) -> Found | None:
    ratio = over_idle(figures, "twisted-epoll") or over_idle(figures, "echo-epoll-buffered")
    return None if ratio is None else Found(ratio.value > 1 - EPOLL_FALL, show_ratio(ratio, THROUGHPUT))


def select_can_not(figures: Figures) -> Found | None:
    for each in figures:
        if each.cell.idle >= MANY_IDLE and each.contestant.name in {"twisted-select", "echo-select"}:
            kind = each.verdict.kind
            if each.void and kind is not Kind.NOT_MEASURED:
                return Found(kind is Kind.NOT_POSSIBLE, str(each.verdict))
    return None


def ours_beats_stock(figures: Figures) -> Found | None:
    return beats(figures, "echo-epoll", "echo-epoll-buffered") or beats(figures, "echo-epoll", "twisted-epoll")


def asyncio_is_ahead(figures: Figures) -> Found | None:
    return beats(figures, "asyncio-protocol", "twisted-epoll")


TRUTHS: dict[str, Callable[[Figures], Found | None]] = {
    f"with stock writes, poll falls by {POLL_FALL:g} × and more from 0 to {MANY_IDLE:,} idle connections": poll_falls,
    f"and epoll by less than {EPOLL_FALL:.0%}": epoll_stays,
    f"select can't hold {MANY_IDLE:,} connections": select_can_not,
    "our transport beats stock writes": ours_beats_stock,
    "stock Twisted on epoll is behind asyncio": asyncio_is_ahead,
}


def lines(runs: Sequence[Figures]) -> Iterator[tuple[bool, str]]:
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
        told = list(lines([judge(read_file(path)) for path in sys.argv[1:]]))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(*(line for _, line in told), sep="\n")
    return 0 if all(holds for holds, _ in told) else 1


if __name__ == "__main__":
    sys.exit(main())
