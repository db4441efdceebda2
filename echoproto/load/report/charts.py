"""
The charts of a load, and their data.
"""

from __future__ import annotations

import altair as alt

from echoproto.load.outcome import Outcome
from echoproto.pages.charts import Rows, axis_from_zero, axis_of_times, by_rarity, percentile_axis

WIDTH = 720
"""Pixels of each chart, without its labels."""

MAX_SECOND_TICKS = 10
"""Ticks to ask for on the axis of seconds; with more than one a second, labels of whole seconds would repeat."""

COLORS = {"service time": "#3b6ea5", "response time": "#c8553d"}


def spectrum_rows(outcome: Outcome) -> Rows:
    """Return the points of both distributions: percentile, rarity, and time in µs."""
    return [
        {"clock": clock, "percent": percent, "rare": rare, "time": time}
        for clock, histogram in (("service time", outcome.service_time), ("response time", outcome.response_time))
        for percent, rare, time in by_rarity(histogram.spectrum())
    ]


def spectrum_chart(rows: Rows) -> alt.Chart:
    """
    Draw the latency at each percentile.

    :param rows: rows of `spectrum_rows`, at least one.
    """
    clocks = [clock for clock in COLORS if any(row["clock"] == clock for row in rows)]
    color = alt.Scale(domain=clocks, range=[COLORS[clock] for clock in clocks])
    line = alt.Chart(alt.Data(values=rows)).mark_line(interpolate="step-after", strokeWidth=2)
    chart: alt.Chart = line.encode(
        x=percentile_axis("rare", max(row["rare"] for row in rows)),
        y=axis_of_times([row["time"] for row in rows], "Latency").encode("time"),
        color=alt.Color("clock:N", scale=color, title="Latency as", legend=alt.Legend(symbolType="stroke", offset=24)),
    )
    return chart.properties(width=WIDTH, height=320)


def second_rows(outcome: Outcome) -> Rows:
    """Return each whole measured second: echoes, errors, and p99 in µs, or ``None`` without echoes."""
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


def seconds_chart(rows: Rows) -> alt.VConcatChart:
    """
    Draw throughput above p99 latency, over the same seconds.

    :param rows: rows of `second_rows`, at least one with a p99.
    """
    scale, axis = (
        alt.Scale(domain=[0, len(rows)], nice=False),
        alt.Axis(tickCount=min(len(rows), MAX_SECOND_TICKS), format="d"),
    )
    x = alt.X("second:Q", title=None, scale=scale, axis=axis)
    base = alt.Chart(alt.Data(values=rows), width=WIDTH).encode(x2="end:Q")
    throughput = axis_from_zero([row["echoes"] for row in rows], "Echoes per second")
    latency = axis_of_times([row["p99"] for row in rows if row["p99"]], "p99 latency (service time)")
    bars = base.mark_bar(color=COLORS["service time"], opacity=0.75).encode(
        x=x,
        y=throughput.encode("echoes"),
        y2=alt.datum(0),  # otherwise each bar is a mark at its height
    )
    rules = base.mark_rule(color=COLORS["service time"], strokeWidth=3).encode(
        x=x.title("Seconds since measuring began"), y=latency.encode("p99")
    )
    return alt.vconcat(bars.properties(height=160), rules.properties(height=120))
