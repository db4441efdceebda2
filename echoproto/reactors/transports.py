"""
Connections that write at once: `write` passes data to the kernel, and buffers only the rest that the kernel refuses.

Twisted's own connections always buffer, and have the reactor wait until they may send (Twisted #5303). So an echo costs
six system calls on epoll in place of three.

Eight conditions must hold to send at once. The flag ``_at_once`` combines them: the few methods that change a condition
update the flag, so that a write checks only one thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from errno import EAGAIN, ENOBUFS, EWOULDBLOCK
from functools import cached_property
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.address import IPv6Address
from twisted.python.failure import Failure

BUFFER_FULL_ERRNOS = (EWOULDBLOCK, EAGAIN, ENOBUFS)
"""Values of errno of a system that can't accept more data now."""

MAX_DIRECT_WRITE = tcp.Connection.bufferSize
"""Maximum bytes of a write (64 KiB) that never pauses its producer; a larger one pauses it until the data is sent, as
some producers expect."""


class WritesAtOnce(tcp.Connection):
    """
    A connection that writes at once; a base class to put before one of Twisted's own.

    :ivar _at_once: true if the buffer is empty, and nothing else prevents sending: TLS, which must encrypt the data
        first; an abort, after which nothing may be sent; a pull producer, which continues only after a buffer was sent;
        the end of the connection, or of its sending side.
    :ivar _deaf: true while it does not read after a failed send, until data is sent.
    :ivar _paused: true while it does not read because its producer is paused.
    """

    _at_once = True
    _deaf = False
    _paused = False

    def write(self, data: bytes) -> None:
        """
        Send data, and buffer the rest that can't be sent.

        The caller expects no error here, so doWrite tries again in a turn of the reactor, and ends the connection if
        that fails, too. Nothing is read until then: after a reset, the kernel reports a plain end to the next read.

        :raise TypeError: if the data is not bytes.
        """
        if self._at_once and type(data) is bytes and ((size := len(data)) <= MAX_DIRECT_WRITE or self.producer is self):
            try:
                sent = self.socket.send(data)
            except OSError as error:
                if error.errno not in BUFFER_FULL_ERRNOS:
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
        """Buffer the data, to send it in one piece."""
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
        """Send buffered data; when the buffer is empty, further writes go out at once again."""
        result = super().doWrite()
        self._at_once = self._may_write_at_once()
        if self._deaf and result is None:
            self._deaf = False
            if not self._paused:
                self.resumeProducing()
        return result

    def pauseProducing(self) -> None:
        """Stop reading."""
        self._paused = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """Resume reading."""
        self._paused = False
        super().resumeProducing()

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        """Start TLS, which must encrypt data before it is sent."""
        self._at_once = False
        super().startTLS(ctx, normal)

    def abortConnection(self) -> None:
        """Abort; nothing may be sent any more."""
        self._at_once = False
        super().abortConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Register a producer; a pull producer needs doWrite, which asks it for more after its data is sent."""
        self._at_once = self._at_once and bool(streaming)
        super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Unregister the producer; without a pull producer, writes may go out at once again."""
        super().unregisterProducer()
        self._at_once = self._may_write_at_once()

    def connectionLost(self, reason: Failure) -> None:
        """End; nothing may be sent any more."""
        self._at_once = False
        super().connectionLost(reason)


class _WritesAtOnceWithDescriptors(WritesAtOnce):
    """Base class for Unix sockets: a descriptor goes out with the next bytes, by doWrite."""

    def sendFileDescriptor(self, fileno: int) -> None:
        """Send a descriptor with the next byte."""
        self._at_once = False
        super().sendFileDescriptor(fileno)  # type: ignore[misc]


class _Connecting(WritesAtOnce):
    """Base class for clients, which can't send before they are connected."""

    _at_once = False

    def _connectDone(self) -> None:
        self._at_once = True
        super()._connectDone()  # type: ignore[misc]


class TCPServer(WritesAtOnce, tcp.Server):
    """Server side of a TCP connection."""

    def __init__(  # noqa: PLR0917 - Twisted's ports call it so
        self, sock: Any, protocol: Any, client: Any, server: Any, sessionno: int, reactor: Any
    ) -> None:
        """Initialise as Twisted's own does, except for the names, which are made on demand, since few are needed."""
        tcp.Connection.__init__(self, sock, protocol, reactor)
        if len(client) != 2:  # noqa: PLR2004 - host and port of IPv4
            self._addressType = IPv6Address
        self.server = server
        self.client = client
        self.sessionno = sessionno
        self._log_prefix: str = self._getLogPrefix(protocol)  # read now: the end of a connection drops its protocol
        self._kind = type(protocol)
        self._port: int | None = getattr(server, "_realPortNumber", None)  # a closed port has none
        self.startReading()
        self.connected = 1

    @cached_property
    def hostname(self) -> Any:  # type: ignore[override]
        """Address of the peer."""
        return self.client[0]

    @cached_property
    def logstr(self) -> str:  # type: ignore[override]
        """Name in the log."""
        return f"{self._log_prefix},{self.sessionno},{self.hostname}"

    @cached_property
    def repstr(self) -> str:  # type: ignore[override]
        """Text of `repr`."""
        return f"<{self._kind.__name__} #{self.sessionno} on {self._port}>"


class TCPClient(_Connecting, tcp.Client):
    """Client side of a TCP connection."""


class UnixServer(_WritesAtOnceWithDescriptors, unix.Server):
    """Server side of a connection over a Unix socket."""


class UnixClient(_Connecting, _WritesAtOnceWithDescriptors, unix.Client):
    """Client side of a connection over a Unix socket."""


class TCPConnector(tcp.Connector):
    """Connector of `TCPClient` connections."""

    def _makeTransport(self) -> tcp.Client:
        return TCPClient(self.host, self.port, self.bindAddress, self, self.reactor)


class UnixConnector(unix.Connector):
    """Connector of `UnixClient` connections."""

    def _makeTransport(self) -> unix.Client:  # type: ignore[override]
        return UnixClient(self.address, self, self.reactor, self.checkPID)
