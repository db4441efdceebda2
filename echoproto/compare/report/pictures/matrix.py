"""
The picture of all cells: who is better than the baseline where, and by how much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.analysis.verdict import Kind, Verdict, show_multiple
from echoproto.compare.report.pictures.rows import Rows
from echoproto.compare.report.words import describe, labels
from echoproto.compare.results import Cell

CELL_WIDTH = 104
CELL_HEIGHT = 26
LABEL_LINE = 14
"""Pixels; the last of a line above the columns."""

NEW_LINE = "|"
"""What parts the lines above a column; Vega has none of its own."""

WORSE, EQUAL, BETTER = "#c4601d", "#f4f4f4", "#2a6fb0"
"""Ends and middle of the scale: orange and blue, which nobody takes for each other."""

FARTHEST = 2.0
"""Powers of two from which on a ratio has the full colour: four times as good, or as bad."""

DARK = 1.6
"""And those from which on text in it has to be white."""

WORDS = {
    Kind.NOT_MEASURED: "–",
    Kind.NOT_POSSIBLE: "not possible",
    Kind.FAILED: "failed",
    Kind.BASELINE: "baseline",
    Kind.NOTHING_TO_COMPARE: "?",
    Kind.SAME: "=",
}
"""Of verdicts that have no ratio to show."""


def matrix(figures: Figures) -> alt.TopLevelMixin | None:
    """
    A row for each contestant, the best one first, and a column for each cell.

    :return: ``None`` if nothing is compared.
    """
    if not any(each.verdict.ratio for each in figures):
        return None
    names = _columns(figures.results.cells)
    rows: Rows = [
        {
            "contestant": each.contestant.name,
            "cell": names[each.cell],
            "good": goodness(each.verdict),
            "text": _text(each.verdict),
            "verdict": str(each.verdict),
            "load": describe(each.cell),
            "dark": abs(goodness(each.verdict) or 0) > DARK,
        }
        for each in figures
    ]
    columns = list(dict.fromkeys(row["cell"] for row in rows))
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "cell:N",
            sort=columns,
            title=None,
            axis=alt.Axis(
                orient="top",
                labelAngle=0,
                labelPadding=6 + LABEL_LINE * (columns[0].count(NEW_LINE)),
                domain=False,
                ticks=False,
                labelLimit=CELL_WIDTH - 4,
                labelExpr=f"split(datum.label, '{NEW_LINE}')",
            ),
        ),
        y=alt.Y("contestant:N", sort=_order(rows), title=None, axis=alt.Axis(domain=False, ticks=False)),
        tooltip=["contestant:N", "load:N", "verdict:N"],
    )
    scale = alt.Scale(domain=[-FARTHEST, 0, FARTHEST], range=[WORSE, EQUAL, BETTER], clamp=True, interpolate="lab")
    fields = base.mark_rect(stroke="white", strokeWidth=2).encode(
        color=alt.condition("isValid(datum.good)", alt.Color("good:Q", scale=scale, legend=None), alt.value("white"))
    )
    texts = base.mark_text(fontSize=12).encode(
        text="text:N", color=alt.condition("datum.dark", alt.value("white"), alt.value("#222222"))
    )
    return alt.layer(fields, texts).properties(width=alt.Step(CELL_WIDTH), height=alt.Step(CELL_HEIGHT))


def _columns(cells: Sequence[Cell]) -> dict[Cell, str]:
    """The names of the cells, on as many lines each, of which the last stands nearest to the cell."""
    parts = {cell: name.split(", ") for cell, name in labels(cells).items()}
    lines = max(map(len, parts.values()))
    return {cell: NEW_LINE.join([""] * (lines - len(part)) + part) for cell, part in parts.items()}


def goodness(verdict: Verdict) -> float | None:
    """The power of two by which it is better than the baseline, below 0 if it is worse; ``None`` if that is unknown."""
    if verdict.kind is Kind.BASELINE:
        return 0.0
    if verdict.ratio is None:
        return None
    power = math.log2(verdict.ratio.value)
    return power if verdict.measure.more_is_better else -power


def _text(verdict: Verdict) -> str:
    if verdict.kind in WORDS:
        return WORDS[verdict.kind]
    if verdict.ratio is None:
        return verdict.kind.value
    number = " ".join(filter(None, [verdict.measure.short, show_multiple(verdict.ratio.value)]))
    return f"{number} ?" if verdict.kind is Kind.NOISY else number


def _order(rows: Rows) -> list[str]:
    """The contestants, by how good they are on the average; what is not possible is as bad as can be."""
    sums: dict[str, float] = {}
    for row in rows:
        good = -2 * FARTHEST if row["good"] is None else row["good"]
        sums[row["contestant"]] = sums.get(row["contestant"], 0.0) + good
    return sorted(sums, key=lambda name: -sums[name])
