"""
What the pictures are drawn from: the median of each contestant in a cell, and how far the rounds lie apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from echoproto.compare.analysis.verdict import without_figures
from echoproto.compare.report.words import axis, describe, panels
from echoproto.compare.results import Cell, Results, Sample

Rows = list[dict[str, Any]]


def medians(
    results: Results, cells: Iterable[Cell], of: Callable[[Sample], float | None], show: Callable[[float], str]
) -> Rows:
    """
    A row for each contestant in each cell in which it has figures.

    :param of: takes from a sample what is shown; ``None`` where it has none.
    :param show: writes it with its unit.
    """
    rows: Rows = []
    for cell in cells:
        for contestant in results.contestants:
            samples = results.of(contestant.name, cell)
            values = [value for sample in samples if (value := of(sample)) is not None]
            if not values or without_figures(samples) is not None:
                continue
            low, high = min(values), max(values)
            rows.append(
                {
                    "contestant": contestant.name,
                    "group": contestant.group,
                    "cell": cell,
                    "load": describe(cell),
                    "value": median(values),
                    "low": low,
                    "high": high,
                    "median": show(median(values)),
                    "rounds": f"{show(low)} to {show(high)}",
                }
            )
    return rows


def ends_of_the_axis(results: Results) -> tuple[Cell, ...]:
    """The first cell, and the last of those that differ from it along the axis only: where most is to be seen."""
    first = next(iter(panels(results.cells, axis(results.cells)).values()))
    return tuple(dict.fromkeys((first[0], first[-1])))
