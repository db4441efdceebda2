"""
The data of pictures: the median of each contestant under a load, its range over the rounds, and its colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import altair as alt
from attrs import frozen

from echoproto.compare.analysis import measures
from echoproto.compare.analysis.figures import Figures
from echoproto.compare.analysis.measures import Measure
from echoproto.compare.report.words import axis, describe, panels, show_value
from echoproto.compare.results import Cell, Contestant
from echoproto.pages.charts import Rows

WIDTH = 620
"""Pixels of a picture, without the names beside it."""

COLORS = {
    "echoproto": "#0072B2",
    "twisted": "#D55E00",
    "asyncio": "#008060",
    "uvloop": "#AA4499",
    "socketserver": "#806000",
    "command": "#555555",
}
"""Colours of the groups of contestants, for all kinds of sight: those of Okabe and Ito, but darker where text in them
could not be read."""

UNKNOWN_COLOR = "#555555"
"""Colour of a group that a later version has added."""


@frozen
class Quantity:
    """
    A measure as it is drawn.

    :ivar title: of its axis.
    :ivar unit: of the axis, in that of the measure.
    :ivar times: whether it is in µs, differs by much, and is labelled with units.
    """

    measure: Measure
    title: str
    unit: float = 1.0
    times: bool = False


THROUGHPUT = Quantity(measures.THROUGHPUT, "Echoes per second")
P99 = Quantity(measures.P99, "p99 latency", times=True)
CPU = Quantity(measures.CPU, "CPU time per echo (µs)")
MEMORY = Quantity(measures.MEMORY, "Memory per connection (KiB)", unit=1024.0)


def medians(figures: Figures, cells: Iterable[Cell], quantity: Quantity, along: str | None = None) -> Rows:
    """
    Return a row for each contestant in each cell in which the measure is known.

    :param along: setting of the cells that is ``x`` of the rows.
    """
    show, unit = quantity.measure.show, quantity.unit
    return [
        {
            "contestant": figure.contestant.name,
            "group": figure.contestant.group,
            "x": along and show_value(cell, along),
            "load": describe(cell),
            "value": spread.median / unit,
            "low": spread.low / unit,
            "high": spread.high / unit,
            "median": show(spread.median),
            "rounds": f"{show(spread.low)} to {show(spread.high)}",
        }
        for cell in cells
        for figure in figures.under(cell)
        if (spread := figure.spreads.get(quantity.measure))
    ]


def ends_of_the_axis(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the first cell, and the last of those that differ from it along the axis only."""
    first = next(iter(panels(cells, axis(cells)).values()))
    return tuple(dict.fromkeys((first[0], first[-1])))


def color(contestants: Iterable[Contestant]) -> alt.Color:
    """
    Make the encoding of the groups by colour.

    :param contestants: all of the comparison, so that charts of one picture agree.
    """
    present = {each.group for each in contestants}
    shown = [*(group for group in COLORS if group in present), *sorted(present - COLORS.keys())]
    scale = alt.Scale(domain=shown, range=[COLORS.get(group, UNKNOWN_COLOR) for group in shown])
    return alt.Color("group:N", title="Implementation", scale=scale, legend=alt.Legend(columns=len(shown)))
