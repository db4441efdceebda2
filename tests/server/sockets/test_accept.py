import os
import socket
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.logger import formatEvent
from twisted.python.failure import Failure

from echoproto import Echo, EchoFactory
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.accept import TCPPort
from tests.support.admission import admission
from tests.support.clients import exchange, receive
from tests.support.logs import record_log
from tests.support.reactorbuilder import EchoReactorBuilder


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
        self.assertEqual(self.flushLoggedErrors(ZeroDivisionError), [], "it is for observers to log")
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
            if self.port._pause is not None:
                break
        resting, spare = self.port._pause, self.port._spare
        assert resting is not None
        assert spare is not None
        os.fstat(spare)
        self.port.stopListening()
        self.assertEqual((self.port._pause, self.port._spare, resting.active()), (None, None, False))
        self.assertRaises(OSError, os.fstat, spare)
        while self.port.connected:
            self.reactor.iterate(0.01)


globals().update(AcceptingBuilder.makeTestCaseClasses())
del AcceptingBuilder, EchoReactorBuilder
