"""
Pictures with a row for each contestant: what an echo costs, and what a connection does.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import altair as alt

from echoproto.compare.cells import axis, describe, panels
from echoproto.compare.charts import ROW, TEXT, WIDTH, Rows, color
from echoproto.compare.curves import two_cells
from echoproto.compare.measures import CPU, P99, THROUGHPUT, memory_per_connection
from echoproto.compare.results import Cell, Results, Sample
from echoproto.compare.table import show_memory
from echoproto.compare.verdict import without_figures
from echoproto.load.units import show_time

CALL_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
"""Of the most frequent system calls, by Okabe and Ito; all others are grey."""

OTHERS = "others"

LEAST_CALLS = 0.05
"""Calls for each echo below which one is among the others."""

SPREAD = 20
"""Times that the largest may be the smallest, before an axis is logarithmic."""


def _rows(results: Results, cell: Cell, of: Callable[[Sample], float | None], show: Callable[[float], str]) -> Rows:
    """The median of each contestant that has figures in a cell, the smallest first."""
    rows: Rows = []
    for contestant in results.contestants:
        samples = results.of(contestant.name, cell)
        values = [value for sample in samples if (value := of(sample)) is not None]
        if values and without_figures(samples) is None:
            low, high = min(values), max(values)
            rows.append(
                {
                    "contestant": contestant.name,
                    "group": contestant.group,
                    "value": median(values),
                    "low": low,
                    "high": high,
                    "text": show(median(values)),
                    "rounds": f"{show(low)} to {show(high)}",
                }
            )
    return sorted(rows, key=lambda row: row["value"])


def _order(rows: Rows) -> list[str]:
    return [row["contestant"] for row in rows]


def throughput(results: Results) -> alt.TopLevelMixin | None:
    """Echoes a second in each cell, where the cells lie along no axis."""
    return _each_cell(results, THROUGHPUT.of, "echoes a second", lambda value: f"{value:,.0f}", more_is_better=True)


def p99(results: Results) -> alt.TopLevelMixin | None:
    """The same for the time that 99 of 100 echoes did not exceed."""
    return _each_cell(results, P99.of, "p99", show_time)


def _each_cell(
    results: Results,
    of: Callable[[Sample], float | None],
    title: str,
    show: Callable[[float], str],
    *,
    more_is_better: bool = False,
) -> alt.TopLevelMixin | None:
    if axis(results.cells) is not None:
        return None
    charts = []
    for name, (cell,) in panels(results.cells, None).items():
        rows = _rows(results, cell, of, show)
        if rows:
            best_first = rows[::-1] if more_is_better else rows
            charts.append(_bars(results, best_first, title).properties(title=name))
    return alt.vconcat(*charts) if charts else None


def _bars(results: Results, rows: Rows, title: str) -> alt.LayerChart:
    """A bar from zero for each contestant, with its value, and a mark from the smallest round to the largest."""
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=_contestants(rows),
        tooltip=["contestant:N", "text:N", "rounds:N"],
    )
    most = max(row["high"] for row in rows)
    x = alt.X(
        "value:Q",
        title=title,
        scale=alt.Scale(domain=[0, most * 1.2], nice=False),
        axis=alt.Axis(labels=False, ticks=False, grid=False),
    )
    bars = base.mark_bar(opacity=0.85).encode(x=x, color=color(results.contestants))
    ranges = base.mark_rule(color=TEXT).encode(x=alt.X("low:Q"), x2="high:Q")
    texts = base.mark_text(align="left", dx=6, fontSize=12, color=TEXT).encode(x=alt.X("high:Q"), text="text:N")
    return alt.LayerChart(layer=[bars, ranges, texts]).properties(width=WIDTH, height=alt.Step(ROW))


def _contestants(rows: Rows) -> alt.Y:
    return alt.Y("contestant:N", sort=_order(rows), title=None)


def cost(results: Results) -> alt.TopLevelMixin | None:
    """Processor time of an echo, and its system calls, in two cells; of either, as far as it is known."""
    charts: list[alt.LayerChart] = []
    for cell in two_cells(results):
        rows = _rows(results, cell, CPU.of, show_time)
        if rows:
            charts.append(_bars(results, rows, "processor time of an echo").properties(title=describe(cell)))
    counted = dict.fromkeys(calls.cell for calls in results.calls if calls.per_echo)
    charts += [_calls(results, cell) for cell in counted]
    return alt.vconcat(*charts).resolve_scale(color="independent") if charts else None


def _calls(results: Results, cell: Cell) -> alt.LayerChart:
    """How many system calls an echo takes, by name."""
    counted = {calls.contestant: calls.per_echo for calls in results.calls if calls.cell == cell and calls.per_echo}
    sums: dict[str, float] = {}
    for per_echo in counted.values():
        for name, count in per_echo.items():
            if count >= LEAST_CALLS:
                sums[name] = sums.get(name, 0.0) + count
    named = sorted(sums, key=lambda name: -sums[name])[: len(CALL_COLORS)]
    rows: Rows = []
    for contestant in sorted(counted, key=lambda name: sum(counted[name].values())):
        parts = {name: counted[contestant].get(name, 0.0) for name in named}
        parts[OTHERS] = sum(counted[contestant].values()) - sum(parts.values())
        total = sum(counted[contestant].values())
        end = 0.0
        for name, count in parts.items():
            begin, end = end, end + count
            rows.append(
                {
                    "contestant": contestant,
                    "call": name,
                    "begin": begin,
                    "end": end,
                    "total": total,
                    "text": f"{total:.2f}",
                    "for each echo": f"{count:.2f}",
                }
            )
    shown = [*named, OTHERS]
    colors = alt.Color(
        "call:N",
        scale=alt.Scale(domain=shown, range=[*CALL_COLORS[: len(named)], "#bbbbbb"]),
        legend=alt.Legend(columns=len(shown)),
    )
    order = list(dict.fromkeys(row["contestant"] for row in rows))
    base = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("contestant:N", sort=order, title=None))
    most = max(row["total"] for row in rows)
    x = alt.X(
        "begin:Q",
        title="system calls of an echo",
        scale=alt.Scale(domain=[0, most * 1.1], nice=False),
        axis=alt.Axis(tickMinStep=1),
    )
    bars = base.mark_bar().encode(x=x, x2="end:Q", color=colors, tooltip=["contestant:N", "call:N", "for each echo:N"])
    last = [row for row in rows if row["call"] == OTHERS]
    texts = (
        alt.Chart(alt.Data(values=last))
        .mark_text(align="left", dx=6, fontSize=12, color=TEXT)
        .encode(y=alt.Y("contestant:N", sort=order), x="total:Q", text="text:N")
    )
    return alt.LayerChart(layer=[bars, texts]).properties(width=WIDTH, height=alt.Step(ROW), title=describe(cell))


def memory(results: Results) -> alt.TopLevelMixin | None:
    """Bytes of each connection, where there are most of them."""
    cell = max(results.cells, key=lambda cell: cell.connections + cell.idle)
    rows = [row for row in _rows(results, cell, memory_per_connection, show_memory) if row["low"] > 0]
    if not rows:
        return None
    if max(row["value"] for row in rows) < SPREAD * rows[0]["value"]:
        chart = _bars(results, rows, "memory of a connection")
    else:
        chart = _dots(results, rows)
    return chart.properties(title=describe(cell))


def _dots(results: Results, rows: Rows) -> alt.LayerChart:
    """The same on a logarithmic axis, which has no zero for a bar to begin at."""
    base = alt.Chart(alt.Data(values=rows)).encode(y=_contestants(rows), tooltip=["contestant:N", "text:N", "rounds:N"])
    low, high = rows[0]["low"], max(row["high"] for row in rows)
    x = alt.X(
        "value:Q",
        title="memory of a connection (logarithmic)",
        scale=alt.Scale(type="log", domain=[low / 1.5, high * 3], nice=False),
        axis=alt.Axis(labels=False, ticks=False, grid=False),
    )
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(x=x, color=color(results.contestants))
    ranges = base.mark_rule(color=TEXT).encode(x=alt.X("low:Q"), x2="high:Q")
    texts = base.mark_text(align="left", dx=8, fontSize=12, color=TEXT).encode(x=alt.X("high:Q"), text="text:N")
    return alt.LayerChart(layer=[ranges, dots, texts]).properties(width=WIDTH, height=alt.Step(ROW))
