"""
The work of a load generator: its target, its connections and messages, their rate, and its duration.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from attrs import frozen


class Transport(Enum):
    """Transport to a target."""

    TCP = "tcp"
    TLS = "tls"
    UNIX = "unix"
    UDP = "udp"


class Arrivals(Enum):
    """Spread of messages over time where a rate is set."""

    UNIFORM = "uniform"
    POISSON = "poisson"


class Churn(Enum):
    """End of each connection where every message has one of its own."""

    FIN = "fin"
    RESET = "reset"


@frozen
class Target:
    """
    A target of a load.

    :ivar host: name or IP address; empty for a Unix socket.
    :ivar port: 1 to 65535; 0 for a Unix socket.
    :ivar path: of a Unix socket, else empty; with a leading ``@``, an abstract name. Bytes that are no UTF-8 are
        surrogates, as Python has them in the names of files; in the string of a target, they are escapes.
    :ivar addresses: of the host, each with its family, once it was looked up. Connections go to these alone, which the
        guard against floods has checked: another look-up might give others. A Unix socket has none.
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

    :ivar connections: that exchange messages, 1 or more; over UDP, sockets.
    :ivar smallest: bytes of the smallest message, 1 or more (over UDP, 16 or more: a number and a time are in it).
    :ivar largest: of the largest; between the two, sizes are drawn with the seed.
    :ivar duration: seconds to measure for; ``None`` if ``count`` says when it ends.
    :ivar count: messages to send after the warm-up; ``None`` if ``duration`` says when it ends.
    :ivar warmup: seconds whose messages are checked, but not measured.
    :ivar idle: further connections, which say nothing.
    :ivar window: messages in flight on each connection, 1 or more.
    :ivar rate: messages a second over all connections; ``None`` for as many as come back (closed loop).
    :ivar arrivals: how they are spread over time; only with ``rate``.
    :ivar churn: ``None`` unless each message has a connection of its own.
    :ivar half_close: whether each connection closes its sending side after its last message, and reads to the end.
    :ivar processes: how many share the work, 1 or more.
    :ivar greeting: what each connection is sent first; ``None`` for ``Hello\n`` or nothing, whichever comes.
    :ivar proxy: version of the PROXY protocol's header to send first, 1 or 2, or ``None``.
    :ivar seed: of all that is drawn, 0 to 2**63 - 1.
    :ivar verify: whether a TLS certificate has to be good.
    :ivar ca: a PEM file of whom to trust for that, in place of the system's own.
    :ivar server_pid: process whose time on the processor is reported, or ``None``.
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
