import errno
import os
import socket
from typing import Any
from unittest import mock

from twisted.internet.error import ConnectionDone
from twisted.logger import formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto import Echo, EchoFactory
from echoproto.server.accepting import TCPPort
from echoproto.server.settings import Settings
from tests.admission import admission
from tests.clients import exchange, receive
from tests.logs import record_log
from tests.reactorbuilder import EchoReactorBuilder


class AcceptingBuilder(EchoReactorBuilder):
    """Real sockets on each reactor."""

    def listen(self, factory: EchoFactory | None = None, **settings: Any) -> None:
        self.reactor = self.buildReactor()
        self.factory = factory or EchoFactory(b"")
        self.admission = admission(self.reactor, Settings(**settings), self.factory.connections)
        self.factory.observers = (self.admission.counters, self.admission)
        self.events = record_log(self)
        self.port = TCPPort(0, self.factory, 50, "127.0.0.1", self.reactor)
        self.port.admission = self.admission
        self.port.startListening()
        self.addCleanup(self.close)

    def close(self) -> None:
        """A reactor that stops closes what it watches, which a port that rests is not."""
        if self.port.connected:
            self.port.connectionLost(Failure(ConnectionDone()))

    def connect(self) -> socket.socket:
        return self.enterContext(socket.create_connection(("127.0.0.1", self.port.getHost().port), timeout=10))

    def lines(self) -> list[str]:
        return [formatEvent(event) for event in self.events if event["log_namespace"] == "echoproto"]

    def test_the_excess_is_closed_at_once(self) -> None:
        """C3, T13: it sees the end; refused is exactly the excess; those inside are served on."""

        def client() -> None:
            inside = [self.connect() for _ in range(5)]
            for each in inside:
                each.sendall(b"x")
                self.assertEqual(receive(each, 1), b"x")
            for _ in range(20):
                self.assertEqual(receive(self.connect(), 1), b"")
            for each in inside:
                self.assertEqual(exchange(each, b"still here"), b"still here")

        self.listen(max_connections=5)
        self.run_with(self.reactor, client)
        snapshot = self.admission.counters.snapshot(self.factory.connections)
        self.assertEqual(snapshot.refused, {"max-connections": 20})
        self.assertEqual((snapshot.accepted, snapshot.active, sum(snapshot.closed.values())), (5, 0, 5))

    def test_too_many_a_second_wait_in_the_backlog(self) -> None:
        """C5: all of them are served in the end."""

        def client() -> None:
            for each in [self.connect() for _ in range(30)]:
                self.assertEqual(exchange(each, b"x"), b"x")

        self.listen(accept_rate=20)
        begun = self.reactor.seconds()
        self.run_with(self.reactor, client)
        self.assertGreaterEqual(self.reactor.seconds() - begun, 0.49)
        self.assertEqual(self.admission.counters.accepted, 30)
        self.assertEqual(dict(self.admission.counters.refused), {})

    def test_a_burst_within_the_backlog(self) -> None:
        """C2: none is refused."""

        def client() -> None:
            for each in [self.connect() for _ in range(45)]:
                self.assertEqual(exchange(each, b"x"), b"x")

        self.listen()
        self.run_with(self.reactor, client)
        self.assertEqual(self.admission.counters.accepted, 45)

    def test_a_connection_that_can_not_be_made(self) -> None:
        """E10: it ends, is counted, and takes nobody with it."""
        broken: list[Echo] = []

        class Broken(Echo):
            def connectionMade(self) -> None:
                if not broken:
                    broken.append(self)
                    raise ZeroDivisionError("ours")
                super().connectionMade()

        def client() -> None:
            self.assertRaises(ConnectionResetError, lambda: receive(self.connect(), 1))
            self.assertEqual(exchange(self.connect(), b"x"), b"x")

        factory = EchoFactory(b"")
        factory.protocol = Broken
        self.listen(factory)
        self.run_with(self.reactor, client)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        snapshot = self.admission.counters.snapshot(self.factory.connections)
        self.assertEqual(snapshot.errors, {"ZeroDivisionError": 1})
        self.assertEqual((snapshot.accepted, snapshot.active, snapshot.closed), (1, 0, {"peer": 1}))

    def test_an_error_in_one_connection(self) -> None:
        """E10: that one is aborted and counted, the others are exact."""

        class Broken(Echo):
            def dataReceived(self, data: bytes) -> None:
                if b"!" in data:
                    raise ZeroDivisionError("ours")
                super().dataReceived(data)

        def client() -> None:
            other = self.connect()
            other.sendall(b"before")
            self.assertEqual(receive(other, 6), b"before")
            bad = self.connect()
            bad.sendall(b"!")
            self.assertEqual(receive(bad, 1), b"")
            self.assertEqual(exchange(other, b"after"), b"after")

        factory = EchoFactory(b"")
        factory.protocol = Broken
        self.listen(factory)
        self.run_with(self.reactor, client)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        snapshot = self.admission.counters.snapshot(self.factory.connections)
        self.assertEqual(snapshot.closed, {"peer": 1, "error": 1})
        self.assertEqual(snapshot.errors, {"ZeroDivisionError": 1})

    def test_stopping_while_it_rests(self) -> None:
        """Nothing is left behind in the reactor."""
        self.listen(accept_rate=1)
        for _ in range(3):
            self.connect()
        for _ in range(100):
            self.reactor.iterate(0.01)
            if self.port._resting is not None:
                break
        self.assertIsNotNone(self.port._resting)
        self.port.stopListening()
        self.assertEqual((self.port._resting, self.port._spare), (None, None))
        while self.port.connected:
            self.reactor.iterate(0.01)


globals().update(AcceptingBuilder.makeTestCaseClasses())
del AcceptingBuilder, EchoReactorBuilder


class AcceptErrorsTests(SynchronousTestCase):
    """What accept(2) may answer, on a port whose socket is not real; the real errors stand in tests/integration."""

    def setUp(self) -> None:
        from twisted.internet.task import Clock

        self.clock = Clock()
        self.factory = EchoFactory(b"")
        self.reactor: Any = mock.Mock(callLater=self.clock.callLater)
        self.port: Any = TCPPort(0, self.factory, 50, "127.0.0.1", self.reactor)
        self.port.admission = admission(self.clock, None, self.factory.connections)
        self.counters = self.port.admission.counters
        self.port.connected = True
        self.port.numberAccepts = 10
        self.port.socket = mock.Mock()
        self.events = record_log(self)

    def read(self, *answers: BaseException) -> int:
        """Have accept answer so, then that there is nobody; how often it was called."""
        self.port.socket.accept.side_effect = [*answers, *[BlockingIOError(errno.EAGAIN, "")] * 20]
        self.port.socket.accept.reset_mock()
        self.port.doRead()
        return int(self.port.socket.accept.call_count)

    def test_of_one_connection(self) -> None:
        """C7: the next one is accepted at once."""
        errors = [OSError(number, "") for number in (errno.ECONNABORTED, errno.EPERM, errno.EPROTO)]
        self.assertEqual(self.read(*errors), 4)
        self.assertEqual(self.counters.errors, {"ECONNABORTED": 1, "EPERM": 1, "EPROTO": 1})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_of_the_system(self) -> None:
        """C7: to try again at once would be to turn in circles."""
        for number in (errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            self.reactor.reset_mock()
            self.assertEqual(self.read(OSError(number, "")), 1)
            self.reactor.removeReader.assert_called_once_with(self.port)
            self.reactor.addReader.assert_not_called()
            self.clock.advance(0.1)
            self.reactor.addReader.assert_called_once_with(self.port)
        self.assertEqual(self.counters.errors, {"ENFILE": 1, "ENOBUFS": 1, "ENOMEM": 1})

    def test_without_any_descriptor(self) -> None:
        """C6: not even a spare one, so it waits."""
        self.assertEqual(self.port._spare, None)
        with mock.patch.object(os, "open", side_effect=OSError(errno.EMFILE, "")):
            self.assertEqual(self.read(OSError(errno.EMFILE, "")), 1)
        self.assertEqual(self.counters.errors, {"EMFILE": 1})
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_a_line_a_second(self) -> None:
        """E4: under any number of errors."""
        for _ in range(100):
            self.read(OSError(errno.ENFILE, "Too many"))
            self.clock.advance(0.1)
        lines = [formatEvent(event) for event in self.events]
        self.assertEqual(lines[0], "Could not accept a connection: ENFILE, Too many")
        self.assertLessEqual(len(lines), 11)

    def test_an_error_of_ours_leaves_the_port_open(self) -> None:
        """E10."""
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        self.port.socket.accept.side_effect = [(near, ("192.0.2.7", 1)), BlockingIOError(errno.EAGAIN, "")]
        with mock.patch.object(self.factory, "buildProtocol", side_effect=ZeroDivisionError):
            self.port.doRead()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(near.fileno(), -1)
        self.assertEqual(self.counters.errors, {"ZeroDivisionError": 1})

    def test_the_spare_descriptor_turns_somebody_away(self) -> None:
        """C6: who waits is closed, and counted."""
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        self.port._spare = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(lambda: os.close(self.port._spare))
        self.assertEqual(self.read(OSError(errno.EMFILE, ""), (near, ("192.0.2.7", 1))), 3)  # type: ignore[arg-type]
        self.assertEqual(near.fileno(), -1)
        self.assertEqual(self.counters.refused, {"descriptors": 1})

    def test_what_else_may_happen_meanwhile(self) -> None:
        """C6: whoever it was is gone, or the system has not enough of something else."""
        for answer, calls in ((BlockingIOError(errno.EAGAIN, ""), 3), (OSError(errno.ENFILE, ""), 2)):
            self.port._spare = os.open(os.devnull, os.O_RDONLY)
            self.assertEqual(self.read(OSError(errno.EMFILE, ""), answer), calls)
            os.close(self.port._spare)
        self.assertEqual(self.counters.refused, {})

    def test_as_many_as_there_were_are_expected(self) -> None:
        self.read()
        self.assertEqual(self.port.numberAccepts, 1)
        self.read(*[OSError(errno.EPROTO, "")])
        self.assertEqual(self.port.numberAccepts, 21)

    def test_a_peer_of_a_link(self) -> None:
        """Its address is only whole with the name of the link."""
        self.port.addressFamily = socket.AF_INET6
        with mock.patch.object(socket, "getnameinfo", return_value=("fe80::1%eth0", "1")):
            who = self.port._who(("fe80::1", 1, 0, 2))
        self.assertEqual(who, ("fe80::1%eth0", ("fe80::1%eth0", 1, 0, 2)))
        self.assertEqual(self.port._who(("::ffff:192.0.2.7", 1, 0, 0))[0], "192.0.2.7")
