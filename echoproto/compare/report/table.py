"""
The report of a comparison at the terminal: a table per cell, the advice, and the changes since an earlier run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from echoproto.compare.analysis.figures import Figure, Figures
from echoproto.compare.analysis.measures import MEASURES, measure_of
from echoproto.compare.analysis.regression import Change
from echoproto.compare.analysis.verdict import Kind, Verdict
from echoproto.compare.report.advice import Advice
from echoproto.compare.report.words import describe
from echoproto.compare.results import Cell, Results
from echoproto.errors import one_line
from echoproto.terminal import Column, Row, print_table
from echoproto.units import counted

INDENT = 2
"""Columns of indentation below a headline."""

TITLES = ("echoes/s", "p50", "p99", "CPU/echo", "memory/conn.")
"""Titles of the figure columns, in the order of `MEASURES`."""

STYLES = {
    Kind.FAILED: "bold red",
    Kind.NOT_POSSIBLE: "dim",
    Kind.NOT_MEASURED: "dim",
    Kind.CLIENT_BOUND: "yellow",
    Kind.NOISY: "yellow",
}
"""Styles of verdicts; a difference is green or red by its direction."""


def print_results(console: Console, figures: Figures, advice: Sequence[Advice]) -> None:
    """Print tables and advice; foreign text is printed without markup."""
    console.print(Text(headline(figures.results), style="bold"), soft_wrap=True)
    for cell in figures.results.cells:
        console.print()
        console.print(Text(describe(cell), style="bold"), soft_wrap=True)
        _print_cell(console, figures, cell)
    for each in advice:
        console.print()
        console.print(Text(each.title, style="bold"))
        for line in each.lines:
            _print(console, Text(one_line(line)))


def print_changes(console: Console, changes: Sequence[Change]) -> None:
    """Print the change of each contestant since an earlier run."""
    console.print()
    console.print(Text(changes_headline(changes), style="bold"))
    rows: list[Row] = []
    for change in changes:
        style = "bold red" if change.regression else "green" if change.better else ""
        rows.append([change.contestant, describe(change.cell), Text(one_line(str(change)), style=style)])
    columns = [Column(""), Column("load", wraps=True), Column("since then", wraps=True)]
    print_table(console, columns, rows, indent=INDENT)


def changes_headline(changes: Sequence[Change]) -> str:
    """Return the number of regressions beyond the tolerance, as one line."""
    worse = sum(change.regression for change in changes)
    if not changes:
        return "nothing that both runs have measured is to be judged"
    return f"since the earlier run: {worse} of {len(changes)} worse than is tolerated"


def headline(results: Results) -> str:
    """Describe the comparison in one line."""
    partial = " (partial)" if results.partial else ""
    what = f"comparison{f' {results.preset!r}' if results.preset else ''}{partial}"
    rounds = f"{counted(results.rounds, 'round')} of {results.duration_seconds:.3g} s"
    done = f"{counted(len(results.contestants), 'contestant')}, {rounds}"
    return one_line(f"{what}: {done}, baseline {results.baseline}, seed {results.seed}")


def _print(console: Console, text: Text) -> None:
    console.print(Padding(text, (0, 0, 0, INDENT), expand=False))


def _print_cell(console: Console, figures: Figures, cell: Cell) -> None:
    """Print the table of a cell: the best contestant first, those without figures last."""
    measure = measure_of(cell)

    def order(figure: Figure) -> float:
        value = figure.median(measure)
        return math.inf if value is None else -value if measure.more_is_better else value

    lines: list[Row] = [
        [each.contestant.name, *medians(each), Text(one_line(str(each.verdict)), style=_style(each.verdict))]
        for each in sorted(figures.under(cell), key=order)
    ]
    last = Column(f"beside {figures.results.baseline}", wraps=True)
    print_table(console, [Column(""), *(Column(title, right=True) for title in TITLES), last], lines, indent=INDENT)


def _style(verdict: Verdict) -> str:
    if verdict.kind is Kind.DIFFERENT:
        return "green" if verdict.better else "red"
    return STYLES.get(verdict.kind, "")


def medians(figure: Figure) -> list[str]:
    """Format the medians over all rounds, in the order of `TITLES`; unknown ones are empty."""
    found = [(measure, figure.median(measure)) for measure in MEASURES]
    return ["" if value is None else measure.show(value) for measure, value in found]
