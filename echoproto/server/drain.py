"""
How a connection is ended when the service stops: what was in flight comes back, then it is half-closed.

In flight is what we have received, and what lies in the socket's receive queue, at that moment. What the peer sends
after it is read and thrown away, so that a peer that goes on sending can neither postpone the end, nor have the kernel
reset the connection, which would take with it what is still on its way to the peer.
"""

from __future__ import annotations

import array
import fcntl
import sys
import termios

from echoproto.protocol import Echo

UNCONFIRMED = 0x40046677 if "bsd" in sys.platform else termios.TIOCOUTQ
"""Asks for the bytes in a socket's send queue: FIONWRITE of BSD's sys/filio.h, SIOCOUTQ of tcp(7) on Linux."""


def drain(connection: Echo) -> None:
    """
    Have a connection send back what is in flight, and nothing more, and end; if the peer lets it.

    :param connection: one that is connected; if it is closing already, it is left alone.
    """
    transport = connection.transport
    if transport.disconnecting:
        return
    queued = _count(transport.fileno(), termios.FIONREAD)
    if not queued and _delivered(connection):
        connection.close()
        return
    # TLS can't be counted in bytes of data before it is decrypted, so its transport counts those of the socket.
    getattr(transport, "drain", connection.drain)(queued)


def close_if_delivered(connection: Echo) -> None:
    """
    Close a connection that was drained, once its peer has everything; looked at now and then, until they are gone.

    A peer that still sends is left alone: to close on it would be to reset it.

    :param connection: one that is connected.
    """
    was_quiet, connection.quiet = connection.quiet, True
    if was_quiet and not connection.transport.disconnecting and _delivered(connection):
        connection.close()


def _delivered(connection: Echo) -> bool:
    """Whether the peer's kernel has all that was written, and nothing more has come from it."""
    transport = connection.transport
    kept = getattr(transport, "dataBuffer", b"") or getattr(transport, "_tempDataBuffer", ())
    fd = transport.fileno()
    return not kept and not _count(fd, termios.FIONREAD) and not _unconfirmed(fd)


def _unconfirmed(fd: int) -> int:
    """How many bytes the peer has not confirmed; at least 1 where the system does not tell (macOS)."""
    try:
        return _count(fd, UNCONFIRMED)
    except OSError:
        return 1


def _count(fd: int, request: int) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(fd, request, count)
    return count[0]
