"""
TLS that loses no tail: what stock Twisted would drop of an echo when the peer ends the stream.

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
"""Bytes before those that a record of TLS holds; the last two say how many those are."""

HANDSHAKE_ROOM = 1 << 20
"""Bytes: one handshake takes a tenth of that."""

UNKNOWN = -1
"""In place of where the next record begins: a header came in two pieces."""


@implementer(IHalfCloseableProtocol, IEchoTransport)
class EchoTLS(TLSMemoryBIOProtocol):
    """
    TLS without aggregation of writes (an echo writes once per read), which flushes before it closes.

    :ivar truncated: whether the peer has closed without a close_notify, so that its data may not be all of it.
    """

    transport: IEchoTransport
    truncated = False
    wrappedProtocol: Echo
    _owed = 0
    _ahead = 0

    def makeConnection(self, transport: ITransport) -> None:
        """Begin, if there is memory for it."""
        require_memory()
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """Decrypt; if that ended the stream, see to it that what is buffered gets out."""
        if (
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
            self.transport.unregisterProducer()

    def _is_one_record(self, data: bytes) -> bool:
        """Whether these bytes are a record of TLS, from its first to its last (RFC 8446, section 5.1)."""
        ahead, size = self._ahead, len(data)
        if ahead == 0 and size > HEADER and size == HEADER + (data[3] << 8 | data[4]):
            return True
        while 0 <= ahead < size:
            ahead = ahead + HEADER + (data[ahead + 3] << 8 | data[ahead + 4]) if ahead + HEADER <= size else UNKNOWN
        self._ahead = ahead - size if ahead >= 0 else UNKNOWN
        return False

    def _record_received(self, data: bytes) -> None:
        """What Twisted does for any bytes, without asking OpenSSL for more when there is no more."""
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
        Decrypt no more than some bytes of what is still to come, send back what is in them, then close.

        :param count: of the TCP connection, 0 or more; a record of which only a part is within them is not opened.
        """
        self._owed = count
        self.dataReceived = self._drain_received  # type: ignore[method-assign]
        if not count:
            self._drained()

    def _drain_received(self, data: bytes) -> None:
        owed, rest = data[: self._owed], data[self._owed :]
        self._owed -= len(owed)
        EchoTLS.dataReceived(self, owed)
        if not self._owed:
            self._drained()
        if rest:  # a gap would be an error of TLS, which would end the connection before its time
            EchoTLS.dataReceived(self, rest)

    def _drained(self) -> None:
        """Close; what comes from here on is for TLS itself, whose end the peer has to confirm; none of it goes back."""
        del self.dataReceived
        self.transport.unregisterProducer()
        self.transport.resumeProducing()
        self.wrappedProtocol.close()

    def abortConnection(self) -> None:
        """Abort without a close_notify: it would call the data complete, and OpenSSL may be what is at fault."""
        self._aborted = True
        self.disconnecting = True
        self.transport.abortConnection()

    def readConnectionLost(self) -> None:
        """The peer has closed its side of the TCP connection, with or without a close_notify: flush, then close."""
        self.truncated = not self.transport.disconnecting
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """``connectionLost`` follows."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End; what is wrapped is told so in any case, also if OpenSSL has no memory to finish."""
        try:
            super().connectionLost(reason)
        except Exception:
            self.wrappedProtocol.connectionLost(Failure())


def require_memory() -> None:
    """
    Find out whether there is memory for a handshake: without, OpenSSL does not fail, but takes the process with it.

    :raise MemoryError: if a limit of memory leaves too little.
    """
    if getrlimit(RLIMIT_AS)[0] == RLIM_INFINITY:
        return
    try:
        mmap(-1, HANDSHAKE_ROOM).close()
    except OSError as error:
        raise MemoryError from error


class EchoTLSFactory(TLSMemoryBIOFactory):
    """Makes an `EchoTLS` for each connection."""

    protocol = EchoTLS
