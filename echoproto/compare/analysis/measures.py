"""
What of a sample is compared: how much came back, how late, and what it cost the server.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from attrs import frozen

from echoproto.compare.results import Cell, Results, Sample

LEAST_HELD = 500
"""Connections below which their memory drowns in what an allocator has in reserve."""


@frozen
class Measure:
    """
    One figure of a sample.

    :ivar name: as it stands above a column.
    :ivar of: takes it from a sample; ``None`` where it was not measured.
    :ivar more_is_better: whether it is good to have much of it.
    :ivar short: the same where there is little room.
    :ivar times: what follows a ratio of it: "1.68 × the processor time".

    Of throughput, these two are empty: it is what is meant where nothing is said.
    """

    name: str
    of: Callable[[Sample], float | None]
    more_is_better: bool
    short: str = ""
    times: str = ""


def _throughput(sample: Sample) -> float | None:
    return sample.echoes_per_second or None


def late_us(sample: Sample, name: str) -> int | None:
    """
    A percentile in µs, from when messages were due if there was a rate, else from when they were sent.

    :param name: such as ``p99``.
    """
    times = sample.service_time_us if sample.cell.rate is None else sample.response_time_us
    return times.get(name) or None


def _p99(sample: Sample) -> float | None:
    return late_us(sample, "p99")


def _cpu(sample: Sample) -> float | None:
    return sample.server_cpu_us or None


def memory_per_connection(sample: Sample) -> float | None:
    """
    Bytes that each connection has made the server's resident memory larger by.

    :return: ``None`` if that is unknown, or if there were too few of them to tell.
    """
    held = sample.cell.connections + sample.cell.idle
    if sample.idle_rss is None or sample.busy_rss is None or held < LEAST_HELD:
        return None
    return (sample.busy_rss - sample.idle_rss) / held


THROUGHPUT = Measure("echoes/s", _throughput, more_is_better=True)
P99 = Measure("p99", _p99, more_is_better=False, short="p99", times="the p99")
CPU = Measure("processor time per echo", _cpu, more_is_better=False, short="CPU", times="the processor time")


def measure_of(cell: Cell) -> Measure:
    """What decides in a cell: throughput; but where a rate is set, which all of them hold, how late they are."""
    return THROUGHPUT if cell.rate is None else P99


def middle(samples: tuple[Sample, ...], of: Callable[[Sample], float | None]) -> float | None:
    """The median of a figure over all rounds in which it was measured; ``None`` if it was in none."""
    found = [value for sample in samples if (value := of(sample)) is not None]
    return median(found) if found else None


def pairs(
    results: Results, contestant: str, baseline: str, cell: Cell, measure: Measure
) -> tuple[tuple[float, float], ...]:
    """A figure of two contestants, of each round in which both have it."""
    others = {sample.round: measure.of(sample) for sample in results.of(baseline, cell)}
    found = [(measure.of(sample), others.get(sample.round)) for sample in results.of(contestant, cell)]
    return tuple((one, other) for one, other in found if one is not None and other is not None)
