"""
Pictures with a bar for each contestant.
"""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.report.pictures.rows import CPU, MEMORY, WIDTH, Quantity, color, ends_of_the_axis, medians
from echoproto.compare.report.words import describe
from echoproto.compare.results import Cell
from echoproto.pages.charts import TEXT, TIME_LABEL, Rows

ROW_HEIGHT = 22
"""Pixels of a bar, with the space around it."""

CALL_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
"""Of the most frequent system calls, by Okabe and Ito; all others are grey."""

OTHERS = "others"
OTHERS_COLOR = "#bbbbbb"

MAX_LINEAR_RATIO = 20
"""Of the largest value to the smallest, beyond which an axis is logarithmic."""

HEADROOM = 1.2
"""Of an axis, for the values behind the bars."""


def bars(rows: Rows, quantity: Quantity, colors: alt.Color) -> alt.LayerChart:
    """
    Draw a bar for each contestant, the best one first, with its value, and a mark from the worst round to the best.

    The axis begins at zero; but where the values differ by much, it is logarithmic, and there are points, not bars.

    :param rows: of `medians`, of one cell.
    """
    rows = sorted(rows, key=lambda row: row["value"], reverse=quantity.measure.more_is_better)
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    logarithmic = low > 0 and high > MAX_LINEAR_RATIO * low
    if logarithmic:
        scale = alt.Scale(type="log", domain=[low / 1.5, high * 3], nice=False)
    else:
        scale = alt.Scale(domain=[min(0, low), high * HEADROOM], nice=False)
    # A logarithmic axis has ticks without a label.
    label = f"datum.label ? ({TIME_LABEL}) : ''" if quantity.times else alt.Undefined
    axis = alt.Axis(tickCount=5, grid=not logarithmic, format=",~r", labelExpr=label)
    title = f"{quantity.title}, logarithmic" if logarithmic else quantity.title
    x = alt.X("value:Q", title=title, scale=scale, axis=axis)
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("contestant:N", sort=[row["contestant"] for row in rows], title=None),
        tooltip=[f"{name}:N" for name in ("contestant", "load", "median", "rounds")],
    )
    mark = base.mark_point(filled=True, size=80, opacity=1) if logarithmic else base.mark_bar(opacity=0.85)
    ranges = base.mark_rule(color=TEXT).encode(x=alt.X("low:Q"), x2="high:Q")
    texts = base.mark_text(align="left", dx=7, fontSize=12, color=TEXT).encode(x=alt.X("high:Q"), text="median:N")
    return _in_rows(mark.encode(x=x, color=colors), ranges, texts)


def cost(figures: Figures) -> alt.TopLevelMixin | None:
    """Draw CPU time per echo at both ends of the axis, and system calls per echo, as far as they are known."""
    colors, charts = color(figures.results.contestants), []
    for cell in ends_of_the_axis(figures.results.cells):
        rows = medians(figures, [cell], CPU)
        if rows:
            charts.append(bars(rows, CPU, colors).properties(title=describe(cell)))
    counted: dict[Cell, dict[str, Mapping[str, float]]] = {}
    for calls in figures.results.calls:
        if calls.per_echo:
            counted.setdefault(calls.cell, {})[calls.contestant] = calls.per_echo
    charts += [_calls(found).properties(title=describe(cell)) for cell, found in counted.items()]
    return alt.vconcat(*charts).resolve_scale(color="independent") if charts else None


def memory(figures: Figures) -> alt.TopLevelMixin | None:
    """Draw the memory per connection, where there are most of them."""
    cell = max(figures.results.cells, key=lambda cell: cell.connections + cell.idle)
    rows = medians(figures, [cell], MEMORY)
    if not rows:
        return None
    return bars(rows, MEMORY, color(figures.results.contestants)).properties(title=describe(cell))


def _calls(counted: Mapping[str, Mapping[str, float]]) -> alt.LayerChart:
    """Draw the system calls per echo, by name; the contestant with fewest comes first."""
    names = {name for calls in counted.values() for name in calls}
    sums = {name: sum(calls.get(name, 0.0) for calls in counted.values()) for name in names}
    named = sorted(names, key=lambda name: (-sums[name], name))[: len(CALL_COLORS)]
    totals = {contestant: sum(calls.values()) for contestant, calls in counted.items()}
    order = sorted(totals, key=lambda name: totals[name])
    rows = [row for name in order for row in _call_rows(name, counted[name], named)]
    shown = dict(zip(named, CALL_COLORS, strict=False))
    if any(row["call"] == OTHERS for row in rows):
        shown[OTHERS] = OTHERS_COLOR
    colors = alt.Color(
        "call:N",
        title="System call",
        scale=alt.Scale(domain=list(shown), range=list(shown.values())),
        legend=alt.Legend(columns=len(shown)),
    )
    y = alt.Y("contestant:N", sort=order, title=None)
    scale = alt.Scale(domain=[0, max(totals.values()) * HEADROOM], nice=False)
    x = alt.X("begin:Q", title="System calls per echo", scale=scale, axis=alt.Axis(tickMinStep=1))
    parts = alt.Chart(alt.Data(values=rows)).mark_bar()
    parts = parts.encode(y=y, x=x, x2="end:Q", color=colors, tooltip=["contestant:N", "call:N", "per echo:N"])
    sums_of_all = [{"contestant": name, "end": total, "text": f"{total:.2f}"} for name, total in totals.items()]
    texts = alt.Chart(alt.Data(values=sums_of_all)).mark_text(align="left", dx=7, fontSize=12, color=TEXT)
    return _in_rows(parts, texts.encode(y=y, x=alt.X("end:Q"), text="text:N"))


def _call_rows(contestant: str, calls: Mapping[str, float], named: list[str]) -> Rows:
    """Return where the part of each call begins and ends in the bar of a contestant."""
    parts = {name: calls[name] for name in named if calls.get(name)}
    others = sum(count for name, count in calls.items() if name not in parts)
    if others > 0:
        parts[OTHERS] = others
    rows: Rows = []
    end = 0.0
    for name, count in parts.items():
        begin, end = end, end + count
        rows.append({"contestant": contestant, "call": name, "begin": begin, "end": end, "per echo": f"{count:.2f}"})
    return rows


def _in_rows(*layers: alt.Chart) -> alt.LayerChart:
    return alt.LayerChart(layer=list(layers)).properties(width=WIDTH, height=alt.Step(ROW_HEIGHT))
