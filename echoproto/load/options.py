"""
Options of the command, and the workload made of them; contradictory options are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from attrs import frozen

from echoproto.errors import ConfigurationError, as_given
from echoproto.load.workload import Arrivals, Churn, Target, Transport, Workload
from echoproto.units import parse_time

SMALLEST_DATAGRAM = 16
"""Bytes; each datagram carries a number and a time."""

LARGEST_DATAGRAM = 65_507
"""Bytes that UDP over IPv4 can carry: 65,535 without the headers."""

LOWEST_RATE = 0.001
HIGHEST_RATE = 1e9
RATE_BOUNDS = f"must be from {LOWEST_RATE:g} to {HIGHEST_RATE:,.0f} messages per second, for example 5000"

DURATION = 10.0
"""Default measuring time in seconds, without --count."""

SEARCH_DURATION = 5.0
"""Minimum time of each step of a search, in seconds."""


SAMPLES_BEYOND_PERCENTILE = 10
"""Minimum number of messages beyond a percentile: 1,000 messages for p99, 10,000 for p99.9."""

MIN_STEP_MESSAGES = 1_000
"""Minimum number of messages of a step, for any percentile."""


@frozen
class Aim:
    """
    A latency target: a limit for a percentile of the response time.

    :ivar percent: above 0, up to 100, which is the maximum of all response times.
    :ivar limit: in µs.
    """

    text: str
    percent: float
    limit: float

    @property
    def samples(self) -> int:
        """Return the number of messages needed for a verdict."""
        rest = 1 - self.percent / 100
        beyond = math.ceil(round(SAMPLES_BEYOND_PERCENTILE / rest, 6)) if rest else 0
        return max(MIN_STEP_MESSAGES, beyond)

    def seconds(self, rate: float, shortest: float) -> float:
        """Return the duration of a step at a rate, at least ``shortest`` seconds."""
        return max(shortest, self.samples / rate)


def parse_aim(text: str) -> Aim:
    """
    Read an aim such as ``p99<2ms``, ``p99.9 < 5ms`` or ``max<10ms``.

    :raises ConfigurationError: for anything else.
    """
    found = re.fullmatch(r"(?:p([0-9]{1,2}(?:\.[0-9]{1,4})?)|max) ?< ?(.+)", text)
    percent = float(found[1] or 100) if found else 0.0
    if found is None or not percent:
        raise ConfigurationError(f"{as_given(text)}: expected PERCENTILE<TIME, such as p99<2ms, p99.9<5ms or max<10ms")
    limit = parse_time(found[2]) * 1e6
    if limit < 1:
        raise ConfigurationError(f"{text}: the time must be at least 1us, for example p99<2ms")
    return Aim(text, percent, limit)


@frozen(kw_only=True)
class Options:
    """
    The options by their names; ``None`` where one was not given.

    :ivar size: smallest and largest, in bytes.
    :ivar duration: in seconds, as are ``warmup`` and all other times.
    :ivar churn: ``fin`` or ``reset``.
    :ivar greeting: exact text, sent as UTF-8.
    :ivar proxy: ``v1`` or ``v2``.
    """

    connections: int = 50
    size: tuple[int, int] = (64, 64)
    duration: float | None = None
    count: int | None = None
    warmup: float = 1.0
    idle: int = 0
    window: int = 1
    rate: float | None = None
    arrivals: str | None = None
    churn: str | None = None
    half_close: bool = False
    processes: int = 1
    greeting: str | None = None
    proxy: str | None = None
    seed: int = 0
    insecure: bool = False
    ca: str | None = None
    server_pid: int | None = None
    find_rate: Aim | None = None


def workload_for(target: Target, options: Options) -> Workload:
    """
    Make the workload of the options.

    :raises ConfigurationError: if the options contradict each other or the target.
    """
    for wrong, why in _contradictions(target, options):
        if wrong:
            raise ConfigurationError(why)
    o = options
    duration = o.duration
    if duration is None and o.count is None:
        duration = DURATION if o.find_rate is None else SEARCH_DURATION
    return Workload(
        target=target,
        connections=o.connections,
        smallest=o.size[0],
        largest=o.size[1],
        duration=duration,
        count=o.count,
        warmup=o.warmup,
        idle=o.idle,
        window=o.window,
        rate=o.rate,
        arrivals=Arrivals(o.arrivals or "uniform"),
        churn=Churn(o.churn) if o.churn else None,
        half_close=o.half_close,
        processes=o.processes,
        greeting=None if o.greeting is None else o.greeting.encode("utf-8", "surrogateescape"),
        proxy=int(o.proxy[1:]) if o.proxy else None,
        seed=o.seed,
        verify=not o.insecure,
        ca=o.ca,
        server_pid=o.server_pid,
    )


def _contradictions(target: Target, o: Options) -> Iterator[tuple[object, str]]:
    """Yield each rule as a pair: a true value if the options break it, and the error to report."""
    udp = target.transport is Transport.UDP
    tls = target.transport is Transport.TLS
    paced = o.rate is not None or o.find_rate is not None
    yield o.duration is not None and o.count is not None, "--duration and --count exclude each other"
    yield o.duration is not None and not o.duration, "--duration 0: must be greater than 0, for example 10s"
    yield (
        o.rate is not None and not LOWEST_RATE <= o.rate <= HIGHEST_RATE,
        f"--rate {o.rate or 0:g}: {RATE_BOUNDS}",
    )
    yield o.arrivals and not paced, f"--arrivals {o.arrivals}: needs --rate or --find-rate, for example --rate 5000"
    yield o.find_rate and o.rate is not None, "--find-rate and --rate exclude each other"
    yield (
        o.find_rate and o.count is not None,
        "--find-rate and --count exclude each other; set the length of a step with --duration, for example 10s",
    )
    yield o.insecure and o.ca is not None, "--insecure and --ca exclude each other"
    yield (
        (o.insecure or o.ca is not None) and not tls,
        f"{'--insecure' if o.insecure else '--ca'} needs a TLS target, for example tls:localhost:8889",
    )
    yield (
        o.churn and o.window > 1,
        f"--window {o.window}: must be 1 with --churn, where each connection carries one message",
    )
    yield o.churn == "reset" and o.half_close, "--churn=reset and --half-close exclude each other"
    yield (
        o.processes > o.connections,
        f"--processes {o.processes}: must not be more than --connections {o.connections}",
    )
    yield (
        o.count is not None and o.processes > o.count,
        f"--processes {o.processes}: must not be more than --count {o.count}",
    )
    for name, given in (
        ("--churn", o.churn),
        ("--half-close", o.half_close),
        ("--greeting", o.greeting),
        ("--proxy", o.proxy),
        ("--idle", o.idle),
    ):
        yield udp and given, f"{name} needs connections, and UDP has none; use a target such as tcp:127.0.0.1:8888"
    yield (
        udp and not SMALLEST_DATAGRAM <= o.size[0] <= o.size[1] <= LARGEST_DATAGRAM,
        (
            f"--size {'-'.join(map(str, dict.fromkeys(o.size)))}: over UDP, must be from {SMALLEST_DATAGRAM} to "
            f"{LARGEST_DATAGRAM} bytes, for example 64 or 64-1400"
        ),
    )
