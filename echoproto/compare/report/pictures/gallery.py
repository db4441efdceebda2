"""
The pictures of a comparison: those that its figures have something for, and what is to be seen in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import altair as alt
from attrs import frozen

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.report.pictures import bars, curves, loads
from echoproto.compare.report.pictures.charts import THEME
from echoproto.compare.report.pictures.matrix import matrix
from echoproto.errors import one_line


@frozen
class Picture:
    """
    One picture.

    :ivar name: of its files, without what they end with.
    :ivar title: above it.
    :ivar explanation: two sentences: what it shows, and how it is read.
    :ivar specification: for Vega-Lite, without its version.
    """

    name: str
    title: str
    explanation: str
    specification: dict[str, Any]


TITLES = {
    "matrix": "All of it",
    "throughput": "How much comes back",
    "p99": "How late the late ones are",
    "spectrum": "How late the rare ones are",
    "cost": "What an echo costs",
    "memory": "What a connection costs",
}
"""Of all pictures, in the order in which they are shown."""

EXPLANATIONS = {
    "matrix": (
        "Each contestant in each load, as a multiple of the baseline: blue is better, orange is worse, the darker, the "
        "more. “=” is no difference that could be measured, “?” one that the rounds differ too much for, and “CPU” "
        "the processor time of an echo, which tells more where the generator was the limit."
    ),
    "throughput": (
        "Echoes a second, as the median over all rounds, with a mark from the worst round to the best. A line that "
        "falls is a server whose work grows with what it has to watch, not only with what happens."
    ),
    "p99": (
        "The time that 99 of 100 echoes did not exceed, as the median over all rounds, on a logarithmic axis. Without "
        "a rate, the generator sends the next message only when the last one is back: then this is what an echo takes "
        "under full load, not what somebody waits who comes by a clock of his own."
    ),
    "spectrum": (
        "Each step to the right is about the rarer echoes: at p99, one in a hundred took at least as long as the line "
        "is high. A line that stays flat to the far right is a server without stalls; each is that of the round with "
        "the median p99."
    ),
    "cost": (
        "The server's time on the processor for each echo, in the kernel and outside of it, and the system calls that "
        "it makes for it, which were counted in a run of their own. This still tells two servers apart where the "
        "generator is the limit, and it says how many of them a machine can carry."
    ),
    "memory": (
        "By how much the server's resident memory grew for each connection, where there were most of them. The "
        "kernel's own buffers are not in it; they are the same for all."
    ),
}
"""Two sentences on each: what it shows, and how it is read."""


def pictures(figures: Figures) -> tuple[Picture, ...]:
    """Draw all pictures for which there is something to show."""
    return tuple(_pictures(figures))


def _pictures(figures: Figures) -> Iterator[Picture]:
    makers: dict[str, Callable[[Figures], alt.TopLevelMixin | None]] = {
        "matrix": matrix,
        "throughput": loads.throughput,
        "p99": loads.p99,
        "spectrum": curves.spectrum,
        "cost": bars.cost,
        "memory": bars.memory,
    }
    for name, title in TITLES.items():
        chart = makers[name](figures)
        if chart is not None:
            specification = chart.to_dict()
            specification.pop("$schema")
            yield Picture(name, title, EXPLANATIONS[name], {**_printable(specification), "config": THEME})


def _printable(part: Any) -> Any:
    """A part of a specification, in whose texts nothing is left that an SVG can't hold; names come from others."""
    if isinstance(part, dict):
        return {key: _printable(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_printable(value) for value in part]
    return one_line(part) if isinstance(part, str) else part
