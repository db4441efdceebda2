from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto import Echo
from echoproto.server.connections import Connection, ConnectionFactory, Stage, source
from tests.support.transports import EchoTransport


class Watching:
    """An observer that keeps whether the table had a connection when it was told."""

    def __init__(self, factory: ConnectionFactory) -> None:
        self.factory = factory
        self.known: list[bool] = []

    def connected(self, connection: Echo) -> None:
        self.known.append(connection in self.factory.table)

    def disconnected(self, connection: Echo, reason: Failure) -> None:
        self.known.append(connection in self.factory.table)


class ConnectionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100)
        self.factory = ConnectionFactory(self.clock.seconds)
        self.table = self.factory.table

    def connect(self, host: str = "192.0.2.7", *, handshake: bool = False) -> Echo:
        connection = self.factory.buildProtocol(None)
        connection.opens_when_made = not handshake
        connection.makeConnection(EchoTransport(IPv6Address("TCP", host, 1)))
        return connection

    def at(self, connection: Echo) -> tuple[int, str, float]:
        entry = self.table[connection]
        return entry.number, entry.stage, entry.since

    def test_an_entry(self) -> None:
        connection = self.connect("2001:db8::1")
        entry = self.table[connection]
        self.assertIs(entry.echo, connection)
        self.assertIs(entry.transport, connection.transport)
        self.assertEqual(entry.source, "20010db800000000")
        self.assertEqual(self.at(connection), (1, "open", 100))

    def test_a_unix_socket_has_no_source_of_its_own(self) -> None:
        connection = self.factory.buildProtocol(None)
        connection.makeConnection(EchoTransport(UNIXAddress(None)))
        self.assertEqual((self.table[connection].source, source(connection)), ("unix", "unix"))

    def test_numbers(self) -> None:
        """In the order of accept, and none is given twice."""
        first, second = self.connect(), self.connect()
        first.connectionLost(Failure(ConnectionDone()))
        third = self.connect()
        self.assertEqual([each.number for each in self.table.values()], [2, 3])
        self.assertEqual(([*self.table], self.table.accepted), ([second, third], 3))

    def test_stages(self) -> None:
        connection = self.connect(handshake=True)
        self.clock.advance(1)
        self.assertEqual(self.at(connection), (1, "handshake", 100))
        connection.handshakeCompleted()
        self.assertEqual(self.at(connection), (1, "open", 101))
        self.clock.advance(1)
        self.table.enter(connection, Stage.DRAINING)
        self.assertEqual(self.at(connection), (1, "draining", 102))

    def test_a_stage_that_it_is_in_already(self) -> None:
        """It is in it since the first time."""
        connection = self.connect()
        self.clock.advance(1)
        self.table.enter(connection, Stage.OPEN)
        self.assertEqual(self.at(connection), (1, "open", 100))

    def test_one_that_is_gone(self) -> None:
        connection = self.connect()
        connection.connectionLost(Failure(ConnectionDone()))
        self.table.enter(connection, Stage.DRAINING)
        self.assertEqual((self.table, self.factory.connections), ({}, set()))

    def test_one_that_was_never_made(self) -> None:
        other, connection = self.factory.buildProtocol(None), self.connect()
        other.connectionLost(Failure(ConnectionDone()))
        self.assertEqual([*self.table], [connection])

    def test_it_is_ahead_of_observers(self) -> None:
        """Observers depend on the table, such as the deadlines, which stop their checks when it is empty."""
        observer = Watching(self.factory)
        self.factory.observers = (observer,)
        self.connect().connectionLost(Failure(ConnectionDone()))
        self.assertEqual(observer.known, [True, False])

    def test_an_entry_is_small(self) -> None:
        """Its fields, and no dictionary."""
        self.assertFalse(hasattr(self.table[self.connect()], "__dict__"))
        self.assertEqual(Connection.__slots__[:4], ("echo", "number", "stage", "since"))
