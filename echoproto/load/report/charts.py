"""
The pictures of a load, as specifications of Vega-Lite, and what they show as tables.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from echoproto.load.outcome import Outcome

WIDTH = 760
"""Pixels of each picture."""

SHARES = (50.0, 75.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999)
"""Percentiles that are named on the axis, as far as there are any."""

COLORS = {"service time": "#3b6ea5", "response time": "#c8553d"}

Rows = list[dict[str, Any]]

CONFIG = {
    "font": "sans-serif",
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "gridColor": "#e4e4e4"},
    "legend": {"labelFontSize": 12, "title": None, "orient": "top"},
    "view": {"stroke": None},
}

MICROSECONDS = (
    "datum.value < 1000 ? format(datum.value, ',') + ' µs' : "
    "datum.value < 1000000 ? format(datum.value / 1000, ',') + ' ms' : format(datum.value / 1000000, ',') + ' s'"
)
"""How Vega labels a time; as `echoproto.units.show_time` shows it."""


DECADES = 2
"""Powers of ten on an axis of times up to which 2 and 5 are marked as well."""


def time_axis(times: Sequence[int]) -> dict[str, Any]:
    """
    A logarithmic axis for some times, whose ends and marks are 1, 2 and 5, or powers of ten if these would be many.

    :param times: in µs, 1 or more each, and at least one of them.
    """
    low, high = min(times), max(times)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= DECADES else (1,)
    marks = [step * 10**power for power in range(first, last + 1) for step in steps]
    low = max(mark for mark in marks if mark <= low)
    high = min(mark for mark in marks if mark >= high and mark > low) if high > low or low < marks[-1] else low * 10
    return {
        "type": "quantitative",
        "scale": {"type": "log", "domain": [low, high], "nice": False},
        "axis": {"values": [mark for mark in marks if low <= mark <= high], "labelExpr": MICROSECONDS, "title": None},
    }


def spectrum_rows(outcome: Outcome) -> Rows:
    """The points of both clocks: percentile, how rare what is above it is (1 in so many), and the time in µs."""
    rows: Rows = []
    for clock, histogram in (("service time", outcome.service_time), ("response time", outcome.response_time)):
        points = histogram.spectrum()
        rarest = 1.0
        for percent, time in points:
            rarest = 100 / (100 - percent) if percent < 100 else rarest  # noqa: PLR2004 - the maximum has no place of its own
            rows.append({"clock": clock, "percent": percent, "rare": rarest, "time": time})
    return rows


def spectrum_chart(rows: Rows) -> dict[str, Any]:
    """
    Times over percentiles, each ten times rarer than the one before as wide as the others.

    :param rows: at least one.
    """
    rarest = max(row["rare"] for row in rows)
    clocks = [clock for clock in COLORS if any(row["clock"] == clock for row in rows)]
    ticks = [round(100 / (100 - share), 6) for share in SHARES]
    labels = " : ".join(f"datum.value < {tick * 1.5} ? 'p{share:g}'" for tick, share in zip(ticks, SHARES, strict=True))
    return {
        **_chart(rows, 320),
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {
            "x": {
                "field": "rare",
                "type": "quantitative",
                "scale": {"type": "log", "domainMin": 1},
                "axis": {
                    "title": "percentile: so many messages took no longer",
                    "values": [tick for tick in ticks if tick <= rarest],
                    "labelExpr": f"{labels} : ''",
                },
            },
            "y": {"field": "time", **time_axis([row["time"] for row in rows])},
            "color": {
                "field": "clock",
                "type": "nominal",
                "scale": {"domain": clocks, "range": [COLORS[clock] for clock in clocks]},
            },
        },
    }


def second_rows(outcome: Outcome) -> Rows:
    """Each whole second that was measured: echoes, errors, and p99 in µs (``None`` where nothing came back)."""
    rows: Rows = []
    for number in range(int(outcome.elapsed)):
        second = outcome.seconds.get(number)
        times = second.times if second else None
        rows.append(
            {
                "second": number,
                "end": number + 1,
                "echoes": second.echoes if second else 0,
                "errors": second.errors if second else 0,
                "p99": times.percentile(99) if times and times.count else None,
            }
        )
    return rows


def seconds_chart(rows: Rows) -> dict[str, Any]:
    """
    Throughput above, p99 below, over the same seconds.

    :param rows: of which one has a p99, at least.
    """
    end = len(rows)
    axis = {"title": "seconds since measuring began", "tickMinStep": 1, "format": "d"}
    x = {
        "field": "second",
        "type": "quantitative",
        "scale": {"domain": [0, end], "nice": False},
        "axis": axis,
    }
    echoes = {
        "width": WIDTH,
        "height": 160,
        "mark": {"type": "bar", "color": COLORS["service time"], "opacity": 0.75},
        "encoding": {
            "x": {**x, "axis": {**axis, "title": None}},
            "x2": {"field": "end"},
            "y": {
                "field": "echoes",
                "type": "quantitative",
                "scale": {"zero": True},
                "axis": {"title": "echoes per second", "format": ",d"},
            },
            "y2": {"datum": 0},  # else each is a mark at its height, on an axis that begins anywhere
        },
    }
    late_axis = time_axis([row["p99"] for row in rows if row["p99"]])
    late_axis["axis"]["title"] = "p99, service time"
    late = {
        "width": WIDTH,
        "height": 120,
        "mark": {"type": "rule", "color": COLORS["service time"], "strokeWidth": 3},
        "encoding": {
            "x": x,
            "x2": {"field": "end"},
            "y": {"field": "p99", **late_axis},
        },
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "config": CONFIG,
        "data": {"values": rows},
        "vconcat": [echoes, late],
    }


def _chart(rows: Rows, height: int) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "config": CONFIG,
        "width": WIDTH,
        "height": height,
        "data": {"values": rows},
    }
