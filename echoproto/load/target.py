"""
Target strings: ``tcp:HOST:PORT``, ``tls:HOST:PORT``, ``udp:HOST:PORT`` and ``unix:PATH``.
"""

from __future__ import annotations

import ipaddress
import re

from echoproto.errors import ConfigurationError, nearest, one_line
from echoproto.load.workload import Target, Transport

ALLOWED = "tcp:HOST:PORT, tls:HOST:PORT, udp:HOST:PORT or unix:PATH"

LARGEST_PORT = 65_535


def parse_target(text: str) -> Target:
    """
    Read a target string; an IPv6 address stands in brackets, as in ``tcp:[::1]:8888``.

    :return: the target, whose string is that which was read.
    :raises ConfigurationError: which says what is wrong, and what is allowed.
    """
    scheme, _, rest = text.partition(":")
    schemes = [transport.value for transport in Transport]
    if scheme not in schemes:
        raise _wrong(text, f"it begins with {scheme!r}{nearest(scheme, schemes)}")
    transport = Transport(scheme)
    if transport is Transport.UNIX:
        if not rest or "\0" in rest:
            raise _wrong(text, "the path is empty" if not rest else "a path has no NUL")
        return Target(transport, path=rest)
    host, colon, port = rest.rpartition(":")
    if not colon:
        raise _wrong(text, "the port is missing")
    return Target(transport, _host(text, host), _port(text, port))


def _host(text: str, host: str) -> str:
    """The host without its brackets."""
    if bracketed := re.fullmatch(r"\[(.*)\]", host):
        try:
            ipaddress.IPv6Address(bracketed[1])
        except ValueError:
            raise _wrong(text, f"{bracketed[1]!r} is not an IPv6 address") from None
        return bracketed[1]
    if ":" in host:
        raise _wrong(text, "an IPv6 address stands in brackets, as in tcp:[::1]:8888")
    if not re.fullmatch(r"[\w.-]+", host):
        raise _wrong(text, f"{host!r} is not a host" if host else "the host is missing")
    return host


def _port(text: str, port: str) -> int:
    """The port as a number."""
    if not re.fullmatch("[1-9][0-9]{0,4}", port) or int(port) > LARGEST_PORT:
        raise _wrong(text, f"{port!r} is not a port from 1 to {LARGEST_PORT}")
    return int(port)


def _wrong(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(one_line(f"{text!r} is not a target: {why}; allowed is {ALLOWED}"))
