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
from echoproto.server.kinds import ENDPOINTS, Address, Choice, Endpoints, Kind, Mode, Owner, Switch, Text, WholeNumber

DEFAULT_PORT = 8888


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
    """

    name: str
    kind: Kind
    default: object
    help: str
    short: str | None
    shown_default: str


@frozen
class Given:
    """
    A value that the user gave.

    :ivar origin: where, for an error to name: ``--port``, or ``echo.toml:3: port``.
    """

    value: Any
    origin: str


def _setting(kind: Kind, default: Any, help: str, *, short: str | None = None, shown: str | None = None) -> Any:
    shown_default = shown if shown is not None else str(default)
    return attrs.field(
        default=default, metadata={"kind": kind, "help": help, "short": short, "shown_default": shown_default}
    )


@frozen(kw_only=True)
class Settings:
    """
    What is served, and how. ``table()`` gives the rows.

    :ivar port: ``None`` if none was given: `DEFAULT_PORT`, unless ``listen`` says where to listen.
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
        shown=repr(GREETING.decode()),
    )
    backlog: int = _setting(
        WholeNumber(1, 65535),
        1024,
        "Connections that may wait to be accepted, on each listener that does not say backlog= itself; "
        "the kernel may allow fewer (Linux: net.core.somaxconn).",
        short="b",
    )
    drain: int = _setting(
        WholeNumber(0, 3600),
        10,
        "How many seconds a stop waits for what is in flight to come back, before it aborts what is left; "
        "a second signal does so at once.",
    )
    reactor: str = _setting(
        Text(100),
        "auto",
        "Event loop: auto (kqueue on BSD and macOS, epoll on Linux, else poll), epoll, kqueue, poll, select, asyncio, "
        "uvloop, or any other that 'echoproto reactors' lists.",
        short="r",
    )
    log_connections: bool = _setting(
        Switch(), True, "Whether connections and disconnections are logged (on or off).", shown="on"
    )
    log_rate: int = _setting(
        WholeNumber(1, 1000),
        1,
        "How many lines a second each kind of event may log in the long run, after a burst of 20; "
        "how many were left out is logged.",
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
