"""
Theme and axes of all charts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import altair as alt
from attrs import frozen

from echoproto.errors import one_line

Rows = list[dict[str, Any]]
"""Data of a chart."""

TEXT = "#222222"

THEME = alt.Config(
    background="white",
    font="sans-serif",
    padding=8,
    axis=alt.AxisConfig(
        labelFontSize=12,
        titleFontSize=12,
        titleFontWeight="normal",
        titleColor=TEXT,
        labelColor=TEXT,
        gridColor="#e8e8e8",
        domainColor="#999999",
        tickColor="#999999",
        labelLimit=320,
    ),
    # Horizontal titles above the axis are easier to read.
    axisY=alt.AxisConfig(titleAngle=0, titleAlign="left", titleAnchor="end", titleX=-40, titleY=-10),
    legend=alt.LegendConfig(
        labelFontSize=12,
        titleFontSize=12,
        titleFontWeight="normal",
        titleOrient="left",
        orient="top",
        symbolType="square",
        labelLimit=320,
    ),
    title=alt.TitleConfig(fontSize=13, fontWeight="normal", anchor="start", color=TEXT),
    view=alt.ViewConfig(stroke=None),
)

PERCENTILES = (50.0, 75.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999)
"""Percentiles marked on the axis of a distribution, as far as the data reaches."""

MAX_PERCENTILE = 100.0
"""Percentile of the maximum."""

TIME_LABEL = (
    "datum.value < 1000 ? format(datum.value, ',') + ' µs' : "
    "datum.value < 1000000 ? format(datum.value / 1000, ',') + ' ms' : format(datum.value / 1000000, ',') + ' s'"
)
"""Vega's expression for the label of a time in µs, in the format of `echoproto.units.show_time`."""

MAX_DECADES_WITH_SUBMARKS = 2
"""Maximum number of powers of ten on an axis of times that also marks 2 and 5."""

HEADROOM = 1.05
"""Ratio of the top of an axis from zero to the largest value."""


@frozen
class ValueAxis:
    """
    A vertical axis.

    :ivar low: value at the bottom.
    :ivar high: value at the top.
    :ivar marks: times in µs marked on a logarithmic axis; empty for a linear one.
    """

    title: str
    low: float
    high: float
    marks: Sequence[int] = ()

    def encode(self, field: str) -> alt.Y:
        """Return the encoding of a field by this axis."""
        if self.marks:
            scale = alt.Scale(type="log", domain=[self.low, self.high], nice=False)
            axis = alt.Axis(values=self.marks, labelExpr=TIME_LABEL)
        else:
            scale = alt.Scale(domain=[self.low, self.high], nice=False)
            axis = alt.Axis(format=",.0f", tickCount=6)
        return alt.Y(field, type="quantitative", title=self.title, scale=scale, axis=axis)

    def share(self, value: float) -> float:
        """Return the position of a value on the axis: 0 at its bottom, 1 at its top."""
        low, high, value = map(self._linear, (self.low, self.high, value))
        return (value - low) / (high - low)

    def value(self, share: float) -> float:
        """Return the value at a position on the axis, from 0 to 1."""
        low, high = self._linear(self.low), self._linear(self.high)
        found = low + (high - low) * share
        return math.exp(found) if self.marks else found

    def _linear(self, value: float) -> float:
        return math.log(value) if self.marks else value


def axis_from_zero(values: Sequence[float], title: str) -> ValueAxis:
    """
    Make an axis for amounts.

    :param values: at least one above 0.
    """
    return ValueAxis(title, 0, max(values) * HEADROOM)


def axis_of_times(times: Sequence[float], title: str) -> ValueAxis:
    """
    Make a logarithmic axis with marks at 1, 2 and 5 of each power of ten, or only at powers of ten if it has many.

    :param times: in µs, at least one; those below 1 count as 1.
    """
    low, high = (max(1.0, end(times)) for end in (min, max))
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= MAX_DECADES_WITH_SUBMARKS else (1,)
    marks = [step * 10**power for power in range(first, last + 2) for step in steps]
    bottom = max(mark for mark in marks if mark <= low)
    top = min(mark for mark in marks if mark >= high and mark > bottom)
    return ValueAxis(title, bottom, top, [mark for mark in marks if bottom <= mark <= top])


def rarity(percent: float) -> float:
    """Return the rarity of a value beyond a percentile below 100: 100 for p99, one in a hundred."""
    return 100 / (100 - percent)


def by_rarity(spectrum: Iterable[tuple[float, int]]) -> Iterator[tuple[float, float, int]]:
    """
    Yield percentile, rarity and time of each point of a latency distribution.

    The maximum has no rarity of its own; it takes that of the point before it.

    :param spectrum: percentiles and times, in ascending order.
    """
    rarest = 1.0
    for percent, time in spectrum:
        rarest = rarity(percent) if percent < MAX_PERCENTILE else rarest
        yield percent, rarest, time


def percentile_axis(field: str, rarest: float) -> alt.X:
    """
    Make the horizontal axis of a latency distribution: each factor of ten in rarity has the same width.

    :param field: field with the `rarity` of each point.
    :param rarest: the largest rarity.
    """
    marks = {rarity(percent): f"p{percent:g}" for percent in PERCENTILES}
    labels = " : ".join(f"datum.value < {mark * 1.5} ? '{label}'" for mark, label in marks.items())
    return alt.X(
        field,
        type="quantitative",
        title="Percentile",
        scale=alt.Scale(type="log", domain=[1, max(rarest, 2)], nice=False),
        axis=alt.Axis(values=[mark for mark in marks if mark <= rarest * 1.001], labelExpr=f"{labels} : ''"),
    )


def specification(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """Return the Vega-Lite specification of a chart in the common theme; each text in it becomes one line."""
    specified: dict[str, Any] = _on_one_line(chart.properties(config=THEME).to_dict())
    return specified


def _on_one_line(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _on_one_line(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_on_one_line(value) for value in part]
    return one_line(part) if isinstance(part, str) else part
