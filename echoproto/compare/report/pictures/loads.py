"""
Pictures of all cells: lines where they lie along an axis, and bars where one stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import altair as alt
from attrs import frozen

from echoproto.compare.analysis.measures import P99, THROUGHPUT, Measure
from echoproto.compare.report.pictures.bars import bars
from echoproto.compare.report.pictures.charts import Scale, color, from_zero, of_times
from echoproto.compare.report.pictures.curves import over_axis
from echoproto.compare.report.pictures.rows import medians
from echoproto.compare.report.words import axis, panels
from echoproto.compare.results import Cell, Results
from echoproto.units import show_time


@frozen
class Drawn:
    """
    How a measure is drawn.

    :ivar title: of its axis.
    :ivar show: writes a value.
    :ivar scale: makes the axis for some values.
    """

    measure: Measure
    title: str
    show: Callable[[float], str]
    scale: Callable[[list[float], str], Scale]


def _show_number(value: float) -> str:
    return f"{value:,.0f}"


ECHOES = Drawn(THROUGHPUT, "echoes a second", _show_number, from_zero)
LATE = Drawn(P99, "p99", show_time, of_times)


def throughput(results: Results) -> alt.TopLevelMixin | None:
    """Echoes a second; not of cells with a rate, which all hold, or can't."""
    return _drawn(results, [cell for cell in results.cells if cell.rate is None], ECHOES)


def p99(results: Results) -> alt.TopLevelMixin | None:
    """The time that 99 of 100 echoes did not exceed."""
    return _drawn(results, results.cells, LATE)


def _drawn(results: Results, cells: Sequence[Cell], drawn: Drawn) -> alt.TopLevelMixin | None:
    along = axis(cells) if cells else None
    colors, charts = color(results.contestants), []
    for number, (title, group) in enumerate(panels(cells, along).items()):
        rows = medians(results, group, drawn.measure.of, drawn.show)
        if not rows:
            continue
        if along is not None and len({row["cell"] for row in rows}) > 1:
            scale = drawn.scale([value for row in rows for value in (row["low"], row["high"])], drawn.title)
            chart = over_axis(rows, along, scale, colors, number)
        else:
            chart = bars(rows, drawn.title, colors, more_is_better=drawn.measure.more_is_better)
        charts.append(chart.properties(title=title) if title else chart)
    return alt.vconcat(*charts) if charts else None
