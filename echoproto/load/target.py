"""
Target strings: ``tcp:HOST:PORT``, ``tls:HOST:PORT``, ``udp:HOST:PORT`` and ``unix:PATH``.

On Linux, ``unix:@NAME`` is an abstract name.
"""

from __future__ import annotations

import ipaddress
import re

from echoproto.errors import ConfigurationError, nearest, one_line, quoted
from echoproto.load.workload import Target, Transport

ALLOWED = "tcp:HOST:PORT, tls:HOST:PORT, udp:HOST:PORT or unix:PATH"

TRANSPORTS = [transport.value for transport in Transport]

LARGEST_PORT = 65_535

URLS = {"http": "tcp", "https": "tls", "ssl": "tls", "ws": "tcp", "wss": "tls"}
"""Schemes of URLs that other tools use, and our transports for them."""

EVERYWHERE = {"", "0.0.0.0"}  # noqa: S104 - nothing is bound
"""Hosts of a server that stand for this machine."""

LOOPBACK = "127.0.0.1"


def parse_target(text: str) -> Target:
    """
    Read a target string; an IPv6 address stands in brackets, as in ``tcp:[::1]:8888``.

    :return: the target, whose string is that which was read.
    :raises ConfigurationError: which says what is wrong, and what is allowed.
    """
    scheme, _, rest = text.partition(":")
    if scheme not in TRANSPORTS:
        raise _wrong(text, f"it begins with {quoted(scheme)}{_meant(text) or nearest(scheme, TRANSPORTS)}")
    transport = Transport(scheme)
    if transport is Transport.UNIX:
        if not rest or "\0" in rest:
            raise _wrong(text, "the path is empty" if not rest else "a path has no NUL")
        return Target(transport, path=rest)
    host, colon, port = rest.rpartition(":")
    if not colon:
        raise _wrong(text, f"the port is missing, as in {scheme}:{rest or 'localhost'}:8888")
    return Target(transport, _host(text, host), _port(text, port))


def _host(text: str, host: str) -> str:
    """The host without its brackets."""
    if bracketed := re.fullmatch(r"\[(.*)\]", host):
        try:
            ipaddress.IPv6Address(bracketed[1])
        except ValueError:
            raise _wrong(text, f"{quoted(bracketed[1])} is not an IPv6 address") from None
        return bracketed[1]
    if ":" in host:
        raise _wrong(text, "an IPv6 address stands in brackets, as in tcp:[::1]:8888")
    if not re.fullmatch(r"[\w.-]+", host):
        raise _wrong(text, f"{quoted(host)} is not a host{_meant(text)}" if host else "the host is missing")
    return host


def _port(text: str, port: str) -> int:
    """The port as a number."""
    if not re.fullmatch("[1-9][0-9]{0,4}", port) or int(port) > LARGEST_PORT:
        raise _wrong(text, f"{quoted(port)} is not a port from 1 to {LARGEST_PORT}")
    return int(port)


def _wrong(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(one_line(f"{quoted(text)} is not a target: {why}; allowed is {ALLOWED}"))


def _meant(text: str) -> str:
    """A hint at the target that text of another form is likely to mean; nothing if none is likely."""
    scheme, _, rest = text.partition(":")
    if url := re.fullmatch(r"(\w+)://([^/]+)/?", text):
        scheme, rest = url[1].lower(), url[2]
        text = rest
    elif rest and scheme in TRANSPORTS:
        return ""  # it is of our form, and wrong otherwise
    scheme = URLS.get(scheme.lower(), scheme.lower())
    if scheme in TRANSPORTS and rest:
        guess = f"{scheme}:{rest}"
    elif re.match(r"\.{0,2}/|@", text):
        guess = f"unix:{text}"
    elif found := re.fullmatch(r"(\[.*\]|[\w.-]*):?([0-9]{1,5})?", text):
        host, port = ("", found[1]) if found[1].isdecimal() and not found[2] else (found[1], found[2])
        guess = f"tcp:{LOOPBACK if host in EVERYWHERE else host}:{port or 8888}"
    else:
        guess = f"tcp:[{text}]:8888"
    try:
        target = parse_target(guess)
    except ConfigurationError:
        return ""
    return f" (did you mean {str(target)!r}?)"
