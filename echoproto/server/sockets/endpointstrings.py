"""
Endpoint strings, such as ``tcp:8888:interface=127.0.0.1``, in Twisted's grammar and with Twisted's arguments.

Twisted's own parsers check no values: an error comes from the socket, or never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen
from twisted.internet.endpoints import _parse

from echoproto.errors import ConfigurationError, nearest, quoted
from echoproto.server.settings.values import Choice, Kind, Mode, WholeNumber

TLS_TYPES = ("ssl", "tls")
"""Types with certificates."""

ARGUMENTS: Mapping[str, Sequence[str]] = {
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "backlog", "interface"),
    "ssl": ("port", "privateKey", "certKey", "sslmethod", "interface", "backlog", "extraCertChain", "dhParameters"),
    "tls": ("path", "port", "backlog", "interface"),
    "unix": ("address", "mode", "backlog", "lockfile"),
    "systemd": ("domain", "index", "name"),
}
"""Names of the arguments of each type, in the order in which they may be given without a name."""

DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "tcp": {"interface": "0.0.0.0"},  # noqa: S104 - all of IPv4, as Twisted's
    "tcp6": {"interface": "::"},
    "ssl": {"interface": "0.0.0.0", "privateKey": "server.pem"},  # noqa: S104
    "tls": {"interface": "", "port": "443"},
    "unix": {},
    "systemd": {},
}
"""Defaults of arguments that are missing or empty; an empty ``interface`` is all of IPv6 and IPv4."""

REQUIRED: Mapping[str, Sequence[str]] = {
    "tcp": ("port",),
    "tcp6": ("port",),
    "ssl": ("port",),
    "tls": ("path",),
    "unix": (),
    "systemd": ("domain",),
}

KINDS: Mapping[str, Kind] = {
    "port": WholeNumber(0, 65535),
    "backlog": WholeNumber(1, 65535),
    "mode": Mode(),
    "lockfile": Choice(("0", "1")),
    "domain": Choice(("INET", "INET6", "UNIX")),
    "index": WholeNumber(0, 65535),
}
"""Kinds of arguments; others are any text."""


class UnknownArgumentError(ConfigurationError):
    """An unknown argument; the text lists the known ones."""


@frozen
class EndpointString:
    """
    A valid endpoint string.

    :ivar type: one of `ARGUMENTS`.
    :ivar given: its arguments, checked by their kinds.
    """

    type: str
    given: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.given.get(name) or DEFAULTS[self.type].get(name, "")

    @classmethod
    def parse(cls, text: str) -> EndpointString:
        """
        Read an endpoint string.

        :raise ConfigurationError: with the error, but without the string.
        """
        (type_, *positional), named = _parse(text)
        if type_ not in ARGUMENTS:
            raise ConfigurationError(f"{quoted(type_)} is not a type of endpoint{nearest(type_, ARGUMENTS)}")
        names = ARGUMENTS[type_]
        if len(positional) > len(names):
            raise ConfigurationError(f"{quoted(positional[len(names)])} is one value too many")
        given = dict(zip(names, positional, strict=False))
        for name, value in named.items():
            if name not in names:
                raise UnknownArgumentError(
                    f"{name}: unknown argument{nearest(name, names)}; known are {', '.join(names)}"
                )
            if name in given:
                raise ConfigurationError(f"{name} is given twice")
            given[name] = value
        for name in REQUIRED[type_]:
            if not given.get(name):
                raise ConfigurationError(f"its {name} is missing")
        for name, value in given.items():
            _check(name, value)
        return cls(type_, given)


def _check(name: str, value: str) -> None:
    kind = KINDS.get(name)
    if kind is not None:
        try:
            kind.from_text(value)
        except ValueError as problem:
            raise ConfigurationError(f"{name} {quoted(value)} is not {kind.allowed}") from problem
    elif "\0" in value and name != "address":
        raise ConfigurationError(f"its {name} has a NUL in it")
    elif name == "interface":
        try:
            value.encode("idna")
        except UnicodeError as problem:
            raise ConfigurationError(
                f"interface {quoted(value)} is neither an IP address nor a name that a host can have"
            ) from problem
