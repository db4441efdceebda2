"""
Table of all settings, the source of the command line, the TOML file, ``--check`` and the guide.
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
"""Maximum number of workers, more than any such machine has processors."""


@frozen
class Setting:
    """
    One row of the table.

    :ivar name: its name on the command line and in a file.
    :ivar kind: parser of its values.
    :ivar default: its value if none is given.
    :ivar help: its meaning and unit, as a sentence.
    :ivar short: its one-letter option.
    :ivar shown_default: the default in words.
    :ivar live: true if SIGHUP changes it while the service runs.
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
        """Its attribute of `Settings`."""
        return self.name.replace("-", "_")


@frozen
class Given:
    """
    A value and its origin.

    :ivar origin: the place named in errors: ``--port``, or ``echo.toml:3: port``.
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
    Values of all settings; ``table()`` returns their rows.

    :ivar port: ``None`` if not given: `DEFAULT_PORT`, unless ``listen`` names listeners.
    :ivar udp: ``None`` if not given: no datagrams are echoed.
    :ivar log_format: ``None`` if not given: text, or the format that ``twist`` chooses.
    """

    port: int | None = _setting(
        WholeNumber(0, 65535),
        None,
        "TCP port to listen on; 0 for any free port, which the log shows.",
        short="p",
        shown=f"{DEFAULT_PORT}, unless listen is given",
    )
    interface: str = _setting(
        Address(),
        "",
        "IP address to listen on, such as 127.0.0.1; 0.0.0.0 for all of IPv4, :: for all of IPv6.",
        short="i",
        shown="all of IPv4 and IPv6",
    )
    listen: tuple[str, ...] = _setting(
        Endpoints(),
        (),
        f"Twisted endpoint string to listen on ({', '.join(ENDPOINTS)}); may be repeated.",
        short="l",
        shown="none",
    )
    unix_mode: str = _setting(
        Mode(),
        "660",
        "Permissions of Unix socket files whose endpoint has no mode=; write permission is needed to connect.",
    )
    unix_owner: str = _setting(
        Owner(),
        "",
        "Owner of Unix socket files; only root may set another user, or a group that it is not a member of.",
        shown="the user who starts the service",
    )
    greeting: str = _setting(
        Text(4096),
        GREETING.decode(),
        "Text sent to each new connection, in UTF-8; empty for none, as in RFC 862.",
        short="g",
        live=True,
        shown=repr(GREETING.decode()),
    )
    backlog: int = _setting(
        WholeNumber(1, 65535),
        1024,
        "Connections that may wait to be accepted, on each listener without backlog= of its own; "
        "the kernel may allow fewer (Linux: net.core.somaxconn).",
        short="b",
    )
    max_connections: int | None = _setting(
        WholeNumber(0, 10**7),
        None,
        "Maximum concurrent connections; further ones are closed immediately.",
        shown="as many as the limit of open descriptors allows",
        live=True,
    )
    max_per_source: int = _setting(
        WholeNumber(0, 10**7),
        0,
        "Maximum concurrent connections from one IPv4 address, or from one IPv6 /64; further ones are closed "
        "immediately; 0 for no limit.",
        live=True,
    )
    accept_rate: int = _setting(
        WholeNumber(0, 10**6),
        0,
        "New connections accepted per second, after a burst of as many; 0 for no limit.",
        live=True,
    )
    over_accept_rate: str = _setting(
        Choice(("wait", "close")),
        "wait",
        "Connections beyond accept-rate: wait in the backlog, or close immediately.",
        live=True,
    )
    idle: int = _setting(
        SECONDS,
        300,
        "Close a connection after this many seconds without a byte in either direction; 0 for never.",
        live=True,
    )
    lifetime: int = _setting(
        SECONDS, 0, "Drain and close a connection after this many seconds, as at a stop; 0 for never.", live=True
    )
    write_stall: int = _setting(
        SECONDS,
        60,
        "Abort a connection whose peer has accepted no data for this many seconds; 0 for never.",
        live=True,
    )
    drain: int = _setting(
        WholeNumber(0, 3600),
        10,
        "Seconds that a stop waits for data in flight before it aborts the remaining connections; "
        "a second signal, at least a second later, aborts immediately.",
        live=True,
    )
    udp: int | None = _setting(
        WholeNumber(0, 65535),
        None,
        "UDP port to echo datagrams on; 0 for any free port, which the log shows.",
        shown="none, no UDP",
    )
    udp_interface: str = _setting(
        Address(),
        "127.0.0.1",
        "IP address to echo datagrams on. The default serves this host only, because senders can forge their address "
        "and have replies sent to others.",
    )
    udp_privileged_sources: bool = _setting(
        Switch(),
        False,
        "Reply to datagrams from ports below 1024 (on or off); port 0 and ports of services that may answer never get "
        "a reply.",
        shown="off",
        live=True,
    )
    udp_source_rate: int = _setting(
        WholeNumber(0, 1_000_000),
        0,
        "UDP replies per second to each source (an IPv4 address or an IPv6 /64), in bursts of as many; 0 for no limit.",
        live=True,
    )
    udp_rate: int = _setting(
        WholeNumber(0, 10_000_000),
        0,
        "UDP replies per second to all sources together, in bursts of as many; 0 for no limit.",
        live=True,
    )
    reactor: str = _setting(
        Text(100),
        "auto",
        "Event loop: auto (kqueue on BSD and macOS, epoll on Linux, else poll), epoll, kqueue, poll, select, asyncio, "
        "uvloop, or another name from 'echoproto reactors'.",
        short="r",
    )
    workers: int | str = _setting(
        NumberOrAuto(1, MOST_WORKERS),
        1,
        "Number of processes that serve the same ports; auto for one per available processor. They divide "
        "max-connections, accept-rate, udp-rate and log-rate among themselves; each counts limits per source on its "
        "own.",
        short="w",
    )
    writes: str = _setting(
        Choice(("at-once", "buffered")),
        "at-once",
        "Time of sending: at-once, or buffered until the reactor's next turn, as Twisted does by default; for "
        "comparisons.",
    )
    log_connections: bool = _setting(
        Switch(), True, "Log connections and disconnections (on or off).", shown="on", live=True
    )
    log_rate: int = _setting(
        WholeNumber(1, 1000),
        1,
        "Log lines per second for each kind of event, after a burst of 20; the log counts the lines left out.",
        live=True,
    )
    log_format: str | None = _setting(
        Choice(("text", "json")),
        None,
        "Format of the log: text, or json (one object per line); without it, twist uses its own option of this name.",
        shown="text",
    )

    @property
    def served_port(self) -> int | None:
        """The TCP port to serve; ``None`` if ``listen`` alone names the listeners."""
        return DEFAULT_PORT if self.port is None and not self.listen else self.port

    @property
    def greeting_bytes(self) -> bytes:
        """The greeting in bytes; those of a command line that are not UTF-8 are kept."""
        return self.greeting.encode("utf-8", "surrogateescape")


def table() -> tuple[Setting, ...]:
    """Return all settings, in the order of the guide."""
    return tuple(
        Setting(name=field.name.replace("_", "-"), default=field.default, **field.metadata)
        for field in attrs.fields(Settings)
    )


def join(given: Mapping[str, Given]) -> Settings:
    """
    Join the given values with the defaults.

    :param given: values by name; the caller has already joined its sources.
    :raise ConfigurationError: if two values contradict each other.
    """
    if "interface" in given and "listen" in given and "port" not in given:
        raise ConfigurationError(
            f"{given['interface'].origin}: needs port, which listen replaces; "
            "add port, or write interface= into the endpoint string, for example tcp:8888:interface=127.0.0.1"
        )
    return Settings(**{name.replace("-", "_"): entry.value for name, entry in given.items()})
