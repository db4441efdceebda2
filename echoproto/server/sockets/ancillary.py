"""
Ancillary data of datagrams (RFC 3542, ip(7)): destination and mark of a request, source and mark of its reply.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence

MARK = 7 << 2
"""
Mark of replies, in the field that IPv4 calls type of service, and IPv6 traffic class: codepoint 7, one of those for
local use (RFC 2474, pool 2), which does not affect forwarding. A datagram with the mark is a reply.
"""

CODEPOINT = 0xFC
"""Bits of the codepoint in that field; the other two are for congestion (RFC 3168)."""

LINUX = sys.platform.startswith("linux")

IPV4_DESTINATION = 8 if LINUX else 7
"""IP_PKTINFO of Linux, else IP_RECVDSTADDR of the BSDs; Python has names for neither before 3.14."""

NAMES_SOURCE = sys.platform != "darwin"
"""True if the same option sets the source of a reply over IPv4; macOS lacks IP_SENDSRCADDR."""

IPV4_GROUPS = 224
"""Lowest first byte of IPv4 addresses of no host: multicast, reserved, broadcast."""

MAPPED_PREFIX = bytes(10) + b"\xff\xff"
"""Prefix of an IPv4 address that is mapped into IPv6 (RFC 4291)."""

BUFFER_SIZE = 256
"""Bytes of ancillary data that are received: two addresses and the mark need about 120."""

Control = tuple[tuple[int, int, bytes], ...]


def ask(skt: socket.socket, *, wildcard: bool, ipv4: bool) -> bool:
    """
    Have a socket mark its replies, and report the mark of each datagram and, on a wildcard address, its destination.

    :param skt: UDP socket that is not bound yet.
    :param wildcard: true if it is going to be bound to all addresses.
    :param ipv4: true if it is going to serve IPv4.
    :return: true if replies leave from the address that was asked.
    """
    if skt.family == socket.AF_INET6:
        skt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, MARK)
        skt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        skt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, wildcard)
    if not ipv4:
        return True
    try:
        skt.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, MARK)
        skt.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        skt.setsockopt(socket.IPPROTO_IP, IPV4_DESTINATION, wildcard)
    except OSError:
        if skt.family == socket.AF_INET:
            raise
        return not wildcard  # outside Linux, a socket of IPv6 may have no options of IPv4
    return NAMES_SOURCE or not wildcard


def read(control: Sequence[tuple[int, int, bytes]]) -> tuple[str | None, Control]:
    """
    Read the ancillary data of a datagram.

    :param control: from ``recvmsg``.
    :return: the reason for no reply, a key of `echoproto.datagram.REFUSALS`, or ``None``; and ancillary data with which
        a reply leaves from the address that the datagram was sent to.
    """
    why = None
    reply: Control = ()
    for level, kind, data in control:
        if kind in _MARKS[level]:
            # One byte of IPv4, a whole number of IPv6.
            if int.from_bytes(data, sys.byteorder) & CODEPOINT == MARK:
                why = "echoed already"
        elif kind == _DESTINATIONS[level]:
            ours, group = (_ipv4 if level == socket.IPPROTO_IP else _ipv6)(data)
            if group:
                why = "sent to a group"
            if ours:
                reply = ((level, kind, ours),)
    return why, reply


_MARKS = {
    socket.IPPROTO_IP: {socket.IP_TOS, socket.IP_RECVTOS},  # Linux has the one, the BSDs have the other
    socket.IPPROTO_IPV6: {socket.IPV6_TCLASS},
}
_DESTINATIONS = {socket.IPPROTO_IP: IPV4_DESTINATION, socket.IPPROTO_IPV6: socket.IPV6_PKTINFO}


def _ipv4(data: bytes) -> tuple[bytes, bool]:
    """Return the data for a reply, without an interface, and true if the datagram was sent to a group."""
    if not LINUX:
        return data if NAMES_SOURCE else b"", data[0] >= IPV4_GROUPS
    # struct in_pktinfo: the interface, our address there, and the one in the datagram; these differ for a group only.
    ours, sent_to = data[4:8], data[8:12]
    return bytes(4) + ours + bytes(4), ours != sent_to


def _ipv6(data: bytes) -> tuple[bytes, bool]:
    """Return the same; struct in6_pktinfo is an address and the interface, which only link-local addresses need."""
    if data.startswith(MAPPED_PREFIX):  # the option of IPv4 tells how to reply
        return b"", data[12] >= IPV4_GROUPS
    link_local = data.startswith(b"\xfe\x80")
    return data if link_local else data[:16] + bytes(4), data.startswith(b"\xff")
