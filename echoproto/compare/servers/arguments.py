"""
Command line of all servers.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

HOST = "127.0.0.1"

BACKLOG = 1024
"""Maximum number of connections that wait for accept; the default of our own service."""

RECEIVE_SIZE = 1 << 16
"""Maximum number of bytes per receive, for servers that must set it."""


def parser(*transports: str) -> argparse.ArgumentParser:
    """
    Return the parser of the command line.

    :param transports: the transports of the server; the first is the default.
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
    """Return the context for TLS; ``None`` without TLS."""
    if given.transport != "tls":
        return None
    import ssl  # takes memory that a server without TLS need not spend

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(given.pem)
    return context
