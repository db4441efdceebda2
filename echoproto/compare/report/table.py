"""
A comparison at the terminal: a table for each cell, and what is to be said of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from echoproto.compare.analysis.measures import late_us, measure_of, memory_per_connection, middle
from echoproto.compare.analysis.regression import Change
from echoproto.compare.analysis.verdict import WITHOUT_FIGURES, Kind, Verdict
from echoproto.compare.report.advice import Advice
from echoproto.compare.report.words import describe
from echoproto.compare.results import Cell, Results, Sample
from echoproto.errors import one_line
from echoproto.terminal import Column, Row, print_table
from echoproto.units import counted, show_time

INDENT = 2
"""Columns that everything below a headline is moved to the right."""

TITLES = ("echoes/s", "p50", "p99", "CPU/echo", "memory/conn.")
"""Of the columns with figures, as `figures` gives them."""

KIB = 1024

STYLES = {
    Kind.FAILED: "bold red",
    Kind.NOT_POSSIBLE: "dim",
    Kind.NOT_MEASURED: "dim",
    Kind.CLIENT_BOUND: "yellow",
    Kind.NOISY: "yellow",
}
"""Of verdicts; those that are a difference are green or red by what it is."""


def print_results(console: Console, results: Results, said: Sequence[Verdict], advice: Sequence[Advice]) -> None:
    """Print all of it; whatever others have written is text, and nothing else."""
    console.print(Text(headline(results), style="bold"), soft_wrap=True)
    for cell in results.cells:
        console.print()
        console.print(Text(describe(cell), style="bold"), soft_wrap=True)
        _print_cell(console, results, cell, [verdict for verdict in said if verdict.cell == cell])
    for each in advice:
        console.print()
        console.print(Text(each.title, style="bold"))
        for line in each.lines:
            _print(console, Text(one_line(line)))


def print_changes(console: Console, changes: Sequence[Change]) -> None:
    """Print what has become of each contestant since an earlier run."""
    console.print()
    console.print(Text(changes_headline(changes), style="bold"))
    rows: list[Row] = []
    for change in changes:
        style = "bold red" if change.regression else "green" if change.better else ""
        rows.append([change.contestant, describe(change.cell), Text(one_line(str(change)), style=style)])
    columns = [Column(""), Column("load", wraps=True), Column("since then", wraps=True)]
    print_table(console, columns, rows, indent=INDENT)


def changes_headline(changes: Sequence[Change]) -> str:
    """How many have become worse by more than is tolerated, in one line."""
    worse = sum(change.regression for change in changes)
    if not changes:
        return "nothing that both runs have measured is to be judged"
    return f"since the earlier run: {worse} of {len(changes)} worse than is tolerated"


def headline(results: Results) -> str:
    """What this is, in one line."""
    partial = " (partial)" if results.partial else ""
    what = f"comparison{f' {results.preset!r}' if results.preset else ''}{partial}"
    rounds = f"{counted(results.rounds, 'round')} of {results.duration:.3g} s"
    done = f"{counted(len(results.contestants), 'contestant')}, {rounds}"
    return one_line(f"{what}: {done}, baseline {results.baseline}, seed {results.seed}")


def _print(console: Console, text: Text) -> None:
    console.print(Padding(text, (0, 0, 0, INDENT), expand=False))


def _print_cell(console: Console, results: Results, cell: Cell, said: Sequence[Verdict]) -> None:
    """The best one first, those without figures last."""
    rows = [(verdict, results.of(verdict.contestant, cell)) for verdict in said]
    measure = measure_of(cell)

    def order(row: tuple[Verdict, tuple[Sample, ...]]) -> float:
        value = middle(row[1], measure.of)
        if value is None or row[0].kind in WITHOUT_FIGURES:
            return float("inf")
        return -value if measure.more_is_better else value

    lines: list[Row] = []
    for verdict, samples in sorted(rows, key=order):
        cells = [""] * len(TITLES) if verdict.kind in WITHOUT_FIGURES else figures(samples)
        lines.append([verdict.contestant, *cells, Text(one_line(str(verdict)), style=_style(verdict))])
    last = Column(f"beside {results.baseline}", wraps=True)
    print_table(console, [Column(""), *(Column(title, right=True) for title in TITLES), last], lines, indent=INDENT)


def _style(verdict: Verdict) -> str:
    if verdict.kind is Kind.DIFFERENT:
        return "green" if verdict.better else "red"
    return STYLES.get(verdict.kind, "")


def figures(samples: tuple[Sample, ...]) -> list[str]:
    """The medians over all rounds, as they are shown."""
    echoes = middle(samples, lambda sample: sample.echoes_per_second)
    cpu = middle(samples, lambda sample: sample.server_cpu_us)
    memory = middle(samples, memory_per_connection)
    times = [middle(samples, lambda sample, name=name: late_us(sample, name)) for name in ("p50", "p99")]  # type: ignore[misc]
    return [
        "" if echoes is None else f"{echoes:,.0f}",
        *("" if time is None else show_time(time) for time in times),
        "" if cpu is None else show_time(cpu),
        "" if memory is None else show_memory(memory),
    ]


def show_memory(size: float) -> str:
    """Bytes as KiB or MiB, to two digits or so."""
    kib = size / KIB
    if kib >= KIB:
        return f"{kib / KIB:.1f} MiB"
    return f"{kib:.0f} KiB" if kib >= 10 else f"{kib:.1f} KiB"  # noqa: PLR2004
