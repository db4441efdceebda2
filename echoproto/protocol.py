"""
The echo of one stream connection, and the factory that knows who is connected.

Nothing here knows of settings, plugins, files or logs. RFC 862 asks that all data received be sent back;
what that takes beyond writing what was read:

- a peer that sends and then closes its sending side still gets all of its bytes (`Echo.readConnectionLost`);
- a peer that sends and does not read stops being read (`Echo.start_flow_control`), so that it costs at most
  one full transport buffer (64 KiB) and one read (64 KiB) of memory.
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
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import Attribute, implementer

GREETING = b"Hello\n"
"""What a new connection is sent by default, as the C server did that this project began with."""


class ConnectionObserver(TypingProtocol):
    """
    Somebody who wants to know of connections: a log, a counter.

    It is called once for each connection and each end of one, never for data, and must not raise.
    """

    def connected(self, connection: Echo) -> None:
        """A connection was made; nothing was sent on it yet."""

    def disconnected(self, connection: Echo, reason: Failure) -> None:
        """A connection has ended; ``reason`` is what the transport gave to ``connectionLost``."""


class IEchoTransport(ITCPTransport, IConsumer, IPushProducer, IFileDescriptor):
    """
    The transport of an echo, over TCP, a Unix socket or TLS.

    An echo by itself does with any of Twisted's, which lack the methods defined here. A service needs these, too, for
    its limits and counters, and has transports of its own for that (`echoproto.server.sockets`).
    """

    disconnecting: bool = Attribute("Whether it is going to close as soon as its buffer is empty.")
    truncated: bool = Attribute("Whether the peer closed without the close_notify that TLS ends with.")

    def buffered() -> int:
        """Return the bytes that wait in this process for the kernel to take them; over TLS, they are encrypted."""

    def unsent() -> int:
        """Return the bytes that were written, and that the kernel, or TLS, has not taken."""

    def unconfirmed() -> int:
        """Return the bytes that the kernel took and the peer has not confirmed; 1 where the system does not tell."""

    def drain(count: int) -> None:  # noqa: N805 - methods of an interface have no self
        """
        Have the echo send back what is still in flight, then end.

        :param count: bytes in the socket's receive queue, 0 or more.
        """


@implementer(IHalfCloseableProtocol, IHandshakeListener)
class Echo(Protocol):
    """
    Send back every byte, in order, until the peer closes; then what is left, then close.

    A connection is made when it is accepted. It is open when the peer may be sent something, which gets the greeting
    then: at once, or, if its transport has a handshake first, when that is done.

    :ivar opens_when_made: whether it is open as soon as it is made; a transport that has a handshake first sets it to
        false before it makes the connection.
    :ivar bytes_received: how many bytes came in (and were given to the transport to go back).
    :ivar seen: how much of ``bytes_received`` its deadlines have seen, and ``active_at`` when that changed last.
    :ivar half_closed: whether we have closed our sending side, and wait for the peer to close its.
    :ivar quiet: whether nothing has come since it was last set; kept while it is drained.
    :ivar bytes_given: how many bytes were given to the transport: those, and the greeting.
    :ivar connected_at: when the connection was made, in seconds of the factory's clock.
    :ivar ended_by: what has ended it on our side; for whoever does so to set, and for observers to read.
    :ivar fault: an exception outside of the transport that has ended it; for the same.
    """

    factory: EchoFactory
    transport: IEchoTransport

    closes_with_peer = True
    """For transports: when the peer has closed its side, and nothing is buffered, `connectionLost` may follow."""

    ended_by = ""
    fault: Failure | None = None
    half_closed = False
    quiet = True
    _owed: int

    _receive: Callable[[bytes], None] | None
    """The receiver of data in place of the echo itself: of the first data, and of data that comes while it drains."""

    def __init__(self) -> None:
        # What each connection is going to have, before there are others: the dictionaries of objects share their keys,
        # but not those that are added when there are many; each of them would be 300 bytes larger.
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
        """Be known to the factory, and open, unless there is a handshake first."""
        self.factory.add(self)
        if self.opens_when_made:
            self.open()

    def handshakeCompleted(self) -> None:
        """Open after the handshake of TLS; `IHandshakeListener` has the method, for which Twisted calls it."""
        if not self.opens_when_made:
            self.open()

    def open(self) -> None:
        """Greet, and be ready for data."""
        self._receive = self._receive_first
        self.factory.opened(self)
        if greeting := self.factory.greeting_for(self):
            self._greeted = len(greeting)
            self.transport.write(greeting)

    def start_flow_control(self) -> None:
        """Make the transport its own producer: while its send buffer is over 64 KiB, it does not read."""
        self._flow_controlled = True
        self.transport.registerProducer(self.transport, True)

    def stop_flow_control(self) -> None:
        """Undo that before the end: a transport would wait for ever for a producer that is paused (Twisted #6461)."""
        if self._flow_controlled:
            self._flow_controlled = False
            self.transport.unregisterProducer()

    def dataReceived(self, data: bytes) -> None:
        """Send it back."""
        # No receiver is the echo itself, which thus costs no further call.
        if self._receive is None:
            self.bytes_received += len(data)
            self.transport.write(data)
        else:
            self._receive(data)

    def _receive_first(self, data: bytes) -> None:
        """
        Begin with flow control, then echo.

        Over Twisted's own TLS, whose connections are made before the handshake, a greeting would pause a producer, and
        with it the reading that the handshake needs. With the first data, the handshake is done.
        """
        self._receive = None
        self.start_flow_control()
        Echo.dataReceived(self, data)

    def readConnectionLost(self) -> None:
        """The peer will send no more, but may still read: what is buffered goes out, then the connection closes."""
        self.close()

    def writeConnectionLost(self) -> None:
        """What was in flight is out, and our side is closed; ``connectionLost`` follows when the peer ends its side."""

    def drain(self, count: int) -> None:
        """
        Send back no more than some bytes of what is still to come, then half-close, and throw away the rest.

        :param count: how many, 0 or more.
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
        self.transport.resumeProducing()  # it may be paused, and has to see the peer's end
        self.transport.loseWriteConnection()

    def close(self) -> None:
        """Send what is buffered, then close."""
        self.stop_flow_control()
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, for whatever reason."""
        self._receive = None  # a method of its own keeps an object from being freed at once
        self.factory.remove(self, reason)


class EchoFactory(ServerFactory):
    """
    Makes an `Echo` for each connection.

    :param greeting: bytes sent first on each connection; ``b""`` for none, as RFC 862 has it. See `greeting_for`.
    :param observers: who is told of connections and of their ends, in this order.
    :param seconds: a clock, in seconds, that never runs backwards.

    :ivar connections: those that are connected now.
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
        """Called by a connection that was made."""
        connection.connected_at = self.seconds()
        self.connections.add(connection)
        for observer in self.observers:
            observer.connected(connection)

    def opened(self, connection: Echo) -> None:
        """Be told by a connection that it is open, and nothing was sent on it yet; for subclasses."""

    def greeting_for(self, connection: Echo) -> bytes:
        """
        Return the greeting of one connection; it is asked once for each, when the connection is open.

        A subclass may override this for a greeting that depends on the connection: its ``transport`` has the peer's
        address (``getPeer``), and, over TLS, the handshake is done. An exception ends the connection.

        :return: `greeting`; ``b""`` for nothing.
        """
        return self.greeting

    def remove(self, connection: Echo, reason: Failure) -> None:
        """Called by a connection that has ended."""
        if connection not in self.connections:  # it was never made
            return
        self.connections.remove(connection)
        for observer in self.observers:
            observer.disconnected(connection, reason)
        if not self.connections:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def when_empty(self) -> Deferred[None]:
        """Fires when nobody is connected; at once, if nobody is."""
        if not self.connections:
            return succeed(None)
        deferred: Deferred[None] = Deferred()
        self._waiting.append(deferred)
        return deferred
