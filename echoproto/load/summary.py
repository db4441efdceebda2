"""
The summary of a load: the verdict, the figures, and how far they may be trusted.
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

BUSY = 0.9
"""Share of a core from which on a process of the generator is taken to be the limit: the rest is the system's."""

SHORTEST = 0.1
"""Seconds below which a rate and a share of a core say nothing."""

LATE = 1_000
"""µs that 1 % of the messages may be sent later than the schedule says, before the generator is the limit. epoll_wait
counts in milliseconds, and so does the scheduler of a busy machine."""

LATE_SHARE = 0.1
"""And the share of the response time's p99 that this may be: less does not change the figure's first digit."""

PARTED = 2.0
"""Ratio of response time to service time from which on a note says that the two part."""

PARTED_LEAST = 1_000
"""And by how many µs more at the least."""


@frozen
class Times:
    """
    Durations, in µs.

    :ivar percentiles: p50 to p99.99, and max.
    :ivar clamped: how many were shorter or longer than can be counted.
    """

    count: int
    percentiles: dict[str, int]
    clamped: int


@frozen(kw_only=True)
class Summary:
    """
    The summary of a load.

    :ivar verdict: the worst that holds.
    :ivar exit_status: of the command.
    :ivar brief: whether so little time was measured that rates mean nothing.
    :ivar echoes_per_second: messages that came back whole, per second measured.
    :ivar response_time: ``None`` without a rate; as any of the times, also if nothing was measured.
    :ivar client_bound: whether the figures are those of the generator, not of the service.
    :ivar client_cpu_share: share of a core that each of its processes has used.
    :ivar server_cpu_us_per_echo: CPU time of all processes of the server, if they are known.
    :ivar notes: what a reader has to know, each in one line.
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
    """``p99.9`` for 99.9; ``max`` for 100."""
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
        brief=outcome.elapsed < SHORTEST,
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
    if share > BUSY and outcome.elapsed >= SHORTEST:
        yield (
            f"client limit: each process of the generator used {share:.0%} of a core, so these are its own figures, "
            "not the service's; more --processes, or a --rate, may help"
        )
    late = outcome.lag.percentile(99)
    if late > LATE and late > LATE_SHARE * outcome.response_time.percentile(99):
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
            there, waited = service.percentiles[name], response.percentiles[name]
            if waited > PARTED * there and waited > there + PARTED_LEAST:
                yield (
                    f"the two clocks part: by {name}, an echo took {show_time(there)}, but its sender waited "
                    f"{show_time(waited)}, since messages had to wait to be sent"
                )
                break
    clamped = outcome.service_time.clamped + outcome.response_time.clamped
    if clamped:
        yield f"times below 1 µs or above 60 s, which are counted as these: {clamped:,}"
