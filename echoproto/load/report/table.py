"""
The report of a load as a table for a person.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from echoproto.errors import one_line
from echoproto.load.report.document import Report
from echoproto.load.search import Found
from echoproto.load.summary import Times
from echoproto.load.verdict import LoadVerdict
from echoproto.terminal import Column, print_table
from echoproto.units import counted, show_size, show_time

STYLES = {LoadVerdict.GOOD: "bold green", LoadVerdict.CLIENT_LIMIT: "bold yellow"}
"""Styles of verdicts; all others are red."""

INDENT = 2
"""Indentation of all lines below the headline, in columns."""


def print_report(console: Console, report: Report) -> None:
    """Print the whole report; data from a peer is printed as plain text."""
    console.print(_headline(report), soft_wrap=True)
    _print(console, Text(what_was_done(report), style="dim"))
    console.print()
    if any(measured(report)):
        _print_times(console, report)
        console.print()
    _print(console, _facts(report))
    if report.found is not None:
        console.print()
        _print_steps(console, report.found)
    for note in report.summary.notes:
        _print(console, Text(f"! {one_line(note)}", style="yellow"))


def _print(console: Console, part: RenderableType) -> None:
    console.print(Padding(part, (0, 0, 0, INDENT), expand=False))


def headline(report: Report) -> str:
    """Return the verdict, the target and the main result in one line."""
    found = report.found
    if found is not None and found.rate is None:
        rate = f"no rate was found that holds {found.aim.text}"
    elif found is not None and found.rate is not None:
        rate = f"{'at least ' if found.client_bound else ''}{found.rate:,.0f} echoes/s hold {found.aim.text}"
    elif report.summary.brief:
        rate = f"{counted(report.outcome.messages, 'echo', 'echoes')} in {show_time(report.outcome.elapsed * 1e6)}"
    else:
        rate = f"{report.summary.echoes_per_second:,.0f} echoes/s"
    partial = " (partial)" if report.outcome.interrupted else ""
    return f"{report.summary.verdict}{partial}: {one_line(str(report.workload.target))}, {rate}"


def _headline(report: Report) -> Text:
    verdict, rest = headline(report).split(":", 1)
    style = STYLES.get(report.summary.verdict, "bold red")
    return Text.assemble((verdict, style), ":", (rest, "bold"))


def what_was_done(report: Report) -> str:
    """Return the work of the run in one line."""
    workload, outcome = report.workload, report.outcome
    echoes = counted(outcome.messages if workload.count is None else workload.count, "echo", "echoes")
    if workload.count is not None:
        echoes = f"{outcome.messages:,} of {echoes}"
    sizes = {workload.smallest: None, workload.largest: None}
    done = [
        f"{echoes} of {' to '.join(map(show_size, sizes))} in {outcome.elapsed:.3g} s",
        counted(workload.connections, "connection"),
        *([counted(workload.idle, "idle one")] if workload.idle else []),
        *([f"{workload.rate:,.6g}/s, {workload.arrivals.value}"] if workload.rate is not None else []),
        *([f"window {workload.window}"] if workload.window > 1 else []),
        *([f"churn {workload.churn.value}"] if workload.churn else []),
        *(["half-close"] if workload.half_close else []),
        *([f"{workload.processes} processes"] if workload.processes > 1 else []),
        f"seed {workload.seed}",
    ]
    return ", ".join(done)


def measured(report: Report) -> Iterator[tuple[str, Times]]:
    """Yield the measured times, by name."""
    summary = report.summary
    for name, times in (
        ("service time", summary.service_time),
        ("response time", summary.response_time),
        ("connect", summary.connect_time),
        ("first byte", summary.first_byte_time),
        ("sent late by", summary.lag),
    ):
        if times is not None:
            yield name, times


def _print_times(console: Console, report: Report) -> None:
    """Print a row for each kind of time, with a column for each percentile."""
    all_times = list(measured(report))
    columns = [Column(""), *(Column(name, right=True) for name in all_times[0][1].percentiles)]
    rows = [(name, *map(show_time, times.percentiles.values())) for name, times in all_times]
    print_table(console, columns, rows, indent=INDENT)


def facts(report: Report) -> Iterator[tuple[str, str, bool]]:
    """Yield further facts: name, value, and true for a bad one; harm and errors only if there are any."""
    workload, outcome, summary = report.workload, report.outcome, report.summary
    parts = [(name, getattr(outcome, name)) for name in ("acked", "lost", "unknown")]
    rest = "".join(f", {number:,} {name}" for name, number in parts if number or name == "lost")
    yield "bytes", f"{outcome.sent:,} sent{rest}", False
    if outcome.warmup_messages:
        warmup = show_time(workload.warmup * 1e6)
        more = counted(outcome.warmup_messages, "more echo", "more echoes")
        yield "warm-up", f"{more} in {warmup}, checked, and in bytes only", False
    for name, counter in (
        ("harm", outcome.findings),
        ("errors", outcome.errors),
        ("reasons", outcome.reasons),
        ("own limits", outcome.own_limits),
    ):
        if +counter:
            counts = ", ".join(f"{what} {counted(count, 'time')}" for what, count in (+counter).most_common())
            yield name, one_line(counts), True
    for number, finding in enumerate(outcome.first_findings):
        yield "" if number else "first of it", one_line(finding), True
    each = " for each process" if workload.processes > 1 else ""
    if not summary.brief:
        yield "generator", f"{summary.client_cpu_share:.0%} of a core{each}", False
    if summary.server_cpu_us_per_echo is not None:
        yield "server", f"{show_time(summary.server_cpu_us_per_echo)} of CPU time per echo", False


def _facts(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column("", style="dim", no_wrap=True)
    table.add_column("", overflow="fold")
    for name, words, bad in facts(report):
        table.add_row(name, Text(words, style="red" if bad else ""))
    return table


def _print_steps(console: Console, found: Found) -> None:
    """Print the steps of a search."""
    columns = [Column("rate", right=True), Column(found.aim.text, right=True), Column("")]
    rows = [
        [f"{step.rate:,.0f}/s", "" if step.time is None else show_time(step.time), step.result.value]
        for step in found.steps
    ]
    print_table(console, columns, rows, indent=INDENT)
