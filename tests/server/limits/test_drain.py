import select
import socket
import sys
import termios
from importlib.util import find_spec, module_from_spec
from typing import Any
from unittest import mock

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto import Echo, EchoFactory
from echoproto.server.limits import drain as drain_module
from echoproto.server.limits.drain import close_if_delivered, drain, unconfirmed


class SocketsCase(SynchronousTestCase):
    """Two ends of a real connection, with queues in between."""

    def setUp(self) -> None:
        self.listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        self.far = self.enterContext(socket.create_connection(self.listener.getsockname()))
        self.near = self.enterContext(self.listener.accept()[0])


class DrainTests(SocketsCase):
    """What a connection is told, by what lies in the queues."""

    def told(self, **transport: Any) -> list[Any]:
        connection = mock.Mock(spec=Echo)
        connection.transport = mock.Mock(spec=[*transport, "fileno"], **transport)
        connection.transport.fileno = self.near.fileno
        drain(connection)
        calls = [*connection.method_calls, *connection.transport.method_calls]
        return [call for call in calls if call[0] != "transport.fileno"]

    def test_nothing_is_queued(self) -> None:
        self.assertEqual(self.told(disconnecting=False), [mock.call.close()])

    def test_something_is_to_be_received(self) -> None:
        self.far.sendall(b"12345")
        self.near.recv(1, socket.MSG_PEEK)
        self.assertEqual(self.told(disconnecting=False), [mock.call.drain(5)])

    def test_something_is_to_be_sent(self) -> None:
        self.assertEqual(self.told(disconnecting=False, dataBuffer=b"x"), [mock.call.drain(0)])
        self.assertEqual(self.told(disconnecting=False, _tempDataLen=1), [mock.call.drain(0)])

    def test_something_is_on_its_way(self) -> None:
        self.near.setblocking(False)
        while select.select([], [self.near], [], 0)[1]:
            self.near.send(b"x" * 65536)
        self.assertEqual(self.told(disconnecting=False), [mock.call.drain(0)])

    def test_tls_counts_for_itself(self) -> None:
        self.far.sendall(b"12345")
        self.near.recv(1, socket.MSG_PEEK)
        connection = mock.Mock(spec=Echo)
        connection.transport = mock.Mock(spec=["fileno", "disconnecting", "drain"], disconnecting=False)
        connection.transport.fileno = self.near.fileno
        drain(connection)
        connection.transport.drain.assert_called_once_with(5)
        connection.drain.assert_not_called()

    def test_one_that_closes_already(self) -> None:
        self.far.sendall(b"12345")
        self.assertEqual(self.told(disconnecting=True), [])


class DrainerTests(SynchronousTestCase):
    """How long it goes on, by a clock in the test's hand."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.drainer = drain_module.Drainer(self.clock)
        self.drained: list[Any] = []
        self.delivered: list[Any] = []
        self.patch(drain_module, "drain", self.drained.append)
        self.patch(drain_module, "close_if_delivered", self.delivered.append)
        self.factory = EchoFactory(b"")

    def connect(self) -> Any:
        connection = self.factory.buildProtocol(None)
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
            bad.transport.transport.abortConnection.assert_called_with()
            self.assertIn(good, names)
            self.assertIsNone(good.fault)

    def test_it_looks_until_all_are_gone(self) -> None:
        first, second = self.connect(), self.connect()
        for each in (first, second):
            self.drainer.add(each, 10, "stop")
        self.assertEqual((self.drained, first.ended_by), ([first, second], "stop"))
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

    def test_when_a_peer_was_heard_is_forgotten_with_it(self) -> None:
        """O7: peers that go on sending to the end take no memory for ever."""
        for _ in range(5):
            connection = self.connect()
            self.drainer.add(connection, 10, "lifetime")
            connection.quiet = False
            self.clock.pump([0.05])
            self.assertEqual(list(self.drainer._heard), [connection])
            self.factory.remove(connection, Failure(ConnectionDone()))
            self.clock.pump([0.05])
            self.assertEqual((self.drainer._heard, self.drainer._deadlines), ({}, {}))


class CloseIfDeliveredTests(SocketsCase):
    def closed(self, **transport: Any) -> bool:
        connection = mock.Mock(spec=Echo, half_closed=False)
        connection.transport = mock.Mock(spec=["disconnecting", "fileno", *transport], disconnecting=False, **transport)
        connection.transport.fileno = self.near.fileno
        close_if_delivered(connection)
        return bool(connection.close.called)

    def test_the_peer_has_everything(self) -> None:
        self.assertTrue(self.closed())

    def test_a_system_that_does_not_tell(self) -> None:
        """Then it is up to the peer to close, or to the end of the time."""
        with mock.patch("echoproto.server.limits.drain.UNCONFIRMED", 0):
            self.assertFalse(self.closed())
            self.assertEqual(unconfirmed(mock.Mock(transport=self.near)), 1)

    def test_one_that_waits_for_the_peer_s_end_is_watched_anew(self) -> None:
        """O7: libuv forgets a socket that was reset while there was more to read (seen with Twisted on uvloop)."""
        connection = mock.Mock(spec=Echo, half_closed=True)
        connection.transport = mock.Mock(disconnecting=False, dataBuffer=b"x", offset=0, _tempDataLen=0)
        connection.transport.fileno = self.near.fileno
        close_if_delivered(connection)
        self.assertEqual(connection.transport.method_calls, [mock.call.pauseProducing(), mock.call.resumeProducing()])

    def test_the_peer_has_sent_something_since(self) -> None:
        self.far.sendall(b"x")
        self.near.recv(1, socket.MSG_PEEK)
        self.assertFalse(self.closed())

    def test_the_peer_does_not_have_everything(self) -> None:
        self.assertFalse(self.closed(dataBuffer=b"x"))
        while select.select([], [self.near], [], 0)[1]:
            self.near.send(b"x" * 65536)
        self.assertFalse(self.closed())


class SystemsTests(SynchronousTestCase):
    def test_what_asks_for_the_send_queue(self) -> None:
        """O7: each system has a number of its own for it; that of BSD is _IOR('f', 119, int) of sys/ttycom.h."""
        for platform, number in (("freebsd14", 1 << 30 | 4 << 16 | ord("f") << 8 | 119), ("linux", termios.TIOCOUTQ)):
            spec = find_spec(drain_module.__name__)
            assert spec is not None
            assert spec.loader is not None
            module = module_from_spec(spec)
            with mock.patch.object(sys, "platform", platform):
                spec.loader.exec_module(module)
            self.assertEqual(module.UNCONFIRMED, number)
