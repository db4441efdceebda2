"""
The summary of a load: the verdict, the figures, and notes on their reliability.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from echoproto.errors import INTERRUPTED
from echoproto.load import errors
from echoproto.load.histogram import PERCENTILES, Histogram
from echoproto.load.outcome import Outcome
from echoproto.load.verdict import HARMS, LoadVerdict
from echoproto.load.workload import Workload
from echoproto.units import counted, show_time

STATUSES = {
    **dict.fromkeys((*HARMS, LoadVerdict.FAILED), errors.HARMED),
    LoadVerdict.UNREACHABLE: errors.UNREACHABLE,
    LoadVerdict.NOTHING: errors.UNREACHABLE,
    LoadVerdict.CLIENT_LIMIT: errors.CLIENT_LIMIT,
    LoadVerdict.GOOD: errors.GOOD,
}
"""Exit statuses by verdict."""

MAX_CPU_SHARE = 0.9
"""Share of a core above which a generator process counts as the bottleneck; the system uses the rest."""

MIN_MEASURED_SECONDS = 0.1
"""Measured time below which a rate and a share of a core mean nothing."""

MAX_LAG_US = 1_000
"""Maximum p99 of the lag in µs, before the generator counts as the bottleneck; epoll_wait and the scheduler of a busy
machine count in milliseconds."""

MAX_LAG_SHARE = 0.1
"""Maximum p99 of the lag as a share of the response time's p99: less does not change the figure's first digit."""

MAX_CLOCK_RATIO = 2.0
"""Maximum ratio of response time to service time without a note on their difference."""

MAX_CLOCK_DIFFERENCE_US = 1_000
"""Maximum difference of response time and service time in µs without a note."""


@frozen
class Times:
    """
    Durations, in µs.

    :ivar percentiles: p50 to p99.99, and max.
    :ivar clamped: number of durations out of the histogram's range.
    """

    count: int
    percentiles: dict[str, int]
    clamped: int


@frozen(kw_only=True)
class Summary:
    """
    The summary of a load.

    :ivar verdict: the worst verdict that holds.
    :ivar exit_status: exit status of the command.
    :ivar brief: true if the measured time is too short for rates.
    :ivar echoes_per_second: messages that came back complete, per measured second.
    :ivar response_time: ``None`` without a rate; like all times, also ``None`` if none was measured.
    :ivar client_bound: true if the generator, not the service, was the bottleneck.
    :ivar client_cpu_share: share of a core that each generator process used.
    :ivar server_cpu_us_per_echo: CPU time of all processes of the server, if they are known.
    :ivar notes: notes for the reader, each in one line.
    """

    verdict: LoadVerdict
    exit_status: int
    brief: bool
    echoes_per_second: float
    service_time: Times | None
    response_time: Times | None
    connect_time: Times | None
    first_byte_time: Times | None
    lag: Times | None
    client_bound: bool
    client_cpu_share: float
    server_cpu_us_per_echo: float | None
    notes: tuple[str, ...]


def percentile_name(percent: float) -> str:
    """Return the name of a percentile: ``p99.9`` for 99.9, ``max`` for 100."""
    return f"p{percent:g}" if percent < 100 else "max"  # noqa: PLR2004 - the whole, in %


def times(histogram: Histogram) -> Times | None:
    """Return the figures of a histogram; ``None`` if it is empty."""
    if not histogram.count:
        return None
    found = histogram.percentiles(*PERCENTILES, 100)
    named = {percentile_name(percent): time for percent, time in found.items()}
    return Times(histogram.count, named, histogram.clamped)


def summarise(workload: Workload, outcome: Outcome) -> Summary:
    """Summarise the outcome of a workload."""
    limits = tuple(_limits(workload, outcome))
    verdict = _verdict(outcome, client_bound=bool(limits))
    service, response = times(outcome.service_time), times(outcome.response_time)
    echoes, known = outcome.messages, outcome.server_cpu
    return Summary(
        verdict=verdict,
        exit_status=INTERRUPTED if outcome.interrupted else STATUSES[verdict],
        brief=outcome.elapsed < MIN_MEASURED_SECONDS,
        echoes_per_second=echoes / outcome.elapsed if outcome.elapsed else 0.0,
        service_time=service,
        response_time=response,
        connect_time=times(outcome.connect_time),
        first_byte_time=times(outcome.first_byte_time),
        lag=times(outcome.lag),
        client_bound=bool(limits),
        client_cpu_share=_cpu_share(workload, outcome),
        server_cpu_us_per_echo=known * 1e6 / echoes if known is not None and echoes else None,
        notes=(*limits, *_notes(outcome, service, response)),
    )


def _verdict(outcome: Outcome, *, client_bound: bool) -> LoadVerdict:
    """Return the worst verdict that holds."""
    harmed = {kind for kind, count in outcome.findings.items() if count}
    if outcome.lost:
        harmed.add("lost")
    if harmed:
        return next(harm for harm in HARMS if harm in harmed)
    if outcome.own_limits:
        return LoadVerdict.CLIENT_LIMIT
    if outcome.errors:
        refused = outcome.errors.keys() <= errors.REFUSALS and not outcome.messages
        return LoadVerdict.UNREACHABLE if refused else LoadVerdict.FAILED
    if not outcome.messages and not outcome.interrupted:
        return LoadVerdict.NOTHING
    return LoadVerdict.CLIENT_LIMIT if client_bound else LoadVerdict.GOOD


def _cpu_share(workload: Workload, outcome: Outcome) -> float:
    return outcome.cpu / outcome.elapsed / workload.processes if outcome.elapsed else 0.0


def _limits(workload: Workload, outcome: Outcome) -> Iterator[str]:
    """Yield a note for each limit of the generator itself."""
    for name, count in sorted(outcome.own_limits.items()):
        yield f"client limit: the generator ran out of {name}, {counted(count, 'time')}"
    share = _cpu_share(workload, outcome)
    if share > MAX_CPU_SHARE and outcome.elapsed >= MIN_MEASURED_SECONDS:
        yield (
            f"client limit: each process of the generator used {share:.0%} of a core, so these are its own figures, "
            "not the service's; more --processes, or a --rate, may help"
        )
    late = outcome.lag.percentile(99)
    if late > MAX_LAG_US and late > MAX_LAG_SHARE * outcome.response_time.percentile(99):
        yield f"client limit: 1 % of the messages were sent {show_time(late)} or more after their time"


def _notes(outcome: Outcome, service: Times | None, response: Times | None) -> Iterator[str]:
    """Yield further notes for the reader."""
    if outcome.interrupted:
        yield "partial: it was interrupted"
    if outcome.unsent:
        what = counted(outcome.unsent, "message of the schedule was", "messages of the schedule were")
        yield f"the rate was not held: {what} not sent"
    if service and response:
        for name in ("p50", "p99"):
            served, waited = service.percentiles[name], response.percentiles[name]
            if waited > MAX_CLOCK_RATIO * served and waited > served + MAX_CLOCK_DIFFERENCE_US:
                yield (
                    f"messages waited to be sent: {name} of the service time is {show_time(served)}, but {name} of "
                    f"the response time is {show_time(waited)}"
                )
                break
    clamped = outcome.service_time.clamped + outcome.response_time.clamped
    if clamped:
        yield f"times below 1 µs or above 60 s, which are counted as these: {clamped:,}"
