"""TLS over real sockets, on each reactor that this platform has."""

import socket
from collections.abc import Callable

from twisted.internet import ssl
from twisted.internet.protocol import ServerFactory
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from echoproto import EchoFactory
from echoproto.server.tls import EchoTLS, keep_tail
from tests.certificates import make_pem
from tests.clients import TLSClient, exchange, payload
from tests.reactorbuilder import EchoReactorBuilder, T

PEM = make_pem()


class KeepTailTests(SynchronousTestCase):
    def test_tls(self) -> None:
        options = ssl.PrivateCertificate.loadPEM(PEM).options()
        factory = TLSMemoryBIOFactory(options, False, EchoFactory())
        self.assertIs(factory.protocol, BufferingTLSTransport)
        keep_tail(factory)
        self.assertIs(factory.protocol, EchoTLS)

    def test_anything_else_is_left_alone(self) -> None:
        factory = ServerFactory()
        before = factory.protocol
        keep_tail(factory)
        self.assertIs(factory.protocol, before)
        keep_tail(None)


class TLSBuilder(EchoReactorBuilder):
    def talk(self, client: Callable[[socket.socket, TLSClient], T], *, greeting: bytes = b"") -> T:
        reactor = self.buildReactor()
        options = ssl.PrivateCertificate.loadPEM(PEM).options()
        port = reactor.listenSSL(0, EchoFactory(greeting), options, interface="127.0.0.1")
        keep_tail(port.factory)

        def run() -> T:
            with socket.create_connection(("127.0.0.1", port.getHost().port)) as connected:
                return client(connected, TLSClient(connected))

        return self.run_with(reactor, run)

    def echo_of(self, data: bytes, *, close_notify: bool, half_close: bool, late: bool = False) -> tuple[bytes, bool]:
        def send(client: socket.socket, tls: TLSClient) -> tuple[bytes, bool]:
            sealed = tls.seal(data, close_notify=close_notify)
            return tls.unseal(exchange(client, sealed, half_close=half_close, late=late))

        return self.talk(send)

    def test_close_notify_right_after_data(self) -> None:
        """S6: stock Twisted loses the echo of what is in the same segment."""
        for size in (1, 100, 60000):
            data = payload(size)
            self.assertEqual(self.echo_of(data, close_notify=True, half_close=False), (data, True))
            self.assertEqual(self.echo_of(data, close_notify=True, half_close=True), (data, True))

    def test_fin_without_close_notify(self) -> None:
        """S7: what was sent still comes back."""
        for size in (1, 100, 60000):
            data = payload(size)
            self.assertEqual(self.echo_of(data, close_notify=False, half_close=True)[0], data)

    def test_a_late_reader(self) -> None:
        """S6, S7: with more than the kernel's buffers hold, so that the end comes while sending is blocked."""
        data = payload(8 << 20)
        for close_notify in (True, False):
            echo, _ = self.echo_of(data, close_notify=close_notify, half_close=True, late=True)
            self.assertTrue(echo == data, f"{len(echo)} of {len(data)}, close_notify={close_notify}")

    def test_end_of_stream_while_the_buffer_is_full(self) -> None:
        """
        Twisted #6461: a transport that is asked to close while its producer is paused waits for ever.

        Just over one buffer (64 KiB), so that its last records and the close_notify are read at once, and pause it.
        """
        for size in range(60 << 10, 260 << 10, 40 << 10):
            data = payload(size)
            self.assertEqual(self.echo_of(data, close_notify=True, half_close=False, late=True), (data, True))

    def test_a_greeting_does_not_block_the_handshake(self) -> None:
        """A write before its end pauses a registered producer, which here is the reading of the handshake."""

        def hear(client: socket.socket, tls: TLSClient) -> tuple[bytes, bool]:
            return tls.unseal(exchange(client, tls.seal(b"x"), half_close=False))

        self.assertEqual(self.talk(hear, greeting=b"Hello\n"), (b"Hello\nx", True))


globals().update(TLSBuilder.makeTestCaseClasses())
del TLSBuilder, EchoReactorBuilder
