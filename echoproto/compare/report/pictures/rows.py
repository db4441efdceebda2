"""
The rows that pictures are drawn from: the median of each contestant in a cell, and its range over the rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.analysis.measures import Measure
from echoproto.compare.report.words import axis, describe, panels
from echoproto.compare.results import Cell

Rows = list[dict[str, Any]]


def medians(figures: Figures, cells: Iterable[Cell], measure: Measure) -> Rows:
    """Return a row for each contestant in each cell in which the measure is known."""
    return [
        {
            "contestant": figure.contestant.name,
            "group": figure.contestant.group,
            "cell": cell,
            "load": describe(cell),
            "value": spread.median,
            "low": spread.low,
            "high": spread.high,
            "median": measure.show(spread.median),
            "rounds": f"{measure.show(spread.low)} to {measure.show(spread.high)}",
        }
        for cell in cells
        for figure in figures.under(cell)
        if (spread := figure.spreads.get(measure))
    ]


def ends_of_the_axis(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the first cell, and the last of those that differ from it along the axis only."""
    first = next(iter(panels(cells, axis(cells)).values()))
    return tuple(dict.fromkeys((first[0], first[-1])))
