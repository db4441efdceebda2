"""
The work of a load generator: its target, its connections and messages, their rate, and its duration.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from attrs import frozen

SEED_BITS = 53
"""Bits of the largest seed: every JSON tool keeps whole numbers up to this size (RFC 8259, section 6)."""

MAX_SEED = 2**SEED_BITS - 1


class Transport(Enum):
    """Transport to a target."""

    TCP = "tcp"
    TLS = "tls"
    UNIX = "unix"
    UDP = "udp"


class Arrivals(Enum):
    """Distribution of messages over time at a given rate."""

    UNIFORM = "uniform"
    POISSON = "poisson"


class Churn(Enum):
    """Way to end a connection when each message has its own."""

    FIN = "fin"
    RESET = "reset"


@frozen
class Target:
    """
    A target of a load.

    :ivar host: name or IP address; empty for a Unix socket.
    :ivar port: 1 to 65535; 0 for a Unix socket.
    :ivar path: path of a Unix socket, else empty; with a leading ``@``, an abstract name. Bytes that are not UTF-8 are
        surrogates, as in Python's file names; in the string of a target, they are escapes.
    :ivar addresses: addresses of the host, each with its family, after the look-up. Connections go to these alone,
        since the guard against floods has checked them: another look-up might give others. A Unix socket has none.
    """

    transport: Transport
    host: str = ""
    port: int = 0
    path: str = ""
    addresses: tuple[tuple[int, tuple[Any, ...]], ...] = ()

    def __str__(self) -> str:
        if self.transport is Transport.UNIX:
            path = self.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            return f"unix:{path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport.value}:{host}:{self.port}"


@frozen(kw_only=True)
class Workload:
    r"""
    The work of a load generator.

    :ivar connections: number of connections that exchange messages, 1 or more; over UDP, of sockets.
    :ivar smallest: minimum message size in bytes, 1 or more (over UDP, 16 or more, for a number and a time).
    :ivar largest: maximum message size in bytes; sizes are drawn between the two with the seed.
    :ivar duration: seconds to measure; ``None`` if ``count`` sets the end.
    :ivar count: number of messages to send after the warm-up; ``None`` if ``duration`` sets the end.
    :ivar warmup: warm-up time in seconds; its messages are checked, but not measured.
    :ivar idle: number of further connections, without messages.
    :ivar window: maximum number of messages in flight on each connection, 1 or more.
    :ivar rate: messages per second over all connections; ``None`` to send as replies arrive (closed loop).
    :ivar arrivals: distribution of messages over time; only with ``rate``.
    :ivar churn: end of each connection, if each message has its own; else ``None``.
    :ivar half_close: true to half-close each connection after its last message, and read to the end.
    :ivar processes: number of generator processes, 1 or more.
    :ivar greeting: expected greeting of each connection; ``None`` to accept ``Hello\n`` or nothing.
    :ivar proxy: version of the PROXY protocol's header to send first, 1 or 2, or ``None``.
    :ivar seed: seed of all random values, 0 to `MAX_SEED`.
    :ivar verify: true to verify the TLS certificate.
    :ivar ca: PEM file of trusted certificates in place of the system's, or ``None``.
    :ivar server_pid: ID of the server process whose CPU time is reported, or ``None``.
    """

    target: Target
    connections: int = 50
    smallest: int = 64
    largest: int = 64
    duration: float | None = 10.0
    count: int | None = None
    warmup: float = 1.0
    idle: int = 0
    window: int = 1
    rate: float | None = None
    arrivals: Arrivals = Arrivals.UNIFORM
    churn: Churn | None = None
    half_close: bool = False
    processes: int = 1
    greeting: bytes | None = None
    proxy: int | None = None
    seed: int = 0
    verify: bool = True
    ca: str | None = None
    server_pid: int | None = None
