"""The echo over real sockets, on each reactor that this platform has."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import blockingCallFromThread

from echoproto import Echo, EchoFactory
from echoproto.server.sockets.connection import BufferedTCPConnection, TCPConnection
from tests.support.clients import PATIENCE, exchange, payload, reset
from tests.support.reactorbuilder import EchoReactorBuilder, T


class EchoBuilder(EchoReactorBuilder):
    def talk(self, client: Callable[[socket.socket], T], factory: EchoFactory | None = None) -> T:
        """Serve, connect once, and give what the client gives."""
        self.reactor: Any = self.buildReactor()
        port = self.reactor.listenTCP(0, factory or EchoFactory(b""), interface="127.0.0.1")

        def run() -> T:
            with socket.create_connection(("127.0.0.1", number)) as connected:
                return client(connected)

        number = port.getHost().port
        return self.run_with(self.reactor, run)

    def test_half_close(self) -> None:
        """T6, T7: what was sent before the FIN comes back, then a FIN."""
        for size in (0, 1, 6, 65536):
            data = payload(size)
            self.assertEqual(self.talk(lambda client, data=data: exchange(client, data)), data)  # type: ignore[misc]

    def test_half_close_with_a_late_reader(self) -> None:
        """T6: 8 MiB are more than the kernel's buffers hold, so the server has to stop reading, and to go on."""
        data = payload(8 << 20)
        self.assertTrue(self.talk(lambda client: exchange(client, data, late=True)) == data)

    def test_greeting_comes_first(self) -> None:
        self.assertEqual(self.talk(lambda client: exchange(client, b"x"), EchoFactory()), b"Hello\nx")

    def test_a_peer_that_never_reads_costs_two_buffers(self) -> None:
        """B1: at most one full transport buffer and one read, 64 KiB each, whatever is offered."""
        held: list[int] = []
        factory = EchoFactory(b"")

        def offer(client: socket.socket) -> int:
            client.setblocking(True)
            client.settimeout(1)
            sent = 0
            try:
                while sent < 32 << 20:
                    sent += client.send(b"x" * 65536)
            except TimeoutError:
                [connection] = factory.connections
                transport: Any = connection.transport
                held.append(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)
            return sent

        self.assertLess(self.talk(offer, factory), 32 << 20)
        self.assertTrue(0 < held[0] <= 131072, held)

    def test_closing_while_the_peer_does_not_read(self) -> None:
        """Twisted #6461: a transport that is asked to close while its producer is paused waits for ever."""
        factory = EchoFactory(b"")

        def read_after_the_close(client: socket.socket) -> int:
            client.settimeout(1)
            with contextlib.suppress(TimeoutError):
                while True:
                    client.send(b"x" * 65536)
            [connection] = factory.connections
            blockingCallFromThread(self.reactor, connection.close)
            client.settimeout(10)
            received = 0
            with contextlib.suppress(ConnectionResetError):  # what we have sent and it has not read resets the rest
                while chunk := client.recv(1 << 20):
                    received += len(chunk)
            return received

        self.assertGreater(self.talk(read_after_the_close, factory), 65536)

    def test_a_peer_that_resets(self) -> None:
        """T8, T9: with an echo pending, a reset ends that connection, without an error in the log."""
        ended = threading.Event()

        class Watching(Echo):
            def connectionLost(self, reason: Any = None) -> None:
                super().connectionLost(reason)
                ended.set()

        factory = EchoFactory(b"")
        factory.protocol = Watching

        def stop_in_the_middle(client: socket.socket) -> None:
            client.sendall(payload(1 << 20))
            client.recv(1)  # it is in the middle of it
            reset(client)
            self.assertTrue(ended.wait(PATIENCE))

        self.talk(stop_in_the_middle, factory)
        self.assertEqual(factory.connections, set())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_reset_after_data_that_needs_no_answer(self) -> None:
        """T9: it ends a connection that only reads, as one does that has got a part of a TLS record."""
        for kind in (tcp.Server, BufferedTCPConnection, TCPConnection):
            was_reset, ended = threading.Event(), threading.Event()

            class Silent(Protocol):
                def connectionMade(self, was_reset: threading.Event = was_reset) -> None:
                    was_reset.wait(PATIENCE)  # so that both have arrived when it reads

                def connectionLost(self, reason: Any = None, ended: threading.Event = ended) -> None:
                    ended.set()

            built: Any = self.buildReactor()
            port = built.listenTCP(0, Factory.forProtocol(Silent), interface="127.0.0.1")
            port.transport = kind

            def send_and_reset(port: Any = port, was_reset: Any = was_reset, ended: Any = ended) -> bool:
                client = socket.create_connection(("127.0.0.1", port.getHost().port))
                client.sendall(b"a part")
                reset(client)
                was_reset.set()
                return bool(ended.wait(PATIENCE))

            self.assertTrue(self.run_with(built, send_and_reset), kind)


globals().update(EchoBuilder.makeTestCaseClasses())
del EchoBuilder, EchoReactorBuilder
