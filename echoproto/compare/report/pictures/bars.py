"""
Pictures with a bar for each contestant: what an echo costs, and what a connection does.
"""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.analysis.measures import CPU, MEMORY
from echoproto.compare.report.pictures.charts import ROW, TEXT, WIDTH, color
from echoproto.compare.report.pictures.rows import Rows, ends_of_the_axis, medians
from echoproto.compare.report.words import describe
from echoproto.compare.results import Cell

CALL_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
"""Of the most frequent system calls, by Okabe and Ito; all others are grey."""

OTHERS = "others"

SPREAD = 20
"""Times that the largest may be the smallest, before an axis is logarithmic."""

ROOM = 1.2
"""Of an axis with the figures behind the bars, for each of the largest."""


def bars(rows: Rows, title: str, colors: alt.Color, *, more_is_better: bool = False) -> alt.LayerChart:
    """
    A bar for each contestant, the best one first, with its figure, and a mark from the smallest round to the largest.

    :param rows: of `echoproto.compare.report.pictures.rows.medians`, of one cell.
    :param title: of the axis, which begins at zero; but where the values differ by much, it is logarithmic, and there
        are points in place of bars.
    """
    rows = sorted(({**row, "cell": None} for row in rows), key=lambda row: row["value"], reverse=more_is_better)
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    logarithmic = low > 0 and high > SPREAD * low
    if logarithmic:
        title, scale = f"{title} (logarithmic)", alt.Scale(type="log", domain=[low / 1.5, high * 3], nice=False)
    else:
        scale = alt.Scale(domain=[min(0, low), high * ROOM], nice=False)
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("contestant:N", sort=[row["contestant"] for row in rows], title=None),
        tooltip=[f"{name}:N" for name in ("contestant", "load", "median", "rounds")],
    )
    mark = base.mark_point(filled=True, size=80, opacity=1) if logarithmic else base.mark_bar(opacity=0.85)
    x = alt.X("value:Q", title=title, scale=scale, axis=alt.Axis(labels=False, ticks=False, grid=False))
    ranges = base.mark_rule(color=TEXT).encode(x=alt.X("low:Q"), x2="high:Q")
    texts = base.mark_text(align="left", dx=7, fontSize=12, color=TEXT).encode(x=alt.X("high:Q"), text="median:N")
    return _rowwise(mark.encode(x=x, color=colors), ranges, texts)


def cost(figures: Figures) -> alt.TopLevelMixin | None:
    """Processor time of an echo at both ends of the axis, and its system calls; of either, as far as it is known."""
    colors, charts = color(figures.results.contestants), []
    for cell in ends_of_the_axis(figures.results.cells):
        rows = medians(figures, [cell], CPU)
        if rows:
            charts.append(bars(rows, "processor time of an echo", colors).properties(title=describe(cell)))
    counted: dict[Cell, dict[str, Mapping[str, float]]] = {}
    for calls in figures.results.calls:
        if calls.per_echo:
            counted.setdefault(calls.cell, {})[calls.contestant] = calls.per_echo
    charts += [_calls(found).properties(title=describe(cell)) for cell, found in counted.items()]
    return alt.vconcat(*charts).resolve_scale(color="independent") if charts else None


def memory(figures: Figures) -> alt.TopLevelMixin | None:
    """Bytes of each connection, where there are most of them."""
    cell = max(figures.results.cells, key=lambda cell: cell.connections + cell.idle)
    rows = medians(figures, [cell], MEMORY)
    if not rows:
        return None
    return bars(rows, "memory of a connection", color(figures.results.contestants)).properties(title=describe(cell))


def _calls(counted: Mapping[str, Mapping[str, float]]) -> alt.LayerChart:
    """How many system calls an echo takes, by name; who makes fewest comes first."""
    names = {name for calls in counted.values() for name in calls}
    sums = {name: sum(calls.get(name, 0.0) for calls in counted.values()) for name in names}
    named = sorted(names, key=lambda name: (-sums[name], name))[: len(CALL_COLORS)]
    totals = {contestant: sum(calls.values()) for contestant, calls in counted.items()}
    order = sorted(totals, key=lambda name: totals[name])
    rows = [row for name in order for row in _call_rows(name, counted[name], named)]
    shown = [*named, OTHERS] if any(row["call"] == OTHERS for row in rows) else named
    colors = alt.Color(
        "call:N",
        scale=alt.Scale(domain=shown, range=[*CALL_COLORS[: len(named)], "#bbbbbb"][: len(shown)]),
        legend=alt.Legend(columns=len(shown)),
    )
    y = alt.Y("contestant:N", sort=order, title=None)
    x = alt.X(
        "begin:Q",
        title="system calls of an echo",
        scale=alt.Scale(domain=[0, max(totals.values()) * ROOM], nice=False),
        axis=alt.Axis(tickMinStep=1),
    )
    parts = alt.Chart(alt.Data(values=rows)).mark_bar()
    parts = parts.encode(y=y, x=x, x2="end:Q", color=colors, tooltip=["contestant:N", "call:N", "each echo:N"])
    sums_of_all = [{"contestant": name, "end": total, "text": f"{total:.2f}"} for name, total in totals.items()]
    texts = alt.Chart(alt.Data(values=sums_of_all)).mark_text(align="left", dx=7, fontSize=12, color=TEXT)
    return _rowwise(parts, texts.encode(y=y, x=alt.X("end:Q"), text="text:N"))


def _call_rows(contestant: str, calls: Mapping[str, float], named: list[str]) -> Rows:
    """Where the part of each call begins and ends in the bar of a contestant."""
    parts = {name: calls[name] for name in named if calls.get(name)}
    others = sum(count for name, count in calls.items() if name not in parts)
    if others > 0:
        parts[OTHERS] = others
    rows: Rows = []
    end = 0.0
    for name, count in parts.items():
        begin, end = end, end + count
        rows.append({"contestant": contestant, "call": name, "begin": begin, "end": end, "each echo": f"{count:.2f}"})
    return rows


def _rowwise(*layers: alt.Chart) -> alt.LayerChart:
    return alt.LayerChart(layer=list(layers)).properties(width=WIDTH, height=alt.Step(ROW))
