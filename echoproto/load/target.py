"""
Target strings, and the guard against floods.

The strings are ``tcp:HOST:PORT``, ``tls:HOST:PORT``, ``udp:HOST:PORT`` and ``unix:PATH``; on Linux, ``unix:@NAME`` is
an abstract name. The guard permits any load to this machine, but only a small one to another.
"""

from __future__ import annotations

import ipaddress
import re

from echoproto.errors import ConfigurationError, as_given, nearest, one_line, quoted
from echoproto.load.workload import Target, Transport, Workload
from echoproto.units import show_size

EXPECTED = "tcp:HOST:PORT, tls:HOST:PORT, udp:HOST:PORT or unix:PATH"

TRANSPORTS = [transport.value for transport in Transport]

LARGEST_PORT = 65_535

URLS = {"http": "tcp", "https": "tls", "ssl": "tls", "ws": "tcp", "wss": "tls"}
"""URL schemes of other tools, and the transports that they mean here."""

EVERYWHERE = {"", "0.0.0.0"}  # noqa: S104 - nothing is bound
"""Listening addresses of a server that mean all interfaces of this machine."""

LOOPBACK = "127.0.0.1"

MAX_UNASKED_CONNECTIONS = 100
"""Maximum number of connections to another machine without confirmation, too few for an attack."""

MAX_UNASKED_RATE = 1_000
"""Maximum messages per second, likewise."""

MAX_UNASKED_BYTES = 10 << 20
"""Maximum bytes per second, likewise: about 80 Mbit/s."""


def parse_target(text: str) -> Target:
    """
    Read a target string; an IPv6 address stands in brackets, as in ``tcp:[::1]:8888``.

    :return: the target; its ``str()`` is the given text.
    :raises ConfigurationError: with the reason and the expected forms.
    """
    scheme, _, rest = text.partition(":")
    if not text.strip():
        raise _wrong(text, "it is blank" if text else "it is empty")
    if text != text.lstrip():
        raise _wrong(text, f"it begins with a space{_meant(text.strip()) or _hint(text.strip())}")
    if scheme not in TRANSPORTS:
        raise _wrong(text, f"unknown transport {quoted(scheme)}{_meant(text) or nearest(scheme, TRANSPORTS)}")
    transport = Transport(scheme)
    if transport is Transport.UNIX:
        if not rest or "\0" in rest:
            raise _wrong(text, "missing path" if not rest else "the path contains a NUL byte")
        return Target(transport, path=rest)
    host, colon, port = rest.rpartition(":")
    if not colon and rest.isdecimal():
        raise _wrong(text, f"missing host, for example {scheme}:{LOOPBACK}:{rest}")
    if not colon:
        raise _wrong(text, f"missing port, for example {scheme}:{rest or 'localhost'}:8888")
    return Target(transport, _host(text, host), _port(text, port))


def _host(text: str, host: str) -> str:
    """Read the host, without its brackets."""
    if bracketed := re.fullmatch(r"\[(.*)\]", host):
        try:
            ipaddress.IPv6Address(bracketed[1])
        except ValueError:
            raise _wrong(text, f"{quoted(bracketed[1])} is not an IPv6 address") from None
        return bracketed[1]
    if ":" in host:
        raise _wrong(text, "an IPv6 address must be in brackets, for example tcp:[::1]:8888")
    if not re.fullmatch(r"[\w.-]+", host):
        raise _wrong(text, f"{quoted(host)} is not a host name{_meant(text)}" if host else "missing host")
    return host


def _port(text: str, port: str) -> int:
    """Read the port."""
    if not re.fullmatch("[1-9][0-9]{0,4}", port) or int(port) > LARGEST_PORT:
        raise _wrong(text, f"port {quoted(port)} must be a number from 1 to {LARGEST_PORT}")
    return int(port)


def _wrong(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(one_line(f"TARGET {as_given(text)}: {why}; expected {EXPECTED}"))


def _meant(text: str) -> str:
    """Suggest a target for text in another form; an empty text if no target is likely."""
    scheme, _, rest = text.partition(":")
    if url := re.fullmatch(r"(\w+)://([^/]+)/?", text):
        scheme, rest = url[1].lower(), url[2]
        text = rest
    elif rest and scheme in TRANSPORTS:
        return ""  # of the right form, and wrong in another way
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
    return _hint(guess)


def _hint(guess: str) -> str:
    """Return the suggestion of a target, if it is valid, or an empty text."""
    try:
        target = parse_target(guess)
    except ConfigurationError:
        return ""
    return f" (did you mean {str(target)!r}?)"


def is_loopback(address: str) -> bool:
    """
    Return true for a loopback address, also for an IPv4 address mapped into IPv6.

    :param address: an IP address; may have a scope, as in ``fe80::1%eth0``.
    """
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def flood(workload: Workload, *, searching: bool = False) -> str | None:
    """
    Explain why a load would be a flood without the owner's permission, or return ``None`` if it would not.

    :param searching: true if a search is to find the rate.
    """
    connections = workload.connections + workload.idle
    if searching:
        return "--find-rate raises the load to the limit of the target"
    if workload.rate is None:
        return "without --rate, the load is as high as the target can take"
    if connections > MAX_UNASKED_CONNECTIONS:
        return f"{connections:,} connections are more than {MAX_UNASKED_CONNECTIONS}"
    if workload.rate > MAX_UNASKED_RATE:
        return f"{workload.rate:,.0f} messages per second are more than {MAX_UNASKED_RATE:,}"
    if workload.rate * workload.largest > MAX_UNASKED_BYTES:
        return f"{show_size(workload.largest)} at that rate are more than {show_size(MAX_UNASKED_BYTES)} per second"
    return None


def refusal(workload: Workload, *, searching: bool = False) -> str | None:
    """
    Explain in one line why a load is refused, or return ``None`` if it is not.

    :param workload: the load; its target has addresses (`echoproto.load.address.looked_up`).
    :param searching: true if a search is to find the rate.
    """
    others = [host for _, (host, *_) in workload.target.addresses if not is_loopback(host)]
    why = flood(workload, searching=searching)
    if not others or why is None:
        return None
    return f"{workload.target} is another machine ({others[0]}), and {why}; confirm with --i-own-this-host that you may"
