"""
Pictures with a line for each contestant, and its name beside the end of the line.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.analysis.measures import P99
from echoproto.compare.report.pictures.rows import WIDTH, color, ends_of_the_axis
from echoproto.compare.report.words import describe
from echoproto.compare.results import Cell
from echoproto.pages.charts import MAX_PERCENTILE, Rows, ValueAxis, axis_of_times, by_rarity, percentile_axis
from echoproto.units import show_time

HEIGHT = 380

LINE_HEIGHT = 15
"""Pixels that two names have to be apart."""

AXIS_TITLES = {
    "idle": "Idle connections",
    "size_bytes": "Message size",
    "connections": "Connections",
    "rate": "Messages per second",
}

TOOLTIPS = ("contestant", "load", "median", "rounds", "percentile", "time")
"""Fields that a pointer shows, as far as the rows have them."""


def over_axis(rows: Rows, along: str, axis: ValueAxis, colors: alt.Color, number: int) -> alt.LayerChart:
    """
    Draw lines over the setting in which the cells differ.

    :param rows: of `medians`, of cells that differ in nothing else, in their order.
    :param number: of the chart among those of its picture.
    """
    places = list(dict.fromkeys(row["x"] for row in rows))
    x = alt.X(
        "x:O",
        title=AXIS_TITLES[along],
        sort=places,
        scale=alt.Scale(domain=places, padding=0.1),
        axis=alt.Axis(labelAngle=0, grid=True),
    )
    ends = {row["contestant"]: row for row in rows}
    return _lines(rows, list(ends.values()), x, axis, colors=colors, number=number)


def distribution(figures: Figures) -> alt.TopLevelMixin | None:
    """Draw latency over percentiles, at both ends of the axis, and in the first cell that has a rate."""
    with_rate = [cell for cell in figures.results.cells if cell.rate is not None]
    chosen = tuple(dict.fromkeys((*ends_of_the_axis(figures.results.cells), *with_rate[:1])))
    charts = [
        _distribution(rows, cell, color(figures.results.contestants), number)
        for number, cell in enumerate(chosen)
        if (rows := _percentiles(figures, cell))
    ]
    return alt.vconcat(*charts) if charts else None


def _distribution(rows: Rows, cell: Cell, colors: alt.Color, number: int) -> alt.LayerChart:
    clock = "service time" if cell.rate is None else "response time"
    axis = axis_of_times([row["value"] for row in rows], f"Latency ({clock})")
    rarest = max(row["x"] for row in rows)
    ends = {row["contestant"]: {**row, "x": rarest} for row in rows}
    x = percentile_axis("x", rarest)
    chart = _lines(rows, list(ends.values()), x, axis, colors=colors, number=number)
    return chart.properties(title=describe(cell))


def _percentiles(figures: Figures, cell: Cell) -> Rows:
    """Return the points of each contestant, of its round with the median p99: rarity, and time in µs."""
    rows: Rows = []
    for figure in figures.under(cell):
        samples = [sample for sample in figure.samples if sample.spectrum]
        if figure.void or not samples:
            continue
        middle = sorted(samples, key=lambda sample: P99.of(sample) or 0)[len(samples) // 2]
        rows += [
            {
                "contestant": figure.contestant.name,
                "group": figure.contestant.group,
                "x": rare,
                "value": max(1, time),
                "percentile": f"p{percent:.6g}" if percent < MAX_PERCENTILE else "max",
                "time": show_time(time),
            }
            for percent, rare, time in by_rarity(middle.spectrum)
            if percent > 0  # the minimum would only make the axis longer
        ]
    return rows


def _lines(rows: Rows, ends: Rows, x: alt.X, axis: ValueAxis, *, colors: alt.Color, number: int) -> alt.LayerChart:
    """
    Draw a line for each contestant, which stands out under a pointer.

    :param rows: with ``x`` and ``value``; with ``low`` and ``high``, too, each point is marked with the range from one
        to the other; without, the line goes in steps.
    :param ends: the last row of each line, where its name stands.
    """
    marked = "low" in rows[0]
    hover = alt.selection_point(name=f"hover{number}", fields=["contestant"], on="pointerover", clear="pointerout")
    fade = alt.when(hover).then(alt.value(1.0)).otherwise(alt.value(0.15))
    tips = [f"{name}:N" for name in TOOLTIPS if name in rows[0]]
    data = alt.Chart(alt.Data(values=rows)).encode(x=x, color=colors, detail="contestant:N", opacity=fade, tooltip=tips)
    line = data.mark_line(strokeWidth=2, interpolate="linear" if marked else "step-after")
    layers = [line.encode(y=axis.encode("value")).add_params(hover)]
    if marked:
        layers.append(data.mark_rule(strokeWidth=1.5).encode(y=axis.encode("low"), y2="high:Q"))
        layers.append(data.mark_point(filled=True, size=45).encode(y=axis.encode("value")))
    names = alt.Chart(alt.Data(values=beside(ends, axis))).encode(x=x, color=colors, opacity=fade)
    text = names.mark_text(align="left", baseline="middle", dx=18, fontSize=12)
    layers.append(text.encode(y=axis.encode("label"), text="contestant:N"))
    leader = names.mark_rule(strokeWidth=1, xOffset=6, x2Offset=15)
    layers.append(leader.encode(x2="x", y=axis.encode("value"), y2="label:Q"))
    return alt.LayerChart(layer=layers).properties(width=WIDTH, height=HEIGHT)


def beside(ends: Rows, axis: ValueAxis) -> Rows:
    """Return rows with the value at which a name stands as ``label``, so that no name lies on another."""
    placed = []
    for place in dict.fromkeys(end["x"] for end in ends):
        here = [end for end in ends if end["x"] == place]
        pixels = spread([HEIGHT * (1 - axis.share(end["value"])) for end in here], LINE_HEIGHT, 0, HEIGHT)
        placed += [{**end, "label": axis.value(1 - pixel / HEIGHT)} for end, pixel in zip(here, pixels, strict=True)]
    return placed


def spread(wanted: Sequence[float], distance: float, top: float, bottom: float) -> list[float]:
    """
    Move places apart, each as little as it takes: an isotonic regression, by pooling those that are out of order.

    :param wanted: in pixels from the top, in any order.
    :param distance: pixels that two of them have to be apart.
    :param top: where the first may stand.
    :param bottom: where the last may stand; if there is no room for all, they go below it.
    :return: the places, in the order in which they were wanted.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    pools: list[tuple[float, int]] = []  # the first place of neighbours that touch, and their number
    for number, index in enumerate(order):
        mean, size = wanted[index] - number * distance, 1
        while pools and pools[-1][0] > mean:
            above, others = pools.pop()
            mean, size = (mean * size + above * others) / (size + others), size + others
        pools.append((mean, size))
    lowest = bottom - (len(wanted) - 1) * distance
    starts = [max(top, min(mean, lowest)) for mean, size in pools for _ in range(size)]
    places = {index: start + number * distance for number, (index, start) in enumerate(zip(order, starts, strict=True))}
    return [places[index] for index in range(len(wanted))]
