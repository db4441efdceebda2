"""
How the pictures of a comparison look: colours, axes, and names beside the ends of lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
from attrs import frozen

from echoproto.compare.labels import spread
from echoproto.compare.results import Contestant
from echoproto.load.charts import time_axis

Rows = list[dict[str, Any]]

WIDTH = 620
"""Pixels of a picture, without the names beside it."""

HEIGHT = 380

LINE = 15
"""Pixels that two names have to be apart."""

ROW = 22
"""Pixels of a row in pictures that have one for each contestant."""

GROUPS = {
    "echoproto": "#0072B2",
    "twisted": "#D55E00",
    "asyncio": "#008060",
    "uvloop": "#AA4499",
    "socketserver": "#806000",
    "command": "#555555",
}
"""Whose a contestant is, in colours that people of all kinds of sight can tell apart: those of Okabe and Ito, but
darker where text in them could not be read."""

TEXT = "#222222"

THEME: dict[str, Any] = {
    "background": "white",
    "font": "sans-serif",
    "padding": 8,
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titleColor": TEXT,
        "labelColor": TEXT,
        "gridColor": "#e8e8e8",
        "domainColor": "#999999",
        "tickColor": "#999999",
        "labelLimit": 320,
    },
    "legend": {"labelFontSize": 12, "title": None, "orient": "top", "symbolType": "square", "labelLimit": 320},
    "title": {"fontSize": 13, "fontWeight": "normal", "anchor": "start", "color": TEXT},
    "view": {"stroke": None},
}
"""What all pictures have in common."""


@frozen
class Scale:
    """
    The vertical axis of a picture with lines.

    :ivar low: value at the bottom; above 0 if it is logarithmic.
    :ivar high: value at the top.
    :ivar options: for Vega-Lite: ``type``, ``scale`` and ``axis``.
    """

    low: float
    high: float
    logarithmic: bool
    options: dict[str, Any]

    def pixels(self, value: float) -> float:
        """How far from the top a value is."""
        low, high, value = (self._linear(each) for each in (self.low, self.high, value))
        return HEIGHT * (high - value) / (high - low)

    def value(self, pixels: float) -> float:
        """Which value is so far from the top."""
        low, high = self._linear(self.low), self._linear(self.high)
        found = high - (high - low) * pixels / HEIGHT
        return math.exp(found) if self.logarithmic else found

    def _linear(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


def from_zero(values: Iterable[float]) -> Scale:
    """For amounts."""
    high = max(values) * 1.05
    axis = {"format": ",.0f", "tickCount": 6}
    options = {"type": "quantitative", "scale": {"domain": [0, high], "nice": False}, "axis": axis}
    return Scale(0, high, logarithmic=False, options=options)


def of_times(values: Iterable[float]) -> Scale:
    """For times in µs, which differ by much."""
    options = time_axis([max(1, round(value)) for value in values])
    low, high = options["scale"]["domain"]
    return Scale(low, high, logarithmic=True, options=options)


def beside(ends: Rows, scale: Scale) -> Rows:
    """
    Where the names of lines stand, none on another.

    :param ends: of each line, with ``x`` and ``y``.
    :return: the same with ``label``, which is on the axis of ``y``.
    """
    placed = []
    for place in dict.fromkeys(end["x"] for end in ends):
        here = [end for end in ends if end["x"] == place]
        pixels = spread([scale.pixels(end["y"]) for end in here], LINE, 0, HEIGHT)
        placed += [{**end, "label": scale.value(pixel)} for end, pixel in zip(here, pixels, strict=True)]
    return placed


def color(contestants: Sequence[Contestant]) -> alt.Color:
    """The colour of whose contestant it is; the legend has those that there are."""
    present = {each.group for each in contestants}
    shown = [group for group in GROUPS if group in present]
    return alt.Color(
        "group:N",
        scale=alt.Scale(domain=shown, range=[GROUPS[group] for group in shown]),
        legend=alt.Legend(columns=len(shown)),
    )


def lines(
    rows: Rows, ends: Rows, *, x: alt.X, scale: Scale, colors: alt.Color, tips: Sequence[str], marks: bool, number: int
) -> alt.LayerChart:
    """
    A line for each contestant, with its name beside its end; under a pointer, it stands out.

    :param rows: with ``x``, ``y``, ``contestant`` and ``group``; if there are marks, with ``low`` and ``high``.
    :param ends: as `beside` gives them.
    :param tips: fields that are told under a pointer.
    :param number: of the picture among those that are drawn together.
    :param marks: whether each point is marked, with the range from ``low`` to ``high``; else the line goes in steps.
    """
    hover = alt.selection_point(name=f"hover{number}", fields=["contestant"], on="pointerover", clear="pointerout")
    fade = alt.condition(hover, alt.value(1.0), alt.value(0.15))
    y = alt.Y("y", **scale.options)
    data = alt.Chart(alt.Data(values=rows)).encode(
        x=x, color=colors, detail="contestant:N", opacity=fade, tooltip=[f"{tip}:N" for tip in tips]
    )
    layers: list[alt.Chart] = [
        data.mark_line(strokeWidth=2, interpolate="linear" if marks else "step-after").encode(y=y).add_params(hover)
    ]
    if marks:
        layers.append(data.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low", **scale.options), y2="high:Q"))
        layers.append(data.mark_point(filled=True, size=45).encode(y=y))
    names = alt.Chart(alt.Data(values=ends)).encode(color=colors, opacity=fade)
    layers.append(
        names.mark_text(align="left", baseline="middle", dx=18, fontSize=12, clip=False).encode(
            x=x, y=alt.Y("label", **scale.options), text="contestant:N"
        )
    )
    layers.append(
        names.mark_rule(strokeWidth=1, xOffset=6, x2Offset=15).encode(
            x=x, x2="x", y=alt.Y("y", **scale.options), y2="label:Q"
        )
    )
    return alt.LayerChart(layer=layers).properties(width=WIDTH, height=HEIGHT)
