import socket
from typing import Any
from unittest import mock

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto import Echo
from echoproto.server.connections import ConnectionFactory, Stage
from echoproto.server.limits import drain as drain_module
from echoproto.server.limits.drain import close_if_delivered, drain
from tests.support.transports import EchoTransport


class SocketsCase(SynchronousTestCase):
    """Two ends of a real connection, with queues in between."""

    def setUp(self) -> None:
        self.listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        self.far = self.enterContext(socket.create_connection(self.listener.getsockname()))
        self.near = self.enterContext(self.listener.accept()[0])

    def connection(self, *, waiting: int = 0, in_flight: int = 0) -> Any:
        """Return an echo that keeps what it is told, and whose transport has the near end's receive queue."""
        transport = EchoTransport()
        vars(transport).update(fileno=self.near.fileno, waiting=waiting, in_flight=in_flight)
        return mock.Mock(spec=Echo, transport=transport, half_closed=False)

    def receive(self, data: bytes) -> None:
        """Have something in the receive queue."""
        self.far.sendall(data)
        self.near.recv(1, socket.MSG_PEEK)


class DrainTests(SocketsCase):
    """What a connection is told, by what lies in the queues."""

    def drained(self, connection: Any) -> list[int]:
        drain(connection)
        counts: list[int] = connection.transport.drained
        return counts

    def test_nothing_is_queued(self) -> None:
        connection = self.connection()
        self.assertEqual(self.drained(connection), [])
        connection.close.assert_called_once_with()

    def test_something_is_to_be_received(self) -> None:
        """O7: the transport is told how much; TLS counts it before it is decrypted."""
        self.receive(b"12345")
        connection = self.connection()
        self.assertEqual(self.drained(connection), [5])
        connection.close.assert_not_called()

    def test_something_is_to_be_sent(self) -> None:
        connection = self.connection(waiting=1)
        self.assertEqual(self.drained(connection), [0])
        connection.close.assert_not_called()

    def test_something_is_on_its_way(self) -> None:
        self.assertEqual(self.drained(self.connection(in_flight=1)), [0])

    def test_one_that_closes_already(self) -> None:
        self.receive(b"12345")
        connection = self.connection()
        connection.transport.disconnecting = True
        self.assertEqual(self.drained(connection), [])
        connection.close.assert_not_called()


class DrainerTests(SynchronousTestCase):
    """How long it goes on, by a clock in the test's hand."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = ConnectionFactory(self.clock.seconds)
        self.drainer = drain_module.Drainer(self.clock, self.factory.table)
        self.drained: list[Any] = []
        self.delivered: list[Any] = []
        self.patch(drain_module, "drain", self.drained.append)
        self.patch(drain_module, "close_if_delivered", self.delivered.append)

    def connect(self, *, handshake: bool = False) -> Any:
        connection: Any = self.factory.buildProtocol(None)
        connection.opens_when_made = not handshake
        connection.makeConnection(mock.Mock())
        return connection

    def test_a_fault(self) -> None:
        """E10: it ends that connection, and the others are drained."""
        for place, names in (("drain", self.drained), ("close_if_delivered", self.delivered)):
            bad, good = self.connect(), self.connect()

            def call(connection: Any, bad: Any = bad, names: list[Any] = names) -> None:
                if connection is bad:
                    raise ZeroDivisionError
                names.append(connection)

            with mock.patch.object(drain_module, place, call):
                for each in (bad, good):
                    self.drainer.add(each, 10, "stop")
                self.clock.pump([0.05])
            self.assertIsInstance(bad.fault.value, ZeroDivisionError)
            bad.transport.abortConnection.assert_called_with()
            self.assertIn(good, names)
            self.assertIsNone(good.fault)

    def test_it_checks_until_all_are_gone(self) -> None:
        first, second = self.connect(), self.connect()
        for each in (first, second):
            self.drainer.add(each, 10, "stop")
        self.assertEqual((self.drained, first.ended_by), ([first, second], "stop"))
        self.assertEqual({each.stage for each in self.factory.table.values()}, {Stage.DRAINING})
        self.assertEqual([call.getTime() for call in self.clock.getDelayedCalls()], [0.05])
        self.clock.pump([0.05])
        self.factory.remove(first, Failure(ConnectionDone()))
        self.clock.pump([0.05])
        self.assertEqual(self.delivered, [first, second, second])
        self.factory.remove(second, Failure(ConnectionDone()))
        self.clock.pump([0.05])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.drainer.add(self.connect(), 10, "stop")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_what_takes_too_long_is_aborted(self) -> None:
        """O7, B7: each after a time of its own."""
        slow, slower = self.connect(), self.connect()
        self.drainer.add(slow, 1, "lifetime")
        self.drainer.add(slower, 2, "stop")
        self.clock.pump([0.05] * 19)
        slow.transport.abortConnection.assert_not_called()
        self.clock.pump([0.05] * 2)
        slow.transport.abortConnection.assert_called()
        slower.transport.abortConnection.assert_not_called()
        self.assertEqual(slow.ended_by, "lifetime")
        self.clock.pump([0.05] * 20)
        slower.transport.abortConnection.assert_called()
        self.assertEqual(slower.ended_by, "drain")

    def test_a_handshake_is_completed_first(self) -> None:
        """O7: the drain begins after it, and so does the wait for delivery; the deadline holds all the same."""
        complete, stuck = self.connect(handshake=True), self.connect(handshake=True)
        for each in (complete, stuck):
            self.drainer.add(each, 1, "stop")
        self.clock.pump([0.05] * 2)
        self.assertEqual((self.drained, self.delivered), ([], []))
        complete.handshakeCompleted()
        self.clock.pump([0.05] * 2)
        self.assertEqual((self.drained, self.delivered), ([complete], [complete]))
        self.assertEqual([each.stage for each in self.factory.table.values()], [Stage.DRAINING, Stage.HANDSHAKE])
        stuck.transport.abortConnection.assert_not_called()
        self.clock.pump([0.05] * 17)
        stuck.transport.abortConnection.assert_called()
        self.assertEqual(stuck.ended_by, "drain")

    def test_one_that_is_ended_already(self) -> None:
        """It is not begun anew, and has no longer than before."""
        connection = self.connect()
        self.drainer.add(connection, 1, "lifetime")
        self.drainer.add(connection, 10, "stop")
        self.assertEqual((self.drained, connection.ended_by), ([connection], "lifetime"))
        self.clock.pump([0.05] * 21)
        connection.transport.abortConnection.assert_called()
        other = self.connect()
        self.drainer.add(other, 10, "lifetime")
        self.drainer.add(other, 1, "stop")
        self.clock.pump([0.05] * 21)
        other.transport.abortConnection.assert_called()

    def test_a_peer_that_goes_on_sending(self) -> None:
        """O7: it is left alone until it has been silent for a second; else it might be reset, and lose its echo."""
        connection = self.connect()
        self.drainer.add(connection, 10, "stop")
        for _ in range(5):
            connection.quiet = False
            self.clock.pump([0.05] * 19)
        self.assertEqual(self.delivered, [])
        self.clock.pump([0.05] * 3)
        self.assertEqual(set(self.delivered), {connection})

    def test_to_the_moment(self) -> None:
        """O7: a deadline that is reached is over, and a second of silence is enough; neither is over before."""
        self.patch(drain_module, "SWEEP_SECONDS", 0.25)
        slow, sending = self.connect(), self.connect()
        self.drainer.add(slow, 1, "lifetime")
        self.drainer.add(sending, 10, "lifetime")
        sending.quiet = False
        self.clock.pump([0.25] * 3)
        slow.transport.abortConnection.assert_not_called()
        self.clock.pump([0.25])
        slow.transport.abortConnection.assert_called()
        self.assertNotIn(sending, self.delivered, "0.75 s since it was heard, in the first look")
        self.clock.pump([0.25])
        self.assertIn(sending, self.delivered)

    def test_time_of_late_data_is_forgotten_with_the_connection(self) -> None:
        """O7: peers that go on sending to the end take no memory for ever."""
        for _ in range(5):
            connection = self.connect()
            self.drainer.add(connection, 10, "lifetime")
            connection.quiet = False
            self.clock.pump([0.05])
            self.assertEqual(list(self.drainer._late_data_at), [connection])
            self.factory.remove(connection, Failure(ConnectionDone()))
            self.clock.pump([0.05])
            self.assertEqual((self.drainer._late_data_at, self.drainer._deadlines), ({}, {}))


class CloseIfDeliveredTests(SocketsCase):
    def closed(self, **queued: int) -> bool:
        connection = self.connection(**queued)
        close_if_delivered(connection)
        return bool(connection.close.called)

    def test_the_peer_has_everything(self) -> None:
        self.assertTrue(self.closed())

    def test_one_that_waits_for_the_peer_s_end_is_watched_anew(self) -> None:
        """O7: libuv forgets a socket that was reset while there was more to read (seen with Twisted on uvloop)."""
        connection = mock.Mock(spec=Echo, half_closed=True)
        connection.transport = mock.Mock(disconnecting=False, fileno=self.near.fileno)
        close_if_delivered(connection)
        calls = connection.transport.method_calls
        self.assertEqual(calls[:2], [mock.call.pauseProducing(), mock.call.resumeProducing()])

    def test_the_peer_has_sent_something_since(self) -> None:
        self.receive(b"x")
        self.assertFalse(self.closed())

    def test_the_peer_does_not_have_everything(self) -> None:
        """O7: where the system does not tell, it is up to the peer to close, or to the end of the time."""
        self.assertFalse(self.closed(waiting=1))
        self.assertFalse(self.closed(in_flight=1))

    def test_one_that_closes_already(self) -> None:
        connection = self.connection()
        connection.transport.disconnecting = True
        close_if_delivered(connection)
        connection.close.assert_not_called()
