"""
From the options of the command to the work that they ask for; what does not go together is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from echoproto.errors import ConfigurationError
from echoproto.load.search import Aim
from echoproto.load.workload import Arrivals, Churn, Target, Transport, Workload

SMALLEST_DATAGRAM = 16
"""Bytes: a number and a time are in each datagram."""

LARGEST_DATAGRAM = 65_507
"""Bytes that UDP over IPv4 can carry: 65,535 without the headers."""

LOWEST_RATE = 0.001
HIGHEST_RATE = 1e9

DURATION = 10.0
"""Seconds, unless something else says when it ends."""

SEARCH_DURATION = 5.0
"""Seconds of each step of a search, at the least."""


@frozen(kw_only=True)
class Options:
    """
    What was asked for, each option by its name; ``None`` where it was not given.

    :ivar size: smallest and largest, in bytes.
    :ivar duration: in seconds, as are ``warmup`` and all other times.
    :ivar churn: ``fin`` or ``reset``.
    :ivar greeting: as it stands, in UTF-8.
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
    The work that is asked for.

    :raises ConfigurationError: if the options contradict each other, or the target.
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
    """What does not go together: whether that is so here, and what to say then."""
    udp = target.transport is Transport.UDP
    tls = target.transport is Transport.TLS
    paced = o.rate is not None or o.find_rate is not None
    yield o.duration is not None and o.count is not None, "--duration and --count both say when it ends: give one"
    yield o.duration is not None and not o.duration, "--duration is more than 0 seconds"
    yield (
        o.rate is not None and not LOWEST_RATE <= o.rate <= HIGHEST_RATE,
        f"--rate {o.rate}: must be {LOWEST_RATE:g} to {HIGHEST_RATE:,.0f} messages a second",
    )
    yield o.arrivals and not paced, "--arrivals says how messages are spread where there is a --rate"
    yield o.find_rate and o.rate is not None, "--find-rate looks for a rate, and --rate sets one: give one"
    yield o.find_rate and o.count is not None, "--find-rate has steps of some --duration, not of some --count"
    yield o.insecure and o.ca is not None, "--insecure trusts everybody, and --ca says whom to trust: give one"
    yield (o.insecure or o.ca is not None) and not tls, "--insecure and --ca are for a tls: target"
    yield o.churn and o.window > 1, "with --churn, each connection has one message, and no --window"
    yield (
        o.churn == "reset" and o.half_close,
        "--churn=reset ends a connection at once, --half-close in order: give one",
    )
    yield o.processes > o.connections, "--processes share the --connections: there must not be more of them"
    yield o.count is not None and o.processes > o.count, "--processes share the --count: there must not be more of them"
    for name, given in (
        ("--churn", o.churn),
        ("--half-close", o.half_close),
        ("--greeting", o.greeting),
        ("--proxy", o.proxy),
        ("--idle", o.idle),
    ):
        yield udp and given, f"{name} is for connections, and UDP has none"
    yield udp and o.size[0] < SMALLEST_DATAGRAM, f"over UDP, --size is {SMALLEST_DATAGRAM} bytes or more"
    yield udp and o.size[1] > LARGEST_DATAGRAM, f"over UDP, --size is {LARGEST_DATAGRAM} bytes or less"
