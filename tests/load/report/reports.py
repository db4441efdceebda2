"""A made-up report, as what prints and draws reports needs one."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from echoproto.load.histogram import Histogram
from echoproto.load.outcome import Outcome, Second
from echoproto.load.report.document import Report
from echoproto.load.search import Found
from echoproto.load.summary import summarise
from echoproto.load.workload import Target, Transport, Workload

WORKLOAD = Workload(target=Target(Transport.TCP, "127.0.0.1", 8888), seed=42)
NASTY = "</svg><script>document.title='harmed'</script>[bold]\x1b[31m\r\n"
"""What no report may take for its own."""


def histogram(*milliseconds: float) -> Histogram:
    made = Histogram()
    made.record(time / 1000 for time in milliseconds)
    return made


def report(workload: Workload = WORKLOAD, found: Found | None = None, **changes: Any) -> Report:
    """Of a run of five seconds that is good, but for what is said here; in one of them, nothing came back."""
    second = Second(100, 0, histogram(*[1.0] * 99, 3.0))
    whole = histogram(*[1.0] * 396, *[3.0] * 4)
    outcome = Outcome(
        sent=25600,
        acked=25600,
        messages=400,
        connected=50,
        elapsed=5.2,
        cpu=1.0,
        service_time=whole,
        connect_time=histogram(*[0.2] * 50),
        seconds={number: second for number in range(5) if number != 3},
    )
    outcome = evolve(outcome, **changes)
    return Report(workload, outcome, summarise(workload, outcome), {"date": "2026-01-01"}, found)
