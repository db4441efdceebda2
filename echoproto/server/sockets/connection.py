"""
The connections of an echo: they write at once, read more at a time where there is more, and end without detours.
There are those that buffer what they write, too, as Twisted's own do.

They are used by way of ``Port.transport``, which is there for that, on every reactor of Twisted's.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import main, tcp, unix
from twisted.python.failure import Failure
from zope.interface import implementer

from echoproto.protocol import Echo, IEchoTransport
from echoproto.reactors.transports import TCPServer, UnixServer, WritesAtOnce
from echoproto.server.sockets.queues import send_queue

SMALL_READ = 1 << 16
"""Bytes that Twisted reads at a time."""

LARGE_READ = 3 << 16
"""Bytes to read at a time where a small read was filled. With what is buffered before reading pauses, 256 KiB."""


FEW = 1 << 14
"""Bytes in a large read that are so few that the next one is a small one again."""


@implementer(IEchoTransport)
class _Connection(tcp.Connection):
    """A connection of an echo, independent of its way to write: it ends when the system fails it."""

    protocol: Echo
    truncated = False

    def buffered(self) -> int:
        """Return the bytes that wait for the kernel to take them."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    unsent = buffered

    def unconfirmed(self) -> int:
        """Return the bytes that the kernel took and the peer has not confirmed; 1 where the system does not tell."""
        queued = send_queue(self.fileno())
        return 1 if queued is None else queued

    def drain(self, count: int) -> None:
        """
        Have the echo send back what is still in flight, then end.

        :param count: bytes in the socket's receive queue, 0 or more.
        """
        self.protocol.drain(count)

    def doRead(self) -> Any:
        """Read; an exception ends this connection, and is for its observers to log and count."""
        try:
            return super().doRead()
        except Exception as fault:
            return fault

    def doWrite(self) -> Any:
        """Write; the same holds."""
        try:
            return super().doWrite()
        except Exception as fault:
            return fault

    def startReading(self) -> None:
        """Have the reactor watch it, if the system has room for that (``ENOMEM``, ``ENOSPC`` of epoll_ctl(2))."""
        try:
            self.reactor.addReader(self)
        except OSError:
            self._end_later()

    def startWriting(self) -> None:
        """The same for writing."""
        try:
            self.reactor.addWriter(self)
        except OSError:
            self._end_later()

    def _end_later(self) -> None:
        """End as one that is lost, in the next turn of the reactor: its protocol is at work."""
        if not self._aborting:
            self._aborting = True
            self.doRead = self.doWrite = lambda: None  # type: ignore[method-assign]
            self.reactor.callLater(0, self.connectionLost, Failure(main.CONNECTION_LOST))  # type: ignore[attr-defined]

    def _closeWriteConnection(self) -> Any:
        """Half-close; if the system can't, it ends: the peer would wait for a FIN that does not come."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return main.CONNECTION_LOST
        return None

    def _closeSocket(self, orderly: bool) -> None:
        """Reset it if something is unsent: the peer must not take a part of its echo for all of it."""
        super()._closeSocket(orderly and not self.dataBuffer and not self._tempDataLen)


class _ReadsForAnEcho(_Connection, WritesAtOnce):
    """Reading as it suits an echo: more at a time where there is more, and no detour at the end of the stream."""

    _read_size = SMALL_READ
    _end_was_read = False

    _shouldShutdown = False
    """Closing does as well as shutdown(2) first: no other process has the descriptor, none of ours inherits it."""

    def doRead(self) -> Any:
        """Receive, and have the protocol handle it; large portions only while nothing is buffered."""
        size = self._read_size
        try:
            data = self.socket.recv(size if self._at_once else SMALL_READ)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        except MemoryError as fault:
            return fault
        if not data:
            self._end_was_read = True
            return main.CONNECTION_DONE
        if size == SMALL_READ:
            if len(data) == SMALL_READ:
                self._read_size = LARGE_READ
        elif len(data) < FEW:
            self._read_size = SMALL_READ
        try:
            self.protocol.dataReceived(data)
        except Exception as fault:
            return fault
        return None

    def readConnectionLost(self, reason: Failure) -> None:
        """The peer has closed its side; a protocol that closes then, too, does so now, if nothing is buffered."""
        if not self._end_was_read:
            # For a moment, Linux tells of a reset only that the connection is hung up, which Twisted's reactors take
            # for an end in order (`_PollLikeMixin._doReadOrWrite`).
            self.connectionLost(Failure(main.CONNECTION_LOST))
        elif self._at_once and getattr(self.protocol, "closes_with_peer", False):
            self.connectionLost(reason)
        else:
            super().readConnectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        """It is over; nobody has to tell the connection itself, as its own producer, to stop."""
        self.producer = None
        super().connectionLost(reason)


class TCPConnection(_ReadsForAnEcho, TCPServer):
    """A TCP connection of an echo."""


class UnixConnection(_ReadsForAnEcho, UnixServer):
    """A connection of an echo over a Unix socket; descriptors that a peer sends are left to the kernel to close."""


class BufferedTCPConnection(_Connection, tcp.Server):
    """A TCP connection of an echo that writes as Twisted's own does."""


class BufferedUnixConnection(_Connection, unix.Server):
    """The same over a Unix socket."""
