"""
How the pictures of a comparison look: colours, axes, and names beside the ends of lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import altair as alt
from attrs import frozen

from echoproto.compare.report.pictures.labels import spread
from echoproto.compare.report.pictures.rows import Rows
from echoproto.compare.results import Contestant
from echoproto.pages.charts import TIME_LABEL, axis_of_times

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

UNKNOWN = "#555555"
"""Colour of a group that a later version has added."""

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


def from_zero(values: Iterable[float], title: str) -> Scale:
    """
    An axis for amounts.

    :param values: of which one is above 0.
    """
    high = max(values) * 1.05
    axis = {**_title(title), "format": ",.0f", "tickCount": 6}
    options = {"type": "quantitative", "scale": {"domain": [0, high], "nice": False}, "axis": axis}
    return Scale(0, high, logarithmic=False, options=options)


def of_times(values: Iterable[float], title: str) -> Scale:
    """
    An axis for times, which differ by much: a logarithmic one.

    :param values: in µs.
    """
    found = axis_of_times(list(values), title)
    options = {
        "type": "quantitative",
        "scale": {"type": "log", "domain": [found.low, found.high], "nice": False},
        "axis": {"values": found.marks, "labelExpr": TIME_LABEL, **_title(title)},
    }
    return Scale(found.low, found.high, logarithmic=True, options=options)


def _title(title: str) -> dict[str, Any]:
    """Above the axis, where it is read without turning the head."""
    return {"title": title, "titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": -40, "titleY": -10}


def beside(ends: Rows, scale: Scale) -> Rows:
    """
    Where the names of lines stand, none on another.

    :param ends: of each line, with ``x`` and ``value``.
    :return: the same with ``label``, which is on the axis of ``value``.
    """
    placed = []
    for place in dict.fromkeys(end["x"] for end in ends):
        here = [end for end in ends if end["x"] == place]
        pixels = spread([scale.pixels(end["value"]) for end in here], LINE, 0, HEIGHT)
        placed += [{**end, "label": scale.value(pixel)} for end, pixel in zip(here, pixels, strict=True)]
    return placed


def color(contestants: Iterable[Contestant]) -> alt.Color:
    """
    The colour of whose contestant it is.

    :param contestants: all of the comparison, so that charts of one picture agree.
    """
    present = {each.group for each in contestants}
    shown = [*(group for group in GROUPS if group in present), *sorted(present - GROUPS.keys())]
    return alt.Color(
        "group:N",
        scale=alt.Scale(domain=shown, range=[GROUPS.get(group, UNKNOWN) for group in shown]),
        legend=alt.Legend(columns=len(shown)),
    )
