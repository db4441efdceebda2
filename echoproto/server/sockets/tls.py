"""
TLS without a lost end: stock Twisted drops the last part of an echo when the peer ends the stream.

`twisted.protocols.tls.BufferingTLSTransport` parks small writes until the next turn of the reactor; when the peer's
close_notify arrives with its last data, the echo of that data is dropped. And no TLS transport of Twisted's lets the
bytes flow out that are buffered below it when the peer closes the TCP connection without a close_notify.
"""

from __future__ import annotations

from mmap import mmap
from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit

from OpenSSL.SSL import Error, WantReadError, ZeroReturnError
from twisted.internet.interfaces import IHalfCloseableProtocol, ITransport
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from echoproto.protocol import Echo, IEchoTransport

HEADER = 5
"""Length of the header of a TLS record in bytes; the last two are the length of the content."""

HANDSHAKE_ROOM = 1 << 20
"""Memory in bytes that must be free for a handshake, which takes a tenth of it."""

UNKNOWN = -1
"""In place of the position of the next record, after a header in two pieces."""


@implementer(IHalfCloseableProtocol, IEchoTransport)
class EchoTLS(TLSMemoryBIOProtocol):
    """
    TLS without aggregation of writes (an echo writes once per read), which flushes before it closes.

    :ivar truncated: true if the peer has closed without a close_notify, so that its data may be incomplete.
    """

    transport: IEchoTransport
    truncated = False
    wrappedProtocol: Echo
    _ahead = 0

    _owed: int | None = None
    """Bytes of the TCP connection that are still in flight while it drains."""

    def makeConnection(self, transport: ITransport) -> None:
        """Begin, if there is memory for a handshake."""
        require_memory()
        self.wrappedProtocol.opens_when_made = False
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """Decrypt; at the end of the stream, have the buffer flushed."""
        if self._owed is not None:
            self._receive_owed(data, self._owed)
        elif (
            self._is_one_record(data)
            and self._handshakeDone
            and not (self._appSendBuffer or self._lostTLSConnection or self._aborted)
        ):
            self._record_received(data)
        else:
            if not self._handshakeDone:
                require_memory()
            super().dataReceived(data)
        if self.transport.disconnecting:
            # The TLS layer has asked the TCP layer to flush and close, which waits for ever for a producer that it
            # has paused (Twisted #6461).
            self.wrappedProtocol.stop_flow_control()

    def _is_one_record(self, data: bytes) -> bool:
        """Tell if these bytes are exactly one record of TLS (RFC 8446, section 5.1)."""
        ahead, size = self._ahead, len(data)
        if ahead == 0 and size > HEADER and size == HEADER + (data[3] << 8 | data[4]):
            return True
        while 0 <= ahead < size:
            ahead = ahead + HEADER + (data[ahead + 3] << 8 | data[ahead + 4]) if ahead + HEADER <= size else UNKNOWN
        self._ahead = ahead - size if ahead >= 0 else UNKNOWN
        return False

    def _record_received(self, data: bytes) -> None:
        """Decrypt one record as Twisted does, without a second call of OpenSSL, which would find no data."""
        self._tlsConnection.bio_write(data)
        try:
            plain = self._tlsConnection.recv(len(data))
        except (WantReadError, ZeroReturnError):  # no data, or the end: OpenSSL says so again if it is asked again
            self._flushReceiveBIO()
        except Error:
            self._tlsShutdownFinished(Failure())
        else:
            self.wrappedProtocol.dataReceived(plain)

    def buffered(self) -> int:
        """Return the bytes that wait for the kernel to take them, encrypted or not yet."""
        return self.transport.buffered() + self.unsent()

    def unsent(self) -> int:
        """Return the bytes that wait to be encrypted: those that were written before the end of the handshake."""
        return sum(map(len, self._appSendBuffer))

    def unconfirmed(self) -> int:
        """Return the bytes that the kernel took and the peer has not confirmed; 1 where the system does not tell."""
        return self.transport.unconfirmed()

    def drain(self, count: int) -> None:
        """
        Decrypt and echo no more than a number of further bytes, then close.

        :param count: bytes of the TCP connection, 0 or more; a record that is only partly within them is not opened.
        """
        if count:
            self._owed = count
        else:
            self._drained()

    def _receive_owed(self, data: bytes, count: int) -> None:
        owed, rest = data[:count], data[count:]
        self._owed = None
        self.dataReceived(owed)
        if len(owed) < count:
            self._owed = count - len(owed)
            return
        self._drained()
        if rest:  # a gap would be an error of TLS, which would end the connection before its time
            self.dataReceived(rest)

    def _drained(self) -> None:
        """Close; further bytes are for TLS alone, whose end the peer has to confirm, and are not echoed."""
        self.wrappedProtocol.stop_flow_control()
        self.transport.resumeProducing()
        self.wrappedProtocol.close()

    def abortConnection(self) -> None:
        """Abort without a close_notify: it would call the data complete, and OpenSSL may be what is at fault."""
        self._aborted = True
        self.disconnecting = True
        self.transport.abortConnection()

    def readConnectionLost(self) -> None:
        """Flush, then close: the peer has closed its side of the TCP connection, with or without a close_notify."""
        self.truncated = not self.transport.disconnecting
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """``connectionLost`` follows."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End, and tell the wrapped protocol in any case, also if OpenSSL has no memory to finish."""
        try:
            super().connectionLost(reason)
        except Exception:
            self.wrappedProtocol.connectionLost(Failure())


def require_memory() -> None:
    """
    Check that there is memory for a handshake: without it, OpenSSL does not fail, but ends the process.

    :raise MemoryError: if a limit of memory leaves too little.
    """
    if getrlimit(RLIMIT_AS)[0] == RLIM_INFINITY:
        return
    try:
        mmap(-1, HANDSHAKE_ROOM).close()
    except OSError as error:
        raise MemoryError from error


class EchoTLSFactory(TLSMemoryBIOFactory):
    """Make an `EchoTLS` for each connection."""

    protocol = EchoTLS
