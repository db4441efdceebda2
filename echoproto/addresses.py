"""
Addresses of peers, as logs show them and as limits count them.
"""

from __future__ import annotations

from ipaddress import IPv6Address as IPv6

from twisted.internet.address import IPv4Address, IPv6Address

IPV4_MAPPED = "::ffff:"
"""Prefix of an IPv4 peer of a socket that serves both (RFC 4291, section 2.5.5.2)."""


def peer_of(address: object) -> tuple[str, int]:
    """
    Return the IP address and port of a peer.

    :param address: as a transport's ``getPeer`` returns it.
    :return: ``("unix", 0)`` for a Unix socket, whose clients have no name.
    """
    if isinstance(address, IPv4Address | IPv6Address):
        return without_mapping(address.host), address.port
    return "unix", 0


def without_mapping(host: str) -> str:
    """Return an IP address; that of an IPv4 peer in the form of IPv4."""
    return host.removeprefix(IPV4_MAPPED) if "." in host else host


def source_of(host: str) -> str:
    """
    Return the name of the source that an address belongs to; addresses of one source share limits.

    :param host: an IP address as sockets give it.
    :return: an IPv4 address; of IPv6 its /64, any address of which one host may take (RFC 4291).
    """
    if ":" not in host:
        return host
    host = without_mapping(host)
    return f"{int(IPv6(host)) >> 64:x}" if ":" in host else host
