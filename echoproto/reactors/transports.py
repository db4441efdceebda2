"""
Connections that write at once: what is to be sent goes to the kernel in `write`, and only what the kernel does not take
is buffered.

Twisted's own only buffer, and have the reactor watch for when they may send (Twisted #5303); so an echo costs six
system calls on epoll in place of three.

To send at once is only right where nothing stands in the way; the flag ``_at_once`` says so, and the few methods keep
it that change what it depends on, so that a write has one thing to look at, not eight.
"""

from __future__ import annotations

from collections.abc import Iterable
from errno import EAGAIN, ENOBUFS, EWOULDBLOCK
from functools import cached_property
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.address import IPv6Address
from twisted.python.failure import Failure

NO_ROOM = (EWOULDBLOCK, EAGAIN, ENOBUFS)
"""How a system says that it can't take more now."""

UNPAUSED = tcp.Connection.bufferSize
"""Bytes, 64 KiB: whoever writes more at a time is paused, and resumed when it was sent; some count on that."""


class WritesAtOnce(tcp.Connection):
    """
    A connection that writes at once; to be put before one of Twisted's own.

    :ivar _at_once: whether nothing is buffered, and nothing stands in the way of sending: TLS, which has to encrypt it
        first; an abort, after which nothing may be sent; a pull producer, which goes on only when a buffer was sent;
        the end of the connection, or of its sending side.
    :ivar _deaf: whether it does not read until something was sent, since the system has refused to.
    :ivar _paused: whether it does not read because its producer was paused.
    """

    _at_once = True
    _deaf = False
    _paused = False

    def write(self, data: bytes) -> None:
        """
        Send, or buffer what can't be sent.

        The caller does not expect an error here, so doWrite tries again in a turn of the reactor, and ends the
        connection if that fails, too. Until then nothing is read: after a reset, the kernel reports a mere end to
        the next read.

        :raise TypeError: if it is not bytes.
        """
        if self._at_once and type(data) is bytes and ((size := len(data)) <= UNPAUSED or self.producer is self):
            try:
                sent = self.socket.send(data)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    self._deaf = True
                    self.stopReading()
                    self.startWriting()
                sent = 0
            if sent == size:
                return
            data = data[sent:]
        self._at_once = False
        super().write(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Buffer, to be sent in one piece."""
        super().writeSequence(iovec)
        self._at_once = self._at_once and not self._tempDataLen

    def _may_write_at_once(self) -> bool:
        return bool(
            self.connected
            and not self.dataBuffer
            and not self._tempDataLen
            and not self.TLS
            and not self._aborting
            and not self._writeDisconnected
            and (self.producer is None or self.streamingProducer)
        )

    def doWrite(self) -> Any:
        """Send of what is buffered; when that is done, further writes need not wait."""
        result = super().doWrite()
        self._at_once = self._may_write_at_once()
        if self._deaf and result is None:
            self._deaf = False
            if not self._paused:
                self.resumeProducing()
        return result

    def pauseProducing(self) -> None:
        """Read no more for a while."""
        self._paused = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """Read on."""
        self._paused = False
        super().resumeProducing()

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        """From here on, what is written is encrypted first."""
        self._at_once = False
        super().startTLS(ctx, normal)

    def abortConnection(self) -> None:
        """From here on, nothing may be sent."""
        self._at_once = False
        super().abortConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """A pull producer is asked for more when what it has written was sent: only doWrite does so."""
        self._at_once = self._at_once and bool(streaming)
        super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """If it was one that stood in the way, it does so no more."""
        super().unregisterProducer()
        self._at_once = self._may_write_at_once()

    def connectionLost(self, reason: Failure) -> None:
        """There is nobody to write to."""
        self._at_once = False
        super().connectionLost(reason)


class _WritesAtOnceWithDescriptors(WritesAtOnce):
    """What holds for Unix sockets, too: descriptors are sent with the first bytes after them, which doWrite does."""

    def sendFileDescriptor(self, fileno: int) -> None:
        """Send a descriptor with the next byte that is written."""
        self._at_once = False
        super().sendFileDescriptor(fileno)  # type: ignore[misc]


class _Connecting(WritesAtOnce):
    """What holds for clients, too: nothing can be sent before they are connected."""

    _at_once = False

    def _connectDone(self) -> None:
        self._at_once = True
        super()._connectDone()  # type: ignore[misc]


class TCPServer(WritesAtOnce, tcp.Server):
    """The server's side of a TCP connection."""

    def __init__(  # noqa: PLR0917 - Twisted's ports call it so
        self, sock: Any, protocol: Any, client: Any, server: Any, sessionno: int, reactor: Any
    ) -> None:
        """As Twisted's own does it, but for the names, which few ever ask for: they are worked out then."""
        tcp.Connection.__init__(self, sock, protocol, reactor)
        if len(client) != 2:  # noqa: PLR2004 - a host and a port, as IPv4 has it
            self._addressType = IPv6Address
        self.server = server
        self.client = client
        self.sessionno = sessionno
        self._log_prefix: str = self._getLogPrefix(protocol)  # which, at the end, there is no protocol to ask for
        self._kind = type(protocol)
        self._port: int | None = getattr(server, "_realPortNumber", None)  # which a port that is closed has no more
        self.startReading()
        self.connected = 1

    @cached_property
    def hostname(self) -> Any:  # type: ignore[override]
        """The peer's address."""
        return self.client[0]

    @cached_property
    def logstr(self) -> str:  # type: ignore[override]
        """What it is called in the log."""
        return f"{self._log_prefix},{self.sessionno},{self.hostname}"

    @cached_property
    def repstr(self) -> str:  # type: ignore[override]
        """What it is called by `repr`."""
        return f"<{self._kind.__name__} #{self.sessionno} on {self._port}>"


class TCPClient(_Connecting, tcp.Client):
    """The client's side of a TCP connection."""


class UnixServer(_WritesAtOnceWithDescriptors, unix.Server):
    """The server's side of a connection over a Unix socket."""


class UnixClient(_Connecting, _WritesAtOnceWithDescriptors, unix.Client):
    """The client's side of a connection over a Unix socket."""


class TCPConnector(tcp.Connector):
    """Makes connections of this kind."""

    def _makeTransport(self) -> tcp.Client:
        return TCPClient(self.host, self.port, self.bindAddress, self, self.reactor)


class UnixConnector(unix.Connector):
    """Makes connections of this kind."""

    def _makeTransport(self) -> unix.Client:  # type: ignore[override]
        return UnixClient(self.address, self, self.reactor, self.checkPID)
