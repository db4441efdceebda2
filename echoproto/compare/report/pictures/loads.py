"""
Pictures of all cells: lines where they lie along an axis, and bars where one stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import altair as alt
from attrs import frozen

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.analysis.measures import P99, THROUGHPUT, Measure
from echoproto.compare.report.pictures.bars import bars
from echoproto.compare.report.pictures.charts import Scale, color, from_zero, of_times
from echoproto.compare.report.pictures.curves import over_axis
from echoproto.compare.report.pictures.rows import medians
from echoproto.compare.report.words import axis, panels
from echoproto.compare.results import Cell


@frozen
class Drawn:
    """
    How a measure is drawn.

    :ivar title: of its axis.
    :ivar scale: makes the axis for some values.
    """

    measure: Measure
    title: str
    scale: Callable[[list[float], str], Scale]


ECHOES = Drawn(THROUGHPUT, "echoes a second", from_zero)
LATE = Drawn(P99, "p99", of_times)


def throughput(figures: Figures) -> alt.TopLevelMixin | None:
    """Echoes a second; not of cells with a rate, which all hold, or can't."""
    return _drawn(figures, [cell for cell in figures.results.cells if cell.rate is None], ECHOES)


def p99(figures: Figures) -> alt.TopLevelMixin | None:
    """The time that 99 of 100 echoes did not exceed."""
    return _drawn(figures, figures.results.cells, LATE)


def _drawn(figures: Figures, cells: Sequence[Cell], drawn: Drawn) -> alt.TopLevelMixin | None:
    along = axis(cells) if cells else None
    colors, charts = color(figures.results.contestants), []
    for number, (title, group) in enumerate(panels(cells, along).items()):
        rows = medians(figures, group, drawn.measure)
        if not rows:
            continue
        if along is not None and len({row["cell"] for row in rows}) > 1:
            scale = drawn.scale([value for row in rows for value in (row["low"], row["high"])], drawn.title)
            chart = over_axis(rows, along, scale, colors, number)
        else:
            chart = bars(rows, drawn.title, colors, more_is_better=drawn.measure.more_is_better)
        charts.append(chart.properties(title=title) if title else chart)
    return alt.vconcat(*charts) if charts else None
