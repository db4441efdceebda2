"""
The echo of one stream connection, and the factory that keeps all open connections.

This module knows nothing of settings, plugins, files or logs. RFC 862 requires a server to send back all received data.
That takes more than writing each read:

- A peer that half-closes after sending still gets all of its bytes (`Echo.readConnectionLost`).
- A peer that sends and does not read is paused (`Echo.start_flow_control`): back-pressure limits its memory to one full
  transport buffer (64 KiB) and one read (64 KiB).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol as TypingProtocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IFileDescriptor,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import Attribute, implementer

GREETING = b"Hello\n"
"""Default greeting of a new connection, as in the C server that this project began with."""


class ConnectionObserver(TypingProtocol):
    """
    Observer of connections, such as a log or a counter.

    It is called once at the start and once at the end of each connection, never for data, and must not raise.
    """

    def connected(self, connection: Echo) -> None:
        """Handle a new connection, on which nothing has been sent yet."""

    def disconnected(self, connection: Echo, reason: Failure) -> None:
        """Handle the end of a connection; ``reason`` is the argument of its ``connectionLost``."""


class IEchoTransport(ITCPTransport, IConsumer, IPushProducer, IFileDescriptor):
    """
    Transport of an echo, over TCP, a Unix socket or TLS.

    An echo alone works with Twisted's own transports, which lack the methods defined here. The limits and counters of a
    service need these methods; its transports (`echoproto.server.sockets`) have them.
    """

    disconnecting: bool = Attribute("True if it will close as soon as its buffer is empty.")
    truncated: bool = Attribute("True if the peer closed without TLS's close_notify.")

    def buffered() -> int:
        """Return the number of bytes that wait in this process for the kernel; over TLS, of encrypted bytes."""

    def unsent() -> int:
        """Return the number of written bytes that the kernel, or TLS, has not accepted yet."""

    def unconfirmed() -> int:
        """Return the number of bytes that the kernel accepted and the peer has not confirmed; 1 where it is unknown."""

    def drain(count: int) -> None:  # noqa: N805 - methods of an interface have no self
        """
        Have the echo send back the data in flight, then end.

        :param count: bytes in the socket's receive queue, 0 or more.
        """


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class Echo(Protocol):
    """
    Send back every byte in order; when the peer half-closes, send the remaining bytes and close.

    A connection is made at accept. It opens, and greets the peer, at once, or after the handshake if its transport has
    one.

    :ivar opens_when_made: true to open at accept; a transport with a handshake sets it to false before it makes the
        connection.
    :ivar bytes_received: number of bytes received, and given to the transport to send back.
    :ivar seen: the value of ``bytes_received`` at the last check of the deadlines; ``active_at`` is the time of its
        last change.
    :ivar half_closed: true after we have closed our sending side, while the peer's side is open.
    :ivar quiet: while draining, set to false by received data; the drain resets it to true.
    :ivar bytes_given: number of bytes given to the transport: all received ones, and the greeting.
    :ivar connected_at: time of accept, in seconds of the factory's clock.
    :ivar ended_by: reason for an end on our side; set by the code that ends the connection, read by observers.
    :ivar fault: exception outside the transport that ended the connection; set and read likewise.
    """

    factory: EchoFactory
    transport: IEchoTransport

    closes_with_peer = True
    """Permission for transports to call `connectionLost` after the peer's half-close, if nothing is buffered."""

    ended_by = ""
    fault: Failure | None = None
    half_closed = False
    quiet = True
    _owed: int

    _receive: Callable[[bytes], None] | None
    """Receiver of data during a drain, in place of the echo itself."""

    def __init__(self) -> None:
        # All attributes are set here: the dictionaries of instances share their keys, except keys added later, which
        # would cost 300 bytes per connection.
        self.bytes_received = 0
        self.connected_at = 0.0
        self.seen = -1
        self.active_at = 0.0
        self.opens_when_made = True
        self._greeted = 0
        self._flow_controlled = False
        self._receive = None

    @property
    def bytes_given(self) -> int:  # noqa: D102 - see the class
        return self.bytes_received + self._greeted

    def connectionMade(self) -> None:
        """Register with the factory; open, unless the transport has a handshake first."""
        self.factory.add(self)
        if self.opens_when_made:
            self.open()
            # Twisted's own TLS makes a connection before the handshake. A greeting would pause a producer then, and
            # with it the reads of the handshake.
            if not ISSLTransport.providedBy(self.transport):
                self.start_flow_control()

    def handshakeCompleted(self) -> None:
        """Open after the TLS handshake, and start flow control, as a method of `IHandshakeListener`."""
        if not self.opens_when_made:
            self.open()
        self.start_flow_control()

    def open(self) -> None:
        """Send the greeting, and accept data."""
        self.factory.opened(self)
        try:
            greeting = self.factory.greeting_for(self)
        except Exception:  # Twisted's own port would log it, and keep the connection
            self.transport.abortConnection()
            raise
        if greeting:
            self._greeted = len(greeting)
            self.transport.write(greeting)

    def start_flow_control(self) -> None:
        """Make the transport its own producer, so that it does not read while its send buffer exceeds 64 KiB."""
        if not self._flow_controlled:
            self._flow_controlled = True
            self.transport.registerProducer(self.transport, True)

    def stop_flow_control(self) -> None:
        """Unregister that producer before the end: a transport waits forever for a paused one (Twisted #6461)."""
        if self._flow_controlled:
            self._flow_controlled = False
            self.transport.unregisterProducer()

    def dataReceived(self, data: bytes) -> None:
        """Send the data back."""
        # Without a receiver, the echo itself handles the data, which saves a call.
        if self._receive is None:
            self.bytes_received += len(data)
            self.transport.write(data)
        else:
            self._receive(data)

    def readConnectionLost(self) -> None:
        """Handle the peer's half-close: the peer may still read, so send the buffered bytes, then close."""
        self.close()

    def writeConnectionLost(self) -> None:
        """Handle our own half-close after a drain; ``connectionLost`` follows when the peer closes its side."""

    def drain(self, count: int) -> None:
        """
        Echo the next ``count`` bytes at most, then half-close, and discard all further data.

        :param count: number of bytes, 0 or more.
        """
        self._owed = count
        self._receive = self._receive_owed
        if not count:
            self._half_close()

    def _receive_owed(self, data: bytes) -> None:
        owed = data[: self._owed]
        if owed:
            self._owed -= len(owed)
            self.bytes_received += len(owed)
            self.transport.write(owed)
            if not self._owed:
                self._half_close()
        self.quiet = False

    def _half_close(self) -> None:
        self.half_closed = True
        self.stop_flow_control()
        self.transport.resumeProducing()  # if it is paused, it would not see the peer's end
        self.transport.loseWriteConnection()

    def close(self) -> None:
        """Send the buffered bytes, then close."""
        self.stop_flow_control()
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the factory that the connection is gone."""
        self._receive = None  # a bound method makes a reference cycle, which delays the release of the object
        self.factory.remove(self, reason)


class EchoFactory(ServerFactory):
    """
    Make an `Echo` for each connection.

    :param greeting: bytes sent first on each connection; ``b""`` for none, as in RFC 862. See `greeting_for`.
    :param observers: observers of the connections, called in this order.
    :param seconds: a monotonic clock, in seconds.

    :ivar connections: all open connections.
    """

    protocol: Callable[[], Echo] = Echo  # type: ignore[assignment]
    noisy = False

    def __init__(
        self,
        greeting: bytes = GREETING,
        *,
        observers: Iterable[ConnectionObserver] = (),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(greeting, bytes):
            raise TypeError(f"greeting must be bytes, not {type(greeting).__name__}")
        self.greeting = greeting
        self.observers = tuple(observers)
        self.seconds = seconds
        self.connections: set[Echo] = set()
        self._waiting: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> Echo:  # type: ignore[override]
        """Make the protocol of one connection."""
        connection = self.protocol()
        connection.factory = self
        return connection

    def add(self, connection: Echo) -> None:
        """Register a new connection; it calls this itself."""
        connection.connected_at = self.seconds()
        self.connections.add(connection)
        for observer in self.observers:
            observer.connected(connection)

    def opened(self, connection: Echo) -> None:
        """Handle a connection that has opened, and has sent nothing yet; for subclasses."""

    def greeting_for(self, connection: Echo) -> bytes:
        """
        Return the greeting of one connection; called once for each, when it opens.

        A subclass may override this for a greeting that depends on the connection: its ``transport`` has the peer's
        address (``getPeer``), and, over TLS, the handshake is complete. An exception ends the connection.

        :return: the greeting; ``b""`` for none.
        """
        return self.greeting

    def remove(self, connection: Echo, reason: Failure) -> None:
        """Forget a connection that has ended; it calls this itself."""
        if connection not in self.connections:  # it was never registered
            return
        self.connections.remove(connection)
        for observer in self.observers:
            observer.disconnected(connection, reason)
        if not self.connections:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def when_empty(self) -> Deferred[None]:
        """Return a Deferred that fires when no connection is open, which may be at once."""
        if not self.connections:
            return succeed(None)
        deferred: Deferred[None] = Deferred()
        self._waiting.append(deferred)
        return deferred
