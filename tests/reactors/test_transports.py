"""
The names of connections of lean reactors, what clients have of their own, and when a connection does not read; the rest
is in `tests.server.sockets.test_connection`.
"""

import errno
import socket
from typing import Any
from unittest import mock

from twisted.internet import main, tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.internet.ssl import PrivateCertificate
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto.reactors.transports import (
    MAX_DIRECT_WRITE,
    TCPClient,
    TCPConnector,
    TCPServer,
    UnixClient,
    UnixConnector,
)
from tests.server.sockets.test_connection import FakeReactor, TransportCase
from tests.support.certificates import make_pem
from tests.support.clients import payload

IPV4, IPV6 = ("192.0.2.7", 1234), ("2001:db8::7", 1234, 0, 0)


class Named(Protocol):
    def logPrefix(self) -> str:
        return "Somebody"


class ServerTests(SynchronousTestCase):
    """It is what Twisted's own would be."""

    def made(self, kind: type[tcp.Server], client: Any, server: Any) -> Any:
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        return kind(near, Named(), client, server, 3, mock.Mock())

    def test_its_names(self) -> None:
        for client in (IPV4, IPV6):
            server = mock.Mock(_realPortNumber=8888)
            ours, stock = (self.made(kind, client, server) for kind in (TCPServer, tcp.Server))
            for name in ("hostname", "sessionno", "client", "server", "connected"):
                self.assertEqual(getattr(ours, name), getattr(stock, name), name)
            self.assertEqual((ours.logPrefix(), repr(ours)), (stock.logPrefix(), repr(stock)))
            self.assertEqual(ours.getPeer(), stock.getPeer())
            self.assertIsInstance(ours.getPeer(), IPv4Address if client == IPV4 else IPv6Address)
            ours.reactor.addReader.assert_called_once_with(ours)

    def test_its_names_when_it_has_ended(self) -> None:
        """Then, there is no protocol to ask any more."""
        server = mock.Mock(_realPortNumber=8888)
        ours, stock = (self.made(kind, IPV4, server) for kind in (TCPServer, tcp.Server))
        for each in (ours, stock):
            each.connectionLost(Failure(main.CONNECTION_DONE))
        server._realPortNumber = None  # its port is closed
        self.assertEqual((ours.logPrefix(), repr(ours)), (stock.logPrefix(), repr(stock)))

    def test_a_name_that_was_given(self) -> None:
        """As `tcp.Server._fromConnectedSocket` does, since it has no port."""
        ours = self.made(TCPServer, IPV4, None)
        ours.repstr = "<given>"
        self.assertEqual(repr(ours), "<given>")


class ClientTests(SynchronousTestCase):
    def test_nothing_is_sent_before_it_is_connected(self) -> None:
        self.assertFalse(TCPClient._at_once)
        self.assertFalse(UnixClient._at_once)

    def test_once_connected_it_writes_at_once(self) -> None:
        for kind in (TCPClient, UnixClient):
            client: Any = kind.__new__(kind)
            with mock.patch.object(tcp.BaseClient, "_connectDone") as stock:
                client._connectDone()
            stock.assert_called_once_with()
            self.assertTrue(client._at_once)

    def test_connectors(self) -> None:
        """They make clients that write at once."""
        reactor: Any = FakeReactor()
        for connector, kind in (
            (TCPConnector("127.0.0.1", 1, ClientFactory(), 30, None, reactor), TCPClient),
            (UnixConnector("/no/such", ClientFactory(), 30, reactor, False), UnixClient),
        ):
            client: Any = connector._makeTransport()
            self.addCleanup(client.socket.close)
            self.assertIsInstance(client, kind)

    def test_what_connectors_are_asked_for(self) -> None:
        """To the address, from the address, and only with the lock, as they were told."""
        reactor: Any = FakeReactor()
        over_tcp = TCPConnector("127.0.0.1", 7, ClientFactory(), 30, ("127.0.0.1", 0), reactor)
        over_unix = UnixConnector("/no/such", ClientFactory(), 30, reactor, True)
        with mock.patch("twisted.python.lockfile.isLocked", return_value=True) as is_locked:
            clients: list[Any] = [over_tcp._makeTransport(), over_unix._makeTransport()]
        is_locked.assert_called_once_with(b"/no/such.lock")
        for client, connector, address in zip(
            clients, (over_tcp, over_unix), (("127.0.0.1", 7), b"/no/such"), strict=True
        ):
            self.addCleanup(client.socket.close)
            self.assertEqual((client.connector, client.addr, client.reactor), (connector, address, reactor))
        self.assertEqual(clients[0].socket.getsockname()[0], "127.0.0.1")


class ReadingTests(TransportCase):
    """Reading stops while it is paused, and after a failed write, until a write succeeds."""

    kind = TCPServer

    def assert_reads(self, reads: bool) -> None:
        self.assertEqual(self.transport in self.reactor.readers, reads)

    def fail(self, data: bytes = b"x") -> None:  # type: ignore[override]
        """Write, and have the system refuse it."""
        failing = mock.Mock(send=mock.Mock(side_effect=OSError(errno.EPIPE, "")))
        with mock.patch.object(self.transport, "socket", failing):
            self.transport.write(data)
        self.assert_reads(False)

    def test_pauses_and_resumes(self) -> None:
        self.assert_reads(True)
        self.transport.pauseProducing()
        self.assert_reads(False)
        self.transport.resumeProducing()
        self.assert_reads(True)

    def test_after_a_write_that_failed(self) -> None:
        """It reads on when the next one has worked."""
        for _ in range(2):
            self.fail()
            self.assertIsNone(self.turn())
            self.assertEqual(self.received(), b"x")
            self.assert_reads(True)

    def test_after_a_write_of_nothing_that_failed(self) -> None:
        """The next turn tries again, though there is nothing to be sent."""
        self.fail(b"")
        self.assertIn(self.transport, self.reactor.writers)
        self.turn()
        self.assert_reads(True)

    def test_after_a_write_that_fails_again(self) -> None:
        """It is the end, and the rest is not read: it would be a mere end."""
        self.far.close()
        self.transport.write(b"x")
        self.assertIs(self.turn(), main.CONNECTION_LOST)
        self.assert_reads(False)

    def test_paused_after_a_write_that_failed(self) -> None:
        self.fail()
        self.transport.pauseProducing()
        self.turn()
        self.assert_reads(False)
        self.transport.resumeProducing()
        self.assert_reads(True)

    def test_paused_and_resumed_before_a_write_that_failed(self) -> None:
        self.transport.pauseProducing()
        self.transport.resumeProducing()
        self.fail()
        self.turn()
        self.assert_reads(True)

    def test_one_that_was_told_not_to_read(self) -> None:
        """To send something is no reason to read, unless it is the send that had failed."""
        for failed in (False, True):
            if failed:
                self.fail()
                self.turn()
            self.transport.stopReading()
            self.transport.writeSequence([b"x"])
            self.turn()
            self.assert_reads(False)


class WritingTests(TransportCase):
    kind = TCPServer

    def test_as_much_as_a_producer_may_write_unpaused(self) -> None:
        producer = mock.Mock()
        self.transport.registerProducer(producer, True)
        self.transport.write(payload(MAX_DIRECT_WRITE))
        self.assertEqual(self.received(), payload(MAX_DIRECT_WRITE))
        producer.pauseProducing.assert_not_called()

    def test_a_producer_that_comes_late(self) -> None:
        """Data buffered before goes out ahead of data written later."""
        written = self.fill()
        self.transport.registerProducer(mock.Mock(), True)
        part = self.far.recv(1 << 16)
        self.transport.write(b"last")
        self.assertEqual(part + self.flush(), written + b"last")

    def test_a_producer_whose_data_had_to_wait(self) -> None:
        """From then on it writes at once again."""
        self.transport.registerProducer(mock.Mock(), True)
        self.fill()
        self.flush()
        self.transport.write(b"at once")
        self.assertEqual((self.received(), self.reactor.writers), (b"at once", set()))

    def test_a_sequence_of_nothing(self) -> None:
        """It neither delays nor resumes: a pull producer goes on waiting for its turn."""
        self.transport.writeSequence([])
        self.transport.write(b"at once")
        self.assertEqual((self.received(), self.reactor.writers), (b"at once", set()))
        self.transport.registerProducer(mock.Mock(), False)
        self.turn()
        self.transport.writeSequence([])
        self.transport.write(b"later")
        self.assertEqual((self.received(), self.reactor.writers), (b"", {self.transport}))

    def test_tls_of_the_side_that_it_is_on(self) -> None:
        """A server waits for the client's hello, unless it is told to be the client."""
        self.transport.protocol.makeConnection(self.transport)
        self.transport.startTLS(PrivateCertificate.loadPEM(make_pem()).options())
        self.addCleanup(self.reactor.clock.advance, 0)
        self.addCleanup(self.transport.abortConnection)
        self.turn()
        self.assertEqual(self.received(), b"")
