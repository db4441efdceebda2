"""
Every setting once. This table feeds the command line, the TOML file, ``--check`` and the guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from attrs import frozen

from echoproto.errors import ConfigurationError
from echoproto.protocol import GREETING
from echoproto.server.settings.values import (
    ENDPOINTS,
    USUAL_PORT,
    Address,
    Choice,
    Endpoints,
    Kind,
    Mode,
    NumberOrAuto,
    Owner,
    Switch,
    Text,
    WholeNumber,
)

DEFAULT_PORT = USUAL_PORT

SECONDS = WholeNumber(0, 10**9)

MOST_WORKERS = 1024
"""More than there are processors in a machine that echoes."""


@frozen
class Setting:
    """
    One row of the table.

    :ivar name: as on the command line and in a file.
    :ivar kind: how its value is read, and what is allowed.
    :ivar default: its value where none is given.
    :ivar help: what it does, with its unit.
    :ivar short: its one-letter option.
    :ivar shown_default: the default in words, where the value alone would not say it.
    :ivar live: whether it can change while the service runs, at SIGHUP.
    """

    name: str
    kind: Kind
    default: object
    help: str
    short: str | None
    shown_default: str
    live: bool

    @property
    def field_name(self) -> str:
        """As an attribute of `Settings`."""
        return self.name.replace("-", "_")


@frozen
class Given:
    """
    A value that the user gave.

    :ivar origin: where, for an error to name: ``--port``, or ``echo.toml:3: port``.
    """

    value: Any
    origin: str


def _setting(
    kind: Kind, default: Any, help: str, *, short: str | None = None, shown: str | None = None, live: bool = False
) -> Any:
    shown_default = shown if shown is not None else str(default)
    return attrs.field(
        default=default,
        metadata={"kind": kind, "help": help, "short": short, "shown_default": shown_default, "live": live},
    )


@frozen(kw_only=True)
class Settings:
    """
    What is served, and how. ``table()`` gives the rows.

    :ivar port: ``None`` if none was given: `DEFAULT_PORT`, unless ``listen`` says where to listen.
    :ivar udp: ``None`` if none was given: no datagrams are echoed.
    :ivar log_format: ``None`` if none was given: text, or what ``twist`` chooses.
    """

    port: int | None = _setting(
        WholeNumber(0, 65535),
        None,
        "TCP port to listen on; 0 lets the system pick a free one, and the log says which.",
        short="p",
        shown=f"{DEFAULT_PORT}, unless listen is given",
    )
    interface: str = _setting(
        Address(),
        "",
        "IP address to listen on: 0.0.0.0 is all of IPv4, :: all of IPv6.",
        short="i",
        shown="all of IPv4 and IPv6",
    )
    listen: tuple[str, ...] = _setting(
        Endpoints(),
        (),
        f"Twisted endpoint string to listen on ({', '.join(ENDPOINTS)}); may be given several times.",
        short="l",
        shown="none",
    )
    unix_mode: str = _setting(
        Mode(),
        "660",
        "Permissions of the files of Unix sockets that do not say mode= themselves; who may write to one may connect.",
    )
    unix_owner: str = _setting(
        Owner(),
        "",
        "Whom the files of Unix sockets belong to; only root may give them to another user, or to a group of others.",
        shown="whoever starts it",
    )
    greeting: str = _setting(
        Text(4096),
        GREETING.decode(),
        "Text sent to each new connection, as it stands, in UTF-8; empty for none, as RFC 862 has it.",
        short="g",
        live=True,
        shown=repr(GREETING.decode()),
    )
    backlog: int = _setting(
        WholeNumber(1, 65535),
        1024,
        "Connections that may wait to be accepted, on each listener that does not say backlog= itself; "
        "the kernel may allow fewer (Linux: net.core.somaxconn).",
        short="b",
    )
    max_connections: int | None = _setting(
        WholeNumber(0, 10**7),
        None,
        "How many may be connected at once; who comes beyond that is closed at once.",
        shown="as many as the limit of open descriptors has room for",
        live=True,
    )
    max_per_source: int = _setting(
        WholeNumber(0, 10**7),
        0,
        "How many of them from one IPv4 address, or from one /64 of IPv6; who comes beyond that is closed at once; "
        "0 for any number.",
        live=True,
    )
    accept_rate: int = _setting(
        WholeNumber(0, 10**6),
        0,
        "How many new connections are taken a second, after a burst of as many; 0 for any number.",
        live=True,
    )
    over_accept_rate: str = _setting(
        Choice(("wait", "close")),
        "wait",
        "What becomes of those who come faster: they wait in the backlog, or are closed at once.",
        live=True,
    )
    idle: int = _setting(
        SECONDS, 300, "Seconds without a byte either way after which a connection is closed; 0 for never.", live=True
    )
    lifetime: int = _setting(
        SECONDS, 0, "Seconds after which any connection is drained, as at a stop, and closed; 0 for never.", live=True
    )
    write_stall: int = _setting(
        SECONDS,
        60,
        "Seconds in which a peer takes nothing of what it is sent, after which it is aborted; 0 for never.",
        live=True,
    )
    drain: int = _setting(
        WholeNumber(0, 3600),
        10,
        "Seconds that a stop waits for data in flight to come back, before it aborts the rest; "
        "a second signal, at least a second later, aborts at once.",
        live=True,
    )
    udp: int | None = _setting(
        WholeNumber(0, 65535),
        None,
        "UDP port to echo datagrams on; 0 lets the system pick a free one, and the log says which.",
        shown="none: no UDP",
    )
    udp_interface: str = _setting(
        Address(),
        "127.0.0.1",
        "IP address to echo datagrams on, as with interface; whoever can reach it can have replies sent to others, "
        "whose address is forged, so it is this host alone unless you say otherwise.",
    )
    udp_privileged_sources: bool = _setting(
        Switch(),
        False,
        "Whether datagrams from ports below 1024 get a reply (on or off); port 0 and those of services that may answer "
        "never do.",
        shown="off",
        live=True,
    )
    udp_source_rate: int = _setting(
        WholeNumber(0, 1_000_000),
        0,
        "Replies a second over UDP to each source (an IPv4 address, or a /64 of IPv6), in bursts of as many; 0 for no "
        "limit.",
        live=True,
    )
    udp_rate: int = _setting(
        WholeNumber(0, 10_000_000),
        0,
        "Replies a second over UDP to all sources together, in bursts of as many; 0 for no limit.",
        live=True,
    )
    reactor: str = _setting(
        Text(100),
        "auto",
        "Event loop: auto (kqueue on BSD and macOS, epoll on Linux, else poll), epoll, kqueue, poll, select, asyncio, "
        "uvloop, or any other that 'echoproto reactors' lists.",
        short="r",
    )
    workers: int | str = _setting(
        NumberOrAuto(1, MOST_WORKERS),
        1,
        "How many processes serve, all on the same ports; auto for as many as there are processors for this one. "
        "max-connections, accept-rate, udp-rate and log-rate are shared out among them; what holds for each source, "
        "each of them counts by itself.",
        short="w",
    )
    writes: str = _setting(
        Choice(("at-once", "buffered")),
        "at-once",
        "How an echo is sent: at once, or in the reactor's next turn as Twisted does by itself, to compare the two.",
    )
    log_connections: bool = _setting(
        Switch(), True, "Whether connections and disconnections are logged (on or off).", shown="on", live=True
    )
    log_rate: int = _setting(
        WholeNumber(1, 1000),
        1,
        "How many lines a second each kind of event may log in the long run, after a burst of 20; "
        "how many were left out is logged.",
        live=True,
    )
    log_format: str | None = _setting(
        Choice(("text", "json")),
        None,
        "How log events are written: text, or json (one object a line); twist has a --log-format of its own, "
        "which holds where this one is not given.",
        shown="text",
    )

    @property
    def served_port(self) -> int | None:
        """The TCP port that is served; ``None`` if only the places of ``listen`` are."""
        return DEFAULT_PORT if self.port is None and not self.listen else self.port

    @property
    def greeting_bytes(self) -> bytes:
        """The greeting as it is sent; bytes that a command line holds beside UTF-8 are kept."""
        return self.greeting.encode("utf-8", "surrogateescape")


def table() -> tuple[Setting, ...]:
    """All settings, in the order of the guide."""
    return tuple(
        Setting(name=field.name.replace("_", "-"), default=field.default, **field.metadata)
        for field in attrs.fields(Settings)
    )


def join(given: Mapping[str, Given]) -> Settings:
    """
    Join what was given with the defaults.

    :param given: by name; whoever reads several sources has joined them already, the stronger one last.
    :raise ConfigurationError: if two of them contradict each other.
    """
    if "interface" in given and "listen" in given and "port" not in given:
        raise ConfigurationError(
            f"{given['interface'].origin}: goes with port, which is not used beside listen; "
            "add port, or write interface= into the endpoint string"
        )
    return Settings(**{name.replace("-", "_"): entry.value for name, entry in given.items()})
