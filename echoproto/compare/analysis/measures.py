"""
The measures of a comparison: throughput, latency, CPU time and memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import frozen

from echoproto.compare.results import Cell, Sample
from echoproto.units import show_time

MIN_HELD_CONNECTIONS = 500
"""Minimum number of connections to measure their memory, above the noise of an allocator's reserve."""

KIB = 1024


@frozen
class Measure:
    """
    One figure of a sample.

    :ivar name: name in a sentence.
    :ivar of: returns its value in a sample; ``None`` if it was not measured, or was too small.
    :ivar more_is_better: true if a larger value is better.
    :ivar show: formats a value, with its unit unless the name contains it.
    :ivar short: short name.
    :ivar times: words after a ratio, as in "1.68 × the CPU time"; empty for throughput, the default measure.
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
    """Return a function for a percentile in µs: of the response time with a rate, else of the service time."""

    def of(sample: Sample) -> float | None:
        times = sample.service_time_us if sample.cell.rate is None else sample.response_time_us
        return times.get(percentile) or None

    return of


def _cpu(sample: Sample) -> float | None:
    return sample.server_cpu_us_per_echo or None


def _memory(sample: Sample) -> float | None:
    """Return the growth of the server's resident memory per connection, in bytes."""
    held = sample.cell.connections + sample.cell.idle
    if sample.idle_rss_bytes is None or sample.busy_rss_bytes is None or held < MIN_HELD_CONNECTIONS:
        return None
    return (sample.busy_rss_bytes - sample.idle_rss_bytes) / held


def _show_count(value: float) -> str:
    return f"{value:,.0f}"


def _show_memory(size: float) -> str:
    """Format bytes as KiB or MiB, to about two digits."""
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
"""All measures, in the order of a table's columns."""


def measure_of(cell: Cell) -> Measure:
    """Return the main measure of a cell: p99 latency at a fixed rate, else throughput."""
    return THROUGHPUT if cell.rate is None else P99


def values(samples: Iterable[Sample], measure: Measure) -> list[tuple[int, float]]:
    """Return round and value of each sample with a value."""
    return [(sample.round, value) for sample in samples if (value := measure.of(sample)) is not None]


def pairs(samples: Iterable[Sample], others: Iterable[Sample], measure: Measure) -> tuple[tuple[float, float], ...]:
    """Return the values of two contestants, for each round in which both have one."""
    theirs = dict(values(others, measure))
    return tuple((value, theirs[number]) for number, value in values(samples, measure) if number in theirs)
