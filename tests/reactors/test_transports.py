"""What the connections of lean reactors are called, and what clients have of their own; the rest is in
`tests.server.test_transport`."""

import socket
from typing import Any
from unittest import mock

from twisted.internet import main, tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto.reactors.transports import TCPClient, TCPServer, UnixClient

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
