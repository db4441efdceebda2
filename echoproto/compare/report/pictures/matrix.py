"""
The picture of all loads: the ratio of each contestant to the baseline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.analysis.verdict import Kind, Verdict, show_multiple
from echoproto.compare.report.words import describe, labels
from echoproto.compare.results import Cell
from echoproto.pages.charts import TEXT, Rows

CELL_WIDTH = 104
CELL_HEIGHT = 26
LABEL_LINE = 14
"""Pixels; the last of a line above the columns."""

NEW_LINE = "|"
"""Between the lines above a column; Vega has none of its own."""

WORSE, EQUAL, BETTER = "#c4601d", "#f4f4f4", "#2a6fb0"
"""Ends and middle of the scale: orange and blue, which all kinds of sight can tell apart."""

FULL_COLOR = 2.0
"""Powers of two from which on a ratio has the full colour: four times as good, or as bad."""

DARK = 1.6
"""Powers of two from which on text in a colour has to be white."""

LEGEND = {-2: "4 × worse", 0: "equal", 2: "4 × better"}
"""Labels of powers of two."""

WORDS = {
    Kind.NOT_MEASURED: "–",
    Kind.NOT_POSSIBLE: "not possible",
    Kind.FAILED: "failed",
    Kind.BASELINE: "baseline",
    Kind.NOTHING_TO_COMPARE: "?",
    Kind.SAME: "=",
}
"""Texts of verdicts that have no ratio to show."""


def matrix(figures: Figures) -> alt.TopLevelMixin | None:
    """
    Draw a row for each contestant, the best one first, and a column for each cell.

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
    top = alt.Axis(
        orient="top",
        labelAngle=0,
        labelPadding=6 + LABEL_LINE * columns[0].count(NEW_LINE),
        domain=False,
        ticks=False,
        labelLimit=CELL_WIDTH - 4,
        labelExpr=f"split(datum.label, '{NEW_LINE}')",
    )
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("cell:N", sort=columns, title=None, axis=top),
        y=alt.Y("contestant:N", sort=_order(rows), title=None, axis=alt.Axis(domain=False, ticks=False)),
        tooltip=["contestant:N", "load:N", "verdict:N"],
    )
    fields = base.mark_rect(stroke="white", strokeWidth=2).encode(
        color=alt.when("isValid(datum.good)").then(_color()).otherwise(alt.value("white"))
    )
    texts = base.mark_text(fontSize=12).encode(
        text="text:N", color=alt.when("datum.dark").then(alt.value("white")).otherwise(alt.value(TEXT))
    )
    return alt.layer(fields, texts).properties(width=alt.Step(CELL_WIDTH), height=alt.Step(CELL_HEIGHT))


def _color() -> alt.Color:
    scale = alt.Scale(domain=[-FULL_COLOR, 0, FULL_COLOR], range=[WORSE, EQUAL, BETTER], clamp=True, interpolate="lab")
    labels = " : ".join(f"datum.value === {power} ? '{label}'" for power, label in LEGEND.items())
    legend = alt.Legend(
        orient="bottom",
        titleOrient="top",
        values=list(LEGEND),
        labelExpr=f"{labels} : ''",
        gradientLength=2 * CELL_WIDTH,
        offset=8,
    )
    return alt.Color("good:Q", title="Compared with the baseline", scale=scale, legend=legend)


def _columns(cells: Sequence[Cell]) -> dict[Cell, str]:
    """Return the names of the cells, on equally many lines; the last line stands nearest to the cell."""
    parts = {cell: name.split(", ") for cell, name in labels(cells).items()}
    lines = max(map(len, parts.values()))
    return {cell: NEW_LINE.join([""] * (lines - len(part)) + part) for cell, part in parts.items()}


def goodness(verdict: Verdict) -> float | None:
    """Return the power of two by which it is better than the baseline, below 0 if worse; ``None`` if unknown."""
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
    """Return the contestants by their average goodness; an unknown one counts as the worst possible."""
    sums: dict[str, float] = {}
    for row in rows:
        good = -2 * FULL_COLOR if row["good"] is None else row["good"]
        sums[row["contestant"]] = sums.get(row["contestant"], 0.0) + good
    return sorted(sums, key=lambda name: -sums[name])
