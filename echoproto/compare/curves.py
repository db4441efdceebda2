"""
Pictures with lines: how much comes back, and how late, along what the cells differ in; and how late the rare ones are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import altair as alt

from echoproto.compare.cells import axis, describe, panels
from echoproto.compare.charts import Rows, Scale, beside, color, from_zero, lines, of_times
from echoproto.compare.measures import P99, THROUGHPUT, late_us
from echoproto.compare.results import Cell, Results, Sample
from echoproto.compare.verdict import without_figures
from echoproto.load.charts import SHARES
from echoproto.load.units import show_size, show_time

AXIS_TITLES = {
    "idle": "idle connections, beside those that are busy",
    "size": "bytes of a message",
    "connections": "connections",
    "rate": "messages a second",
}


def throughput(results: Results) -> alt.TopLevelMixin | None:
    """Echoes a second over what the cells differ in; ``None`` if they don't, or nothing came back."""
    return _along(results, THROUGHPUT.of, from_zero, lambda value: f"{value:,.0f}/s")


def p99(results: Results) -> alt.TopLevelMixin | None:
    """The same for the time that 99 of 100 echoes did not exceed."""
    return _along(results, P99.of, of_times, show_time)


def _along(
    results: Results,
    of: Callable[[Sample], float | None],
    scale_of: Callable[[Sequence[float]], Scale],
    show: Callable[[float], str],
) -> alt.TopLevelMixin | None:
    along = axis(results.cells)
    if along is None:
        return None
    charts = []
    for number, (title, cells) in enumerate(panels(results.cells, along).items()):
        rows = _rows(results, cells, along, of, show)
        if len({row["x"] for row in rows}) > 1:
            charts.append(_chart(results, rows, along, scale_of, number).properties(title=title))
    return alt.vconcat(*charts) if charts else None


def _rows(
    results: Results,
    cells: Sequence[Cell],
    along: str,
    of: Callable[[Sample], float | None],
    show: Callable[[float], str],
) -> Rows:
    """The median of each contestant in each cell, and how far the rounds lie apart."""
    rows: Rows = []
    for contestant in results.contestants:
        for cell in cells:
            samples = results.of(contestant.name, cell)
            values = [value for sample in samples if (value := of(sample))] if without_figures(samples) is None else []
            if values:
                rows.append(
                    {
                        "contestant": contestant.name,
                        "group": contestant.group,
                        "x": show_axis(cell, along),
                        "y": median(values),
                        "low": min(values),
                        "high": max(values),
                        "median": show(median(values)),
                        "rounds": f"{show(min(values))} to {show(max(values))}",
                        "load": describe(cell),
                    }
                )
    return rows


def show_axis(cell: Cell, along: str) -> str:
    """Where on the axis a cell is."""
    value = getattr(cell, along)
    return "none" if value is None else show_size(value) if along == "size" else f"{value:,.6g}"


def _chart(
    results: Results, rows: Rows, along: str, scale_of: Callable[[Sequence[float]], Scale], number: int
) -> alt.LayerChart:
    scale = scale_of([value for row in rows for value in (row["low"], row["high"])])
    ends = beside(list({row["contestant"]: row for row in rows}.values()), scale)
    places = list(
        dict.fromkeys(
            show_axis(cell, along) for cell in sorted(results.cells, key=lambda cell: getattr(cell, along) or 0)
        )
    )
    x = alt.X(
        "x:O",
        sort=places,
        scale=alt.Scale(domain=places, padding=0.1),
        axis=alt.Axis(title=AXIS_TITLES[along], labelAngle=0, grid=True),
    )
    colors, tips = color(results.contestants), ["contestant", "median", "rounds", "load"]
    return lines(rows, ends, x=x, scale=scale, colors=colors, tips=tips, marks=True, number=number)


def spectrum(results: Results) -> alt.TopLevelMixin | None:
    """Times over percentiles, in the first cell and in the last that differs from it in one setting only."""
    found = [_spectrum_of(results, cell, number) for number, cell in enumerate(two_cells(results))]
    charts = [chart for chart in found if chart is not None]
    return alt.vconcat(*charts) if charts else None


def two_cells(results: Results) -> tuple[Cell, ...]:
    """The first cell, and the last of those along the same axis."""
    first = next(iter(panels(results.cells, axis(results.cells)).values()))
    return tuple(dict.fromkeys((first[0], first[-1])))


def _spectrum_of(results: Results, cell: Cell, number: int) -> alt.LayerChart | None:
    rows: Rows = []
    for contestant in results.contestants:
        samples = [sample for sample in results.of(contestant.name, cell) if sample.spectrum]
        if without_figures(tuple(samples)) is not None:
            continue
        middle = sorted(samples, key=lambda sample: late_us(sample, "p99") or 0)[len(samples) // 2]
        rarest = 1.0
        for share, time in middle.spectrum:
            rarest = 100 / (100 - share) if share < 100 else rarest  # noqa: PLR2004 - the maximum has no place of its own
            rows.append(
                {
                    "contestant": contestant.name,
                    "group": contestant.group,
                    "x": rarest,
                    "y": max(1, time),
                    "percentile": f"p{share:.6g}" if share < 100 else "max",  # noqa: PLR2004
                    "time": show_time(time),
                }
            )
    if not rows:
        return None
    scale = of_times([row["y"] for row in rows])
    farthest = max(row["x"] for row in rows)
    ends = beside([{**row, "x": farthest} for row in {row["contestant"]: row for row in rows}.values()], scale)
    ticks = {round(100 / (100 - share), 6): share for share in SHARES}
    named = " : ".join(f"datum.value < {tick * 1.5} ? 'p{share:g}'" for tick, share in ticks.items())
    x = alt.X(
        "x:Q",
        scale=alt.Scale(type="log", domain=[1, farthest], nice=False),
        axis=alt.Axis(
            title="percentile: so many echoes took no longer",
            values=[tick for tick in ticks if tick <= farthest],
            labelExpr=f"{named} : ''",
        ),
    )
    colors, tips = color(results.contestants), ["contestant", "percentile", "time"]
    chart = lines(rows, ends, x=x, scale=scale, colors=colors, tips=tips, marks=False, number=number)
    return chart.properties(title=describe(cell))
