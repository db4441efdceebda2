"""
What each of the servers is told on its command line.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

HOST = "127.0.0.1"

BACKLOG = 1024
"""Connections that may wait to be accepted; as many as our own service has by default."""

CHUNK = 1 << 16
"""Bytes to receive at a time, where a server has to say so."""


def parser(*transports: str) -> argparse.ArgumentParser:
    """
    What reads the command line.

    :param transports: which the server knows.
    """
    made = argparse.ArgumentParser()
    made.add_argument("port", type=int)
    made.add_argument("--transport", choices=transports, default=transports[0])
    made.add_argument("--pem", help="file with a certificate and its key, for TLS")
    return made


def parse(*transports: str) -> argparse.Namespace:
    """Read the command line."""
    return parser(*transports).parse_args()


def tls_context(given: argparse.Namespace) -> ssl.SSLContext | None:
    """What TLS needs; ``None`` where the server is to do without."""
    if given.transport != "tls":
        return None
    import ssl  # which takes memory, and is not wanted where there is no TLS

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(given.pem)
    return context
