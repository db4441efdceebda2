"""
Pictures with a line for each contestant.
"""

from __future__ import annotations

import altair as alt

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.analysis.measures import P99
from echoproto.compare.report.pictures.charts import HEIGHT, WIDTH, Scale, beside, color, of_times
from echoproto.compare.report.pictures.rows import Rows, ends_of_the_axis
from echoproto.compare.report.words import describe, show_value
from echoproto.compare.results import Cell
from echoproto.pages.charts import PERCENTILES
from echoproto.units import show_time

AXIS_TITLES = {
    "idle": "idle connections, beside those that are busy",
    "size": "bytes of a message",
    "connections": "connections",
    "rate": "messages a second",
}

TIPS = ("contestant", "load", "median", "rounds", "percentile", "time")
"""What is told under a pointer, as far as there is any of it."""

WHOLE = 100.0
"""%, which is the share of the maximum."""


def over_axis(rows: Rows, along: str, scale: Scale, colors: alt.Color, number: int) -> alt.LayerChart:
    """
    Lines over what the cells differ in.

    :param rows: of `echoproto.compare.report.pictures.rows.medians`, of cells that differ in nothing else,
        in their order.
    :param number: of the chart among those of its picture.
    """
    rows = [{**row, "x": show_value(row["cell"], along), "cell": None} for row in rows]
    places = list(dict.fromkeys(row["x"] for row in rows))
    x = alt.X(
        "x:O",
        sort=places,
        scale=alt.Scale(domain=places, padding=0.1),
        axis=alt.Axis(title=AXIS_TITLES[along], labelAngle=0, grid=True),
    )
    ends = beside(list({row["contestant"]: row for row in rows}.values()), scale)
    return _lines(rows, ends, x, scale, colors=colors, number=number)


def spectrum(figures: Figures) -> alt.TopLevelMixin | None:
    """Times over percentiles, at both ends of the axis, and in the first cell that has a rate."""
    with_rate = [cell for cell in figures.results.cells if cell.rate is not None]
    chosen = tuple(dict.fromkeys((*ends_of_the_axis(figures.results.cells), *with_rate[:1])))
    found = [_spectrum_of(figures, cell, number) for number, cell in enumerate(chosen)]
    charts = [chart for chart in found if chart is not None]
    return alt.vconcat(*charts) if charts else None


def _spectrum_of(figures: Figures, cell: Cell, number: int) -> alt.LayerChart | None:
    rows = _spectrum_rows(figures, cell)
    if not rows:
        return None
    clock = "service time" if cell.rate is None else "response time"
    scale = of_times([row["value"] for row in rows], clock)
    farthest = max(row["x"] for row in rows)
    last = {row["contestant"]: {**row, "x": farthest} for row in rows}
    ticks = {100 / (100 - share): share for share in PERCENTILES}
    named = " : ".join(f"datum.value < {tick * 1.5} ? 'p{share:g}'" for tick, share in ticks.items())
    x = alt.X(
        "x:Q",
        scale=alt.Scale(type="log", domain=[1, farthest], nice=False),
        axis=alt.Axis(
            title="percentile: so many echoes took no longer",
            values=[tick for tick in ticks if tick <= farthest * 1.001],
            labelExpr=f"{named} : ''",
        ),
    )
    ends = beside(list(last.values()), scale)
    chart = _lines(rows, ends, x, scale, colors=color(figures.results.contestants), number=number)
    return chart.properties(title=describe(cell))


def _spectrum_rows(figures: Figures, cell: Cell) -> Rows:
    """The points of each contestant: how rare what is above it is (1 in so many), and the time in µs."""
    rows: Rows = []
    for figure in figures.under(cell):
        samples = [sample for sample in figure.samples if sample.spectrum]
        if figure.void or not samples:
            continue
        middle = sorted(samples, key=lambda sample: P99.of(sample) or 0)[len(samples) // 2]
        rarest = 1.0
        for share, time in middle.spectrum:
            if share <= 0:
                continue  # the minimum, which would only make the axis longer
            rarest = 100 / (100 - share) if share < WHOLE else rarest  # the maximum has no place of its own
            rows.append(
                {
                    "contestant": figure.contestant.name,
                    "group": figure.contestant.group,
                    "x": rarest,
                    "value": max(1, time),
                    "percentile": f"p{share:.6g}" if share < WHOLE else "max",
                    "time": show_time(time),
                }
            )
    return rows


def _lines(rows: Rows, ends: Rows, x: alt.X, scale: Scale, *, colors: alt.Color, number: int) -> alt.LayerChart:
    """
    A line for each contestant, with its name beside its end; under a pointer, it stands out.

    :param rows: with ``x`` and ``value``; with ``low`` and ``high``, too, each point is marked with the range from one
        to the other; without, the line goes in steps.
    :param ends: as `beside` gives them.
    """
    marked = all("low" in row for row in rows)
    hover = alt.selection_point(name=f"hover{number}", fields=["contestant"], on="pointerover", clear="pointerout")
    fade = alt.condition(hover, alt.value(1.0), alt.value(0.15))
    value, low, label = (alt.Y(name, **scale.options) for name in ("value", "low", "label"))
    tips = [f"{name}:N" for name in TIPS if name in rows[0]]
    data = alt.Chart(alt.Data(values=rows)).encode(x=x, color=colors, detail="contestant:N", opacity=fade, tooltip=tips)
    line = data.mark_line(strokeWidth=2) if marked else data.mark_line(strokeWidth=2, interpolate="step-after")
    layers: list[alt.Chart] = [line.encode(y=value).add_params(hover)]
    if marked:
        layers.append(data.mark_rule(strokeWidth=1.5).encode(y=low, y2="high:Q"))
        layers.append(data.mark_point(filled=True, size=45).encode(y=value))
    names = alt.Chart(alt.Data(values=ends)).encode(x=x, color=colors, opacity=fade)
    text = names.mark_text(align="left", baseline="middle", dx=18, fontSize=12)
    layers.append(text.encode(y=label, text="contestant:N"))
    leader = names.mark_rule(strokeWidth=1, xOffset=6, x2Offset=15)
    layers.append(leader.encode(x2="x", y=value, y2="label:Q"))
    return alt.LayerChart(layer=layers).properties(width=WIDTH, height=HEIGHT)
