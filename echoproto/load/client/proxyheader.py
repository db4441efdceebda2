"""
Writes the header of the PROXY protocol (haproxy.org, "The PROXY protocol", versions 1 and 2).
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
"""With which version 2 begins."""

STREAM_OVER = {4: 0x11, 6: 0x21}
"""Version 2's byte for TCP, by the version of IP."""


def header(version: int, source: Any, destination: Any) -> bytes:
    """
    The header that says whose connection it is.

    :param version: 1 or 2.
    :param source: address and port, as of ``getsockname``; a path, if it is no TCP: then the header says that nothing
        is known.
    :param destination: the same, as of ``getpeername``.
    """
    if not isinstance(source, tuple):
        return b"PROXY UNKNOWN\r\n" if version == 1 else SIGNATURE + b"\x20\0\0\0"
    here, there = (ip_address(name[0].partition("%")[0]) for name in (source, destination))
    if version == 1:
        return f"PROXY TCP{here.version} {here} {there} {source[1]} {destination[1]}\r\n".encode()
    addresses = here.packed + there.packed + struct.pack("!HH", source[1], destination[1])
    return SIGNATURE + struct.pack("!BBH", 0x21, STREAM_OVER[here.version], len(addresses)) + addresses
