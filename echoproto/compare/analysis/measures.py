"""
The measures by which servers are compared: how much came back, how late, and what it cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import frozen

from echoproto.compare.results import Cell, Sample
from echoproto.units import show_time

LEAST_HELD = 500
"""Connections below which their memory drowns in what an allocator has in reserve."""

KIB = 1024


@frozen
class Measure:
    """
    One figure of a sample.

    :ivar name: as it stands in a sentence.
    :ivar of: takes it from a sample; ``None`` where it was not measured, or was too little to be.
    :ivar more_is_better: whether it is good to have much of it.
    :ivar show: writes a value, with its unit where the name does not say it.
    :ivar short: the name where there is little room.
    :ivar times: the words after a ratio of it: "1.68 × the CPU time".

    Throughput has no words after its ratio: it is meant where nothing is said.
    """

    name: str
    of: Callable[[Sample], float | None]
    more_is_better: bool
    show: Callable[[float], str] = show_time
    short: str = ""
    times: str = ""


def _throughput(sample: Sample) -> float | None:
    return sample.echoes_per_second or None


def _late(percentile: str) -> Callable[[Sample], float | None]:
    """A percentile in µs, from when messages were due if there was a rate, else from when they were sent."""

    def of(sample: Sample) -> float | None:
        times = sample.service_time_us if sample.cell.rate is None else sample.response_time_us
        return times.get(percentile) or None

    return of


def _cpu(sample: Sample) -> float | None:
    return sample.server_cpu_us_per_echo or None


def _memory(sample: Sample) -> float | None:
    """Bytes by which each connection has made the server's resident memory larger."""
    held = sample.cell.connections + sample.cell.idle
    if sample.idle_rss_bytes is None or sample.busy_rss_bytes is None or held < LEAST_HELD:
        return None
    return (sample.busy_rss_bytes - sample.idle_rss_bytes) / held


def _show_count(value: float) -> str:
    return f"{value:,.0f}"


def _show_memory(size: float) -> str:
    """Bytes as KiB or MiB, to two digits or so."""
    kib = size / KIB
    if kib >= KIB:
        return f"{kib / KIB:.1f} MiB"
    return f"{kib:.0f} KiB" if kib >= 10 else f"{kib:.1f} KiB"  # noqa: PLR2004


THROUGHPUT = Measure("echoes/s", _throughput, more_is_better=True, show=_show_count)
P50 = Measure("p50", _late("p50"), more_is_better=False)
P99 = Measure("p99", _late("p99"), more_is_better=False, short="p99", times="the p99")
CPU = Measure("CPU time per echo", _cpu, more_is_better=False, short="CPU", times="the CPU time")
MEMORY = Measure("memory per connection", _memory, more_is_better=False, show=_show_memory)

MEASURES = (THROUGHPUT, P50, P99, CPU, MEMORY)
"""All of them, in the order of a table's columns."""


def measure_of(cell: Cell) -> Measure:
    """Return the measure that decides in a cell: throughput, but lateness where all are held to one rate."""
    return THROUGHPUT if cell.rate is None else P99


def values(samples: Iterable[Sample], measure: Measure) -> list[tuple[int, float]]:
    """Return the round and the value of each sample that has one."""
    return [(sample.round, value) for sample in samples if (value := measure.of(sample)) is not None]


def pairs(samples: Iterable[Sample], others: Iterable[Sample], measure: Measure) -> tuple[tuple[float, float], ...]:
    """Return the values of two contestants in each round in which both have one."""
    theirs = dict(values(others, measure))
    return tuple((value, theirs[number]) for number, value in values(samples, measure) if number in theirs)
