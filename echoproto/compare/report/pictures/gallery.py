"""
The pictures of a comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt
from attrs import frozen

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.report.pictures import rows
from echoproto.compare.report.pictures.bars import bars, cost, memory
from echoproto.compare.report.pictures.lines import distribution, over_axis
from echoproto.compare.report.pictures.matrix import matrix
from echoproto.compare.report.words import axis, panels
from echoproto.compare.results import Cell
from echoproto.pages.charts import axis_from_zero, axis_of_times, specification


@frozen
class Picture:
    """
    One picture.

    :ivar name: name of its files, without suffix.
    :ivar specification: its Vega-Lite specification.
    """

    name: str
    title: str
    specification: dict[str, Any]


def pictures(figures: Figures) -> tuple[Picture, ...]:
    """Draw all pictures for which there is something to show."""
    drawn = ((name, title, draw(figures)) for name, (title, draw) in GALLERY.items())
    return tuple(Picture(name, title, specification(chart)) for name, title, chart in drawn if chart)


def throughput(figures: Figures) -> alt.TopLevelMixin | None:
    """Draw echoes per second; not of cells with a rate, which all hold, or can't."""
    cells = [cell for cell in figures.results.cells if cell.rate is None]
    return _over_loads(figures, cells, rows.THROUGHPUT)


def p99(figures: Figures) -> alt.TopLevelMixin | None:
    """Draw p99 latency."""
    return _over_loads(figures, figures.results.cells, rows.P99)


def _over_loads(figures: Figures, cells: Sequence[Cell], quantity: rows.Quantity) -> alt.TopLevelMixin | None:
    """Draw lines where cells lie along an axis, and bars where one stands alone."""
    along = axis(cells) if cells else None
    colors, charts = rows.color(figures.results.contestants), []
    for number, (title, group) in enumerate(panels(cells, along).items()):
        found = rows.medians(figures, group, quantity, along)
        if not found:
            continue
        if along is not None and len({row["x"] for row in found}) > 1:
            make = axis_of_times if quantity.times else axis_from_zero
            values = [row[end] for row in found for end in ("low", "high")]
            chart = over_axis(found, along, make(values, quantity.title), colors, number)
        else:
            chart = bars(found, quantity, colors)
        charts.append(chart.properties(title=title) if title else chart)
    return alt.vconcat(*charts) if charts else None


GALLERY: dict[str, tuple[str, Callable[[Figures], alt.TopLevelMixin | None]]] = {
    "matrix": ("Overview", matrix),
    "throughput": ("Throughput", throughput),
    "p99": ("p99 latency", p99),
    "spectrum": ("Latency distribution", distribution),
    "cost": ("CPU time and system calls per echo", cost),
    "memory": ("Memory per connection", memory),
}
"""Titles and makers of all pictures, in the order in which they are shown; ``compare.html`` explains each."""
