"""
Connections that write at once: what is to be sent goes to the kernel in `write`, and only what the kernel does not take
is buffered.

Twisted's own only buffer, and have the reactor watch for when they may send (Twisted #5303); so an echo costs six
system calls on epoll in place of three. They are used by way of ``Port.transport``, which is there for that.

To send at once is only right where nothing stands in the way; the flag ``_at_once`` says so, and the few methods keep
it that change what it depends on, so that a write has one thing to look at, not eight.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import main, tcp, unix
from twisted.python.failure import Failure

SMALL_READ = 1 << 16
"""Bytes that Twisted reads at a time."""

LARGE_READ = 3 << 16
"""Bytes to read at a time where a small read was filled. With what is buffered before reading pauses, 256 KiB."""


class WritesAtOnce(tcp.Server):
    """
    A connection that writes at once.

    :ivar _at_once: whether nothing is buffered, and nothing stands in the way of sending: TLS, which has to encrypt it
        first; an abort, after which nothing may be sent; a pull producer, which goes on only when a buffer was sent;
        the end of the connection, or of its sending side.
    """

    _at_once = True

    def write(self, data: bytes) -> None:
        """
        Send, or buffer what can't be sent.

        :raise TypeError: if it is not bytes.
        """
        if self._at_once and type(data) is bytes:
            try:
                sent = self.socket.send(data)
            except OSError:
                # The kernel has no room; or else it will say so again to doWrite, in a turn of the reactor: who calls
                # write does not expect to be told of the end meanwhile.
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        self._at_once = False
        super().write(data)

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
        return result

    def writeSequence(self, iovec: Any) -> None:
        """Send, or buffer; in one piece, as it is meant."""
        self.write(b"".join(iovec))

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


class _ReadsForAnEcho(WritesAtOnce):
    """Reading as it suits an echo: more at a time where there is more, and no detour at the end of the stream."""

    _read_size = SMALL_READ

    def doRead(self) -> Any:
        """Receive, and have the protocol handle it; large portions only while nothing is buffered."""
        size = self._read_size
        try:
            data = self.socket.recv(size if self._at_once else SMALL_READ)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        if (len(data) >= SMALL_READ) is (size == SMALL_READ):
            self._read_size = LARGE_READ if size == SMALL_READ else SMALL_READ
        self.protocol.dataReceived(data)
        return None

    def readConnectionLost(self, reason: Failure) -> None:
        """The peer has closed its side; a protocol that closes then, too, does so now, if nothing is buffered."""
        if self._at_once and getattr(self.protocol, "closes_with_peer", False):
            self.connectionLost(reason)
        else:
            super().readConnectionLost(reason)


class TCPConnection(_ReadsForAnEcho):
    """A TCP connection of an echo."""


class UnixConnection(_ReadsForAnEcho, unix.Server):
    """A connection of an echo over a Unix socket; descriptors that a peer sends are left to the kernel to close."""
