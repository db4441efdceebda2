import gc
import sys
import weakref
from typing import Any, cast
from unittest import mock

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, ISSLTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides
from zope.interface.verify import verifyObject

from echoproto import GREETING, Echo, EchoFactory


class Transport(StringTransport):
    """A transport in memory that remembers in which order it was told to close and to forget its producer."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def unregisterProducer(self) -> None:
        self.calls.append("unregisterProducer")
        super().unregisterProducer()

    def resumeProducing(self) -> None:
        self.calls.append("resumeProducing")

    def loseWriteConnection(self) -> None:
        self.calls.append("loseWriteConnection")

    def loseConnection(self) -> None:
        self.calls.append("loseConnection")
        super().loseConnection()


class Observer:
    def __init__(self) -> None:
        self.events: list[tuple[str, Echo]] = []
        self.reasons: list[Failure] = []

    def connected(self, connection: Echo) -> None:
        self.events.append(("connected", connection))

    def disconnected(self, connection: Echo, reason: Failure) -> None:
        self.events.append(("disconnected", connection))
        self.reasons.append(reason)


def connect(factory: EchoFactory, transport: Any = None) -> tuple[Echo, Any]:
    transport = Transport() if transport is None else transport
    connection = factory.buildProtocol(None)
    connection.makeConnection(transport)
    return connection, transport


class EchoTests(SynchronousTestCase):
    def test_memory_of_one_of_many(self) -> None:
        """Whatever is noted of it later, its dictionary shares its keys with those of the others."""

        class Own(Echo):
            """Whose dictionaries no other test has to do with."""

        factory = EchoFactory()
        factory.protocol = Own
        connections = [connect(factory)[0] for _ in range(100)]
        for connection in connections:
            connection.dataReceived(b"x" * 1000)
            connection.seen, connection.active_at = 1000, 1.5
        self.assertLess(max(sys.getsizeof(vars(connection)) for connection in connections), 300)

    def test_before_it_is_made(self) -> None:
        """Nothing has come, nothing was seen, and nothing has ended it."""
        connection = EchoFactory(b"Hi").buildProtocol(None)
        self.assertEqual(
            (connection.bytes_received, connection.bytes_given, connection.connected_at, connection.active_at),
            (0, 0, 0.0, 0.0),
        )
        self.assertEqual((connection.ended_by, connection.half_closed, connection.quiet), ("", False, True))
        self.assertEqual(connection.seen, -1, "which is another number than that of the bytes received")
        self.assertTrue(connection.closes_with_peer)

    def test_what_was_given_is_what_was_received_and_the_greeting(self) -> None:
        connection, _ = connect(EchoFactory(b"Hi"))
        self.assertEqual((connection.bytes_received, connection.bytes_given), (0, 2))
        connection.dataReceived(b"x" * 5)
        self.assertEqual((connection.bytes_received, connection.bytes_given), (5, 7))

    def test_interfaces(self) -> None:
        connection, _ = connect(EchoFactory())
        verifyObject(IHalfCloseableProtocol, connection)
        verifyObject(IHandshakeListener, connection)

    def test_greeting(self) -> None:
        _, transport = connect(EchoFactory())
        self.assertEqual(transport.value(), b"Hello\n")
        self.assertEqual(GREETING, b"Hello\n")

    def test_own_greeting(self) -> None:
        _, transport = connect(EchoFactory(b"\x00\xff"))
        self.assertEqual(transport.value(), b"\x00\xff")

    def test_no_greeting(self) -> None:
        """RFC 862 knows none."""
        _, transport = connect(EchoFactory(b""))
        self.assertEqual(transport.value(), b"")

    def test_every_byte_value_comes_back(self) -> None:
        """T2: all 256 byte values, runs of NUL, CR and LF, invalid UTF-8."""
        connection, transport = connect(EchoFactory(b""))
        chunks = [bytes(range(256)), b"\0" * 1000, b"\r\n\r\n", b"\xff\xfe\xc3"]
        for chunk in chunks:
            connection.dataReceived(chunk)
        self.assertEqual(transport.value(), b"".join(chunks))
        self.assertEqual(connection.bytes_received, 1263)

    def test_flow_control(self) -> None:
        """
        B1: the transport is its own producer, so that it stops reading when it can't send.

        It is so before the first data, which a subclass may handle by itself.
        """
        connection, transport = connect(EchoFactory(b""), mock.Mock())
        self.assertEqual(transport.method_calls, [mock.call.registerProducer(transport, True)])
        connection.dataReceived(b"one")
        connection.dataReceived(b"two")
        self.assertEqual(
            transport.method_calls,
            [mock.call.registerProducer(transport, True), mock.call.write(b"one"), mock.call.write(b"two")],
        )

    def test_flow_control_over_twisted_s_own_tls(self) -> None:
        """Only after the handshake, whose reads the greeting would pause."""
        transport = mock.Mock()
        directlyProvides(transport, ISSLTransport)
        connection, _ = connect(EchoFactory(), transport)
        self.assertEqual(transport.method_calls, [mock.call.write(b"Hello\n")])
        connection.handshakeCompleted()
        self.assertEqual(transport.method_calls[1:], [mock.call.registerProducer(transport, True)])

    def test_it_opens_after_the_handshake(self) -> None:
        """Its greeting may depend on that."""
        factory = EchoFactory()
        connection, transport = factory.buildProtocol(None), Transport()
        connection.opens_when_made = False
        connection.makeConnection(transport)
        self.assertEqual(factory.connections, {connection})
        self.assertEqual((transport.value(), connection.bytes_given), (b"", 0))
        self.assertIsNone(connection._receive)
        connection.handshakeCompleted()
        self.assertEqual((transport.value(), connection.bytes_given), (b"Hello\n", 6))

    def test_a_handshake_of_a_transport_that_opens_at_once(self) -> None:
        """Twisted's own TLS tells of it, too; there is one greeting."""
        connection, transport = connect(EchoFactory())
        self.assertEqual(transport.value(), b"Hello\n")
        connection.handshakeCompleted()
        self.assertEqual(transport.value(), b"Hello\n")

    def test_half_close_flushes_then_closes(self) -> None:
        """T6: a paused producer would keep the connection from ever closing, so it has to go first."""
        connection, transport = connect(EchoFactory())
        connection.dataReceived(b"x")
        connection.readConnectionLost()
        self.assertEqual(transport.calls, ["unregisterProducer", "loseConnection"])
        connection.close()
        self.assertEqual(transport.calls[2:], ["loseConnection"], "it is a producer no more")

    def test_the_end_in_the_handshake(self) -> None:
        """There is no producer yet."""
        connection, transport = EchoFactory().buildProtocol(None), Transport()
        connection.opens_when_made = False
        connection.makeConnection(transport)
        connection.readConnectionLost()
        self.assertEqual(transport.calls, ["loseConnection"])

    def test_losing_the_sending_side_is_not_the_end(self) -> None:
        connection, transport = connect(EchoFactory())
        connection.writeConnectionLost()
        self.assertEqual(transport.calls, [])


class ReceiverTests(SynchronousTestCase):
    """The receiver of data changes with the state of a connection."""

    def test_a_subclass_sees_all_data(self) -> None:
        """Of each state, and each portion once."""

        class Seeing(Echo):
            def __init__(self) -> None:
                super().__init__()
                self.seen_data: list[bytes] = []

            def dataReceived(self, data: bytes) -> None:
                self.seen_data.append(data)
                super().dataReceived(data)

        factory = EchoFactory(b"")
        factory.protocol = Seeing
        connection, transport = connect(factory)
        assert isinstance(connection, Seeing)
        connection.dataReceived(b"first ")
        connection.dataReceived(b"second ")
        connection.drain(1)
        connection.dataReceived(b"third")
        self.assertEqual(connection.seen_data, [b"first ", b"second ", b"third"])
        self.assertEqual(transport.value(), b"first second t")

    def test_a_connection_is_freed_at_its_end(self) -> None:
        """In any state, without the garbage collector."""

        def sends(connection: Echo) -> None:
            connection.dataReceived(b"x")

        def drains(connection: Echo) -> None:
            connection.drain(5)

        gc.disable()
        self.addCleanup(gc.enable)
        for act in (bool, sends, drains):
            connection, _ = connect(EchoFactory(b""), mock.Mock())
            act(connection)
            connection.connectionLost(Failure(ConnectionDone()))
            connection.transport = None  # type: ignore[assignment]
            gone = weakref.ref(connection)
            del connection
            self.assertIsNone(gone(), act)


class DrainTests(SynchronousTestCase):
    """O7: what was in flight comes back, and nothing more."""

    def test_nothing_in_flight(self) -> None:
        connection, transport = connect(EchoFactory(b""))
        connection.drain(0)
        self.assertEqual(transport.calls, ["unregisterProducer", "resumeProducing", "loseWriteConnection"])
        self.assertTrue(connection.half_closed)
        connection.dataReceived(b"late")
        self.assertEqual(transport.value(), b"")

    def test_what_is_in_flight(self) -> None:
        connection, transport = connect(EchoFactory(b""))
        connection.dataReceived(b"before ")
        connection.drain(5)
        connection.dataReceived(b"in ")
        self.assertEqual((transport.calls, connection.half_closed, connection.quiet), ([], False, False))
        connection.dataReceived(b"flight and late")
        self.assertEqual(transport.value(), b"before in fl")
        self.assertEqual(connection.bytes_received, 12)
        self.assertEqual(transport.calls, ["unregisterProducer", "resumeProducing", "loseWriteConnection"])
        connection.dataReceived(b"later still")
        self.assertEqual(transport.value(), b"before in fl")
        self.assertEqual(len(transport.calls), 3)

    def test_what_comes_late_is_heard(self) -> None:
        """A peer that goes on sending is not quiet, though nothing of it comes back."""
        connection, _ = connect(EchoFactory(b""))
        connection.drain(0)
        self.assertTrue(connection.quiet)
        connection.dataReceived(b"late")
        self.assertFalse(connection.quiet)


class EchoFactoryTests(SynchronousTestCase):
    def test_a_greeting_of_each_connection(self) -> None:
        """A subclass may have one that depends on the connection; it is asked once, before anything is sent."""

        class Naming(EchoFactory):
            def __init__(self) -> None:
                super().__init__()
                self.asked: list[tuple[Echo, bytes]] = []

            def opened(self, connection: Echo) -> None:
                self.asked.append((connection, cast(Any, connection.transport).value()))

            def greeting_for(self, connection: Echo) -> bytes:
                self.asked.append((connection, cast(Any, connection.transport).value()))
                return b"" if len(self.asked) == 2 else b"You are the second\n"

        factory = Naming()
        (first, silent), (second, greeted) = connect(factory), connect(factory)
        self.assertEqual(factory.asked, [(first, b"")] * 2 + [(second, b"")] * 2)
        self.assertEqual((silent.value(), first.bytes_given), (b"", 0))
        self.assertEqual((greeted.value(), second.bytes_given), (b"You are the second\n", 19))

    def test_a_greeting_that_fails(self) -> None:
        """It ends the connection, on Twisted's own transports, too, and is told of."""
        factory = EchoFactory()
        self.patch(factory, "greeting_for", mock.Mock(side_effect=ZeroDivisionError))
        connection, transport = factory.buildProtocol(None), StringTransport()
        self.assertRaises(ZeroDivisionError, connection.makeConnection, transport)
        self.assertTrue(transport.disconnected)

    def test_the_greeting_by_default(self) -> None:
        factory = EchoFactory(b"Hi")
        connection = factory.buildProtocol(None)
        self.assertEqual(factory.greeting_for(connection), b"Hi")
        factory.greeting = b"Ho"
        self.assertEqual(factory.greeting_for(connection), b"Ho")

    def test_greeting_must_be_bytes(self) -> None:
        error = self.assertRaises(TypeError, EchoFactory, "Hello\n")
        self.assertEqual(str(error), "greeting must be bytes, not str")

    def test_is_quiet(self) -> None:
        self.assertFalse(EchoFactory.noisy)

    def test_knows_who_is_connected(self) -> None:
        factory = EchoFactory()
        one, _ = connect(factory)
        two, _ = connect(factory)
        self.assertEqual(factory.connections, {one, two})
        one.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(factory.connections, {two})
        two.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(factory.connections, set())

    def test_tells_when_nobody_is_connected(self) -> None:
        factory = EchoFactory()
        self.successResultOf(factory.when_empty())
        one, _ = connect(factory)
        two, _ = connect(factory)
        empty = factory.when_empty()
        one.connectionLost(Failure(ConnectionDone()))
        self.assertNoResult(empty)
        two.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(empty)

    def test_notes_when_a_connection_was_made(self) -> None:
        clock = Clock()
        factory = EchoFactory(seconds=clock.seconds)
        clock.advance(7.5)
        connection, _ = connect(factory)
        clock.advance(1)
        self.assertEqual(connection.connected_at, 7.5)

    def test_tells_its_observer(self) -> None:
        observer = Observer()
        factory = EchoFactory(observers=[observer])
        connection, _ = connect(factory)
        self.assertEqual(observer.events, [("connected", connection)])
        reason = Failure(ConnectionDone())
        connection.connectionLost(reason)
        self.assertEqual(observer.events[1:], [("disconnected", connection)])
        self.assertEqual(observer.reasons, [reason])

    def test_the_observer_is_told_before_anything_is_sent(self) -> None:
        sent: list[bytes] = []

        class First(Observer):
            def connected(self, connection: Echo) -> None:
                sent.append(transport.value())

        transport = Transport()
        connect(EchoFactory(observers=[First()]), transport)
        self.assertEqual(sent, [b""])
        self.assertEqual(transport.value(), b"Hello\n")

    def test_protocol_can_be_another_class(self) -> None:
        class Counting(Echo):
            pass

        factory = EchoFactory()
        factory.protocol = Counting
        connection, _ = connect(factory)
        self.assertIsInstance(connection, Counting)
        self.assertIs(connection.factory, factory)
