"""
The header of the PROXY protocol (haproxy.org, "The PROXY protocol", versions 1 and 2).
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
"""First bytes of a version 2 header."""

TCP_FAMILIES = {4: 0x11, 6: 0x21}
"""Address family and transport byte of version 2 for TCP, by IP version."""


def header(version: int, source: Any, destination: Any) -> bytes:
    """
    Return the header that names the source of a connection.

    :param version: 1 or 2.
    :param source: result of ``getsockname``; a path of a Unix socket gives an UNKNOWN or LOCAL header.
    :param destination: result of ``getpeername``.
    """
    if not isinstance(source, tuple):
        return b"PROXY UNKNOWN\r\n" if version == 1 else SIGNATURE + b"\x20\0\0\0"
    here, there = (ip_address(name[0].partition("%")[0]) for name in (source, destination))
    if version == 1:
        return f"PROXY TCP{here.version} {here} {there} {source[1]} {destination[1]}\r\n".encode()
    addresses = here.packed + there.packed + struct.pack("!HH", source[1], destination[1])
    return SIGNATURE + struct.pack("!BBH", 0x21, TCP_FAMILIES[here.version], len(addresses)) + addresses
