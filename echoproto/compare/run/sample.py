"""
One sample: a server is started, put under load, measured, and ended.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import sysconfig
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from attrs import evolve, frozen

from echoproto.compare.results import NOT_POSSIBLE, Cell, Contestant, Sample
from echoproto.errors import EchoError
from echoproto.host.limits import pinned
from echoproto.host.serving import (
    END_SECONDS,
    HOST,
    START_SECONDS,
    accepts,
    echoes_datagrams,
    free_port,
    serving,
)
from echoproto.host.signals import Deadline, StopRequest
from echoproto.host.usage import Server
from echoproto.load.errors import ClientLimit
from echoproto.load.outcome import Outcome
from echoproto.load.processes import run
from echoproto.load.summary import summarise
from echoproto.load.verdict import LoadVerdict
from echoproto.load.workload import Churn, Target, Transport, Workload
from echoproto.units import counted

MIN_CONNECT_RATE = 500
"""Connections per second that even a slow server accepts."""

OVERTIME_SECONDS = 15.0
"""Maximum time of a load beyond its warm-up and measuring; the load gives up a stalled connection after 10 s."""

US = 1e6
"""µs in a second."""


@frozen(kw_only=True)
class Conditions:
    """
    Conditions of all samples.

    :ivar duration: seconds to measure.
    :ivar warmup: warm-up time in seconds, which does not count.
    :ivar seed: seed of the sent bytes, and of all other random values.
    :ivar server_cores: cores for servers, or ``None`` for any; likewise ``client_cores``.
    :ivar pem: path of a certificate with its key; empty if there is none.
    """

    duration: float = 1.0
    warmup: float = 0.2
    seed: int = 0
    server_cores: Collection[int] | None = None
    client_cores: Collection[int] | None = None
    pem: str = ""


def workload_for(cell: Cell, port: int, conditions: Conditions) -> Workload:
    """Translate a cell for the load generator."""
    return Workload(
        target=Target(Transport(cell.transport), HOST, port),
        connections=cell.connections,
        smallest=cell.size_bytes,
        largest=cell.size_bytes,
        duration=conditions.duration,
        warmup=conditions.warmup,
        idle=cell.idle,
        rate=cell.rate,
        churn=Churn(cell.churn) if cell.churn else None,
        greeting=b"" if cell.transport != "udp" else None,
        seed=conditions.seed,
        verify=False,
    )


@contextmanager
def server_of(
    contestant: Contestant,
    cell: Cell,
    port: int,
    conditions: Conditions,
    stop: StopRequest,
    *,
    wrapper: Sequence[str] = (),
    start_seconds: float = math.inf,
    end_seconds: float = END_SECONDS,
) -> Iterator[int]:
    """
    Run a contestant's server, and provide its process ID.

    :param port: the port for its listener.
    :param wrapper: words before its command.
    :raise EchoError: any error of `echoproto.host.serving.serving`.
    """
    names = {"python": sys.executable, "twistd": twistd(), "port": str(port), "pem": conditions.pem}
    words = [*wrapper, *(_filled_in(word, names) for word in contestant.command)]
    probe = echoes_datagrams if cell.transport == "udp" else accepts
    with serving(
        words,
        lambda: probe(HOST, port),
        name="it",
        stop=stop,
        cores=conditions.server_cores,
        start_seconds=min(START_SECONDS, start_seconds),
        end_seconds=end_seconds,
    ) as pid:
        yield pid


def _filled_in(word: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def twistd() -> str:
    """Return the path of the command in this Python's environment."""
    for folder in (os.path.dirname(sys.executable), sysconfig.get_path("scripts")):
        if os.path.exists(path := os.path.join(folder, "twistd")):
            return path
    return shutil.which("twistd") or "twistd"


def measure(
    contestant: Contestant,
    cell: Cell,
    number: int,
    conditions: Conditions,
    interruption: StopRequest,
    *,
    most: float = math.inf,
) -> Sample | None:
    """
    Take one sample.

    :param number: number of the round.
    :param most: time limit for the whole sample, in seconds.
    :return: the sample, also of a failed contestant; ``None`` if it was interrupted.
    """
    failed = Sample(contestant=contestant.name, cell=cell, round=number, verdict=LoadVerdict.FAILED)
    port = free_port()
    workload = workload_for(cell, port, conditions)
    deadline = time.monotonic() + most
    connecting = (cell.connections + cell.idle) / MIN_CONNECT_RATE
    allowed = conditions.warmup + conditions.duration + OVERTIME_SECONDS + connecting
    try:
        with server_of(contestant, cell, port, conditions, interruption, start_seconds=most) as pid:
            idle_rss = Server(pid).use().memory
            with pinned(conditions.client_cores):
                stop = Deadline(interruption, min(deadline, time.monotonic() + allowed))
                outcome = run(evolve(workload, server_pid=pid), interruption=stop)
    except EchoError as error:
        if interruption.requested:
            return None
        verdict = NOT_POSSIBLE if isinstance(error, ClientLimit) else LoadVerdict.UNREACHABLE
        return evolve(failed, verdict=verdict, why=str(error))
    if interruption.requested:
        return None
    if outcome.interrupted:
        return evolve(failed, why=f"it did not finish within {min(most, allowed):.0f} s", idle_rss_bytes=idle_rss)
    return sample(failed, workload, outcome, idle_rss)


def sample(empty: Sample, workload: Workload, outcome: Outcome, idle_rss: int) -> Sample:
    """
    Make a sample of the outcome of a load.

    :param empty: the sample without figures.
    :param idle_rss: memory of the server before the load, in bytes.
    """
    summary = summarise(workload, outcome)
    echoes = outcome.messages
    voluntary, involuntary = outcome.server_switches or (None, None)
    paced = workload.rate is not None

    def per_echo(count: float | None) -> float | None:
        return None if count is None or not echoes else count / echoes

    return evolve(
        empty,
        verdict=NOT_POSSIBLE if outcome.own_limits else summary.verdict,
        why=_why(summary.verdict, summary.notes, outcome),
        echoes_per_second=summary.echoes_per_second,
        service_time_us=summary.service_time.percentiles if summary.service_time else {},
        response_time_us=summary.response_time.percentiles if summary.response_time else {},
        spectrum=(outcome.response_time if paced else outcome.service_time).spectrum(),
        server_cpu_us_per_echo=summary.server_cpu_us_per_echo,
        client_cpu_share=summary.client_cpu_share,
        idle_rss_bytes=idle_rss,
        busy_rss_bytes=outcome.server_memory,
        voluntary_switches_per_echo=per_echo(voluntary),
        involuntary_switches_per_echo=per_echo(involuntary),
    )


def _why(verdict: str, notes: tuple[str, ...], outcome: Outcome) -> str:
    """Explain in one line why a load has another verdict than good."""
    if verdict == LoadVerdict.GOOD:
        return ""
    if outcome.first_findings:
        return outcome.first_findings[0]
    if outcome.lost:
        return f"{counted(outcome.lost, 'byte')} did not come back"
    if outcome.errors and not outcome.own_limits:
        failed = ", ".join(f"{name} ({count:,})" for name, count in outcome.errors.most_common())
        return f"connections failed: {failed}"
    return notes[0] if notes else "no message came back"
