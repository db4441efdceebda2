"""
Addresses of a target, and the sockets that connect to them.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import count
from typing import Any

from attrs import define, evolve, field

from echoproto.errors import ConfigurationError, one_line
from echoproto.host.limits import max_descriptors
from echoproto.load.errors import ClientLimit, Unreachable
from echoproto.load.workload import Target, Transport, Workload

LOCAL_LIMITS = {
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
    errno.EADDRNOTAVAIL: "ports",
    errno.EADDRINUSE: "ports",
    errno.ENOBUFS: "memory",
    errno.ENOMEM: "memory",
}
"""Resources that this machine or process lacks, by errno."""

ROTATION_THRESHOLD = 20_000
"""Maximum number of connections from one local address; its ports may not suffice for more (28,232 ephemeral ports on
Linux, 16,384 elsewhere)."""

SOURCE_ADDRESSES = 250
"""Number of source addresses for loopback connections: 127.0.0.2 to 127.0.0.251."""

PATH_LIMIT = 107 if sys.platform.startswith("linux") else 103
"""Maximum length of a Unix socket's path or abstract name, in bytes (``sun_path`` without its NUL byte)."""

LABEL_RULE = "each part between its dots must have 1 to 63 characters"
"""The rule that a name breaks if Python can't encode it."""

BIND_ADDRESS_NO_PORT = 24
"""IP_BIND_ADDRESS_NO_PORT of ip(7): connect chooses the local port, by source and destination."""


@define
class Address:
    """
    An address to connect to.

    :ivar rotated: true to connect from another local address each time.
    """

    family: int
    kind: int
    address: Any
    rotated: bool = False
    _count: count[int] = field(factory=count, init=False, eq=False)

    def rotate(self, connections: int) -> None:
        """
        Rotate the local address if one has too few ports; only where all of 127.0.0.0/8 is local (Linux).

        :param connections: number of connections to come.
        """
        loopback = self.family == socket.AF_INET and self.address[0].startswith("127.")
        self.rotated = loopback and connections > ROTATION_THRESHOLD and sys.platform.startswith("linux")

    def local_limit(self, code: int) -> str | None:
        """
        Return the exhausted resource of this machine or process that an error reports, or ``None``.

        EADDRNOTAVAIL does not mean a lack of ports if this machine has no source address for the target, as is common
        for IPv6.
        """
        if code == errno.EADDRNOTAVAIL and not self._has_source():
            return None
        return LOCAL_LIMITS.get(code)

    def _has_source(self) -> bool:
        with socket.socket(self.family, socket.SOCK_DGRAM) as probe:  # takes no TCP port, and sends nothing
            return probe.connect_ex(self.address) != errno.EADDRNOTAVAIL

    def make_socket(self) -> socket.socket:
        """
        Make a non-blocking socket that is ready to connect.

        :raise OSError: most likely with an errno of `LOCAL_LIMITS`.
        """
        made = socket.socket(self.family, self.kind)
        made.setblocking(False)
        if self.family != socket.AF_UNIX and self.kind == socket.SOCK_STREAM:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.rotated:
            made.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
            made.bind((f"127.0.0.{2 + next(self._count) % SOURCE_ADDRESSES}", 0))
        return made


def affordable(workload: Workload) -> tuple[Workload, int]:
    """
    Reduce the connections of a load to the descriptor limit of this process.

    :return: the load, and the number of connections that it lost.
    """
    most = max_descriptors()
    connections, idle = min(workload.connections, most), min(workload.idle, most)
    fewer = workload.connections - connections + workload.idle - idle
    return evolve(workload, connections=connections, idle=idle), fewer


def resolve(target: Target) -> list[Address]:
    """
    Return the addresses of a target; look them up only if the target does not have them yet.

    :raise ConfigurationError: if the target can't be connected to, whatever the network.
    :raise Unreachable: if the target has no address.
    :raise ClientLimit: if the look-up lacks a resource of this machine or process.
    """
    if target.transport is Transport.UNIX:
        if why := _unix_mistake(target):
            raise ConfigurationError(one_line(f"{target}: {why}"))
        path = f"\0{target.path[1:]}" if target.path.startswith("@") else target.path
        if _is_other_file(path):
            raise Unreachable(f"{target}: Connection refused: not a socket: is the service running there?")
        return [Address(socket.AF_UNIX, socket.SOCK_STREAM, path)]
    kind = socket.SOCK_DGRAM if target.transport is Transport.UDP else socket.SOCK_STREAM
    found = target.addresses or _look_up(target, kind)
    return [Address(family, kind, address) for family, address in found]


def looked_up(target: Target) -> Target:
    """
    Return a target with its addresses.

    :raise EchoError: as `resolve` does.
    """
    if target.transport is Transport.UNIX:
        resolve(target)
        return target
    return evolve(target, addresses=tuple((each.family, each.address) for each in resolve(target)))


def _look_up(target: Target, kind: int) -> list[tuple[int, tuple[Any, ...]]]:
    try:
        found = socket.getaddrinfo(target.host, target.port, type=kind)
    except UnicodeError:
        raise Unreachable(f"{target}: not a name that can be looked up: {LABEL_RULE}") from None
    except OSError as error:
        if limit := LOCAL_LIMITS.get(error.errno or 0):
            raise ClientLimit(f"{target}: client limit: no {limit} left here: {error.strerror}") from None
        _, _, interface = target.host.partition("%")
        here = [name for _, name in socket.if_nameindex()]
        if interface and interface not in here:
            raise Unreachable(f"{target}: no interface {interface} here: there are {', '.join(here)}") from None
        raise Unreachable(f"{target}: {error.strerror}: check the name, or give an IP address") from None
    for *_, address in found:
        if why := _mistake(target, str(address[0]), *address[3:]):
            raise ConfigurationError(f"{target}: {why}")
    return [(family, address) for family, _, _, _, address in found]


def _mistake(target: Target, text: str, scope: int = 0) -> str | None:
    """Explain why an address can't be connected to, or return None if it can."""
    address = ip_address(text)
    if (getattr(address, "ipv4_mapped", None) or address).is_unspecified:
        here = evolve(target, host="127.0.0.1" if isinstance(address, IPv4Address) else "::1")
        return f"{text} is an address to listen on, not to connect to; for a server on this machine, use {here}"
    if isinstance(address, IPv6Address) and address.is_link_local and not scope:
        scoped = evolve(target, host=f"{text}%{socket.if_nameindex()[-1][1]}")
        return f"a link-local address needs its interface, for example {scoped}"
    return None


def _is_other_file(path: str) -> bool:
    """Return true for a file or folder that is not a socket; the system reports "Connection refused" for both."""
    if path.startswith("\0"):
        return False
    try:
        return not stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:  # connect reports the reason
        return False


def _unix_mistake(target: Target) -> str | None:
    """Explain why a path or an abstract name can't be that of a Unix socket, or return None if it can."""
    path = os.fsencode(target.path)
    if path.startswith(b"@"):
        if not sys.platform.startswith("linux"):
            return "only Linux has abstract names; for a file whose name begins with @, write ./@name"
        path = path[1:]
    if not path:
        return "the abstract name is empty; for a file of that name, write ./@"
    if len(path) > PATH_LIMIT:
        return f"the path has {len(path)} bytes; a Unix socket's must have at most {PATH_LIMIT}"
    return None
