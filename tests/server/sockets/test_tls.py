"""TLS over real sockets, on each reactor that this platform has."""

import contextlib
import socket
from collections.abc import Callable
from typing import Any
from unittest import mock

from OpenSSL import SSL
from twisted.internet import ssl
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from echoproto import EchoFactory
from echoproto.protocol import IEchoTransport
from echoproto.server.sockets.tls import HEADER, EchoTLS, EchoTLSFactory, require_memory
from tests.support.certificates import make_pem
from tests.support.clients import TLSClient, exchange, payload
from tests.support.reactorbuilder import EchoReactorBuilder, T

PEM = make_pem()


def record(size: int, kind: int = 23) -> bytes:
    """What a record of TLS looks like from outside."""
    return bytes((kind, 3, 3, size >> 8, size & 255)) + b"\x17\x03\x03\x00\x01" * (size // 5) + b"x" * (size % 5)


class RecordsTests(SynchronousTestCase):
    """Where records begin and end."""

    def whole(self, *chunks: bytes) -> list[bool]:
        connection = EchoTLS(mock.Mock(), mock.Mock())
        return [connection._is_one_record(chunk) for chunk in chunks]

    def test_one_after_the_other(self) -> None:
        self.assertEqual(self.whole(record(1), record(300), record(1 << 14)), [True, True, True])

    def test_in_pieces(self) -> None:
        """A piece that looks like a record is none."""
        chunks = (record(16)[:11], record(16)[11:], record(6)[:5], record(6)[5:])
        self.assertEqual(len(chunks[3]), 6)
        self.assertEqual(chunks[3], record(1)[:5] + b"x")
        self.assertEqual(self.whole(*chunks, record(5)), [False, False, False, False, True])

    def test_several_at_once(self) -> None:
        self.assertEqual(self.whole(record(9) + record(8), record(7)), [False, True])
        self.assertEqual(
            self.whole(record(9) + record(8)[:7], record(8)[7:] + record(3), record(7)), [False] * 2 + [True]
        )

    def test_a_header_in_pieces(self) -> None:
        """From there on, nobody knows."""
        for cut in range(1, HEADER):
            self.assertEqual(self.whole(record(9)[:cut], record(9)[cut:], record(9)), [False, False, False])
        rest = b"\x09" + b"\0\0\0\x05" + b"x" * 5  # which looks like a record
        self.assertEqual(self.whole(rest), [True])
        self.assertEqual(self.whole(record(9)[:4], rest), [False, False])


class OneRecordTests(SynchronousTestCase):
    """A record by itself is handled without detours, and comes to the same."""

    def setUp(self) -> None:
        options = ssl.PrivateCertificate.loadPEM(PEM).options()
        factory = EchoTLSFactory(options, False, EchoFactory(b""), Clock())
        self.tls: Any = factory.buildProtocol(None)
        self.transport: Any = StringTransport()
        self.tls.makeConnection(self.transport)
        self.client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self.client.set_connect_state()
        while not self.tls._handshakeDone:
            with contextlib.suppress(SSL.WantReadError):
                self.client.do_handshake()
            flight = self.client.bio_read(1 << 16)
            while flight:  # each record by itself
                size = HEADER + int.from_bytes(flight[3:5], "big")
                self.tls.dataReceived(flight[:size])
                flight = flight[size:]
            if self.transport.value():
                self.client.bio_write(self.transport.value())
                self.transport.clear()

    def seal(self, *messages: bytes) -> list[bytes]:
        """Each as a record."""
        sealed = []
        for message in messages:
            self.client.send(message)
            sealed.append(self.client.bio_read(1 << 16))
        return sealed

    def echoed(self) -> bytes:
        if self.transport.value():
            self.client.bio_write(self.transport.value())
            self.transport.clear()
        data = bytearray()
        with contextlib.suppress(SSL.WantReadError):
            while True:
                data += self.client.recv(1 << 16)
        return bytes(data)

    def test_no_memory_for_a_handshake(self) -> None:
        """E10: OpenSSL is not asked for one, since it would end the process; one that is connected goes on."""
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        client.set_connect_state()
        with contextlib.suppress(SSL.WantReadError):
            client.do_handshake()
        factory = EchoTLSFactory(ssl.PrivateCertificate.loadPEM(PEM).options(), False, EchoFactory(b""), Clock())
        first, second = factory.buildProtocol(None), factory.buildProtocol(None)
        assert first is not None
        assert second is not None
        first.makeConnection(StringTransport())
        with (
            mock.patch("echoproto.server.sockets.tls.getrlimit", return_value=(1 << 30, 1 << 30)),
            mock.patch("echoproto.server.sockets.tls.mmap", side_effect=OSError(12, "Cannot allocate memory")),
        ):
            self.assertRaises(MemoryError, second.makeConnection, StringTransport())
            self.assertRaises(MemoryError, first.dataReceived, client.bio_read(1 << 16))
            for sealed in self.seal(b"x"):
                self.tls.dataReceived(sealed)
        self.assertEqual(self.echoed(), b"x")

    def test_enough_memory_for_a_handshake(self) -> None:
        with mock.patch("echoproto.server.sockets.tls.getrlimit", return_value=(1 << 30, 1 << 30)):
            require_memory()

    def test_a_fault_at_the_end(self) -> None:
        """E10: what is wrapped is told of the end nevertheless."""
        with (
            mock.patch.object(self.tls, "_flushReceiveBIO", side_effect=MemoryError),
            mock.patch.object(self.tls.wrappedProtocol, "connectionLost") as lost,
        ):
            self.tls.connectionLost(Failure(ConnectionLost()))
        [call] = lost.call_args_list
        self.assertIsInstance(call.args[0].value, MemoryError)

    def test_what_limits_and_counters_ask(self) -> None:
        self.tls.transport = mock.Mock(**{"buffered.return_value": 29, "unconfirmed.return_value": 3})
        verifyObject(IEchoTransport, self.tls)
        self.assertEqual((self.tls.buffered(), self.tls.unsent(), self.tls.unconfirmed()), (29, 0, 3))
        self.tls._appSendBuffer = [b"early", b"!"]
        self.assertEqual((self.tls.buffered(), self.tls.unsent()), (35, 6))

    def test_abort(self) -> None:
        """E10: OpenSSL is not asked to say goodbye; an unfinished echo must not look like a whole one."""
        self.tls._tlsConnection = mock.Mock(shutdown=mock.Mock(side_effect=MemoryError))
        self.tls.abortConnection()
        self.assertEqual((self.transport.disconnected, self.transport.value()), (True, b""))
        self.assertTrue(self.tls.disconnecting)

    def test_the_end_before_the_handshake(self) -> None:
        """O7: nothing is in flight, so a peer that says nothing does not keep a service that stops."""
        for greeting in (b"", b"Hello\n"):
            options = ssl.PrivateCertificate.loadPEM(PEM).options()
            made: Any = EchoTLSFactory(options, False, EchoFactory(greeting), Clock()).buildProtocol(None)
            transport: Any = StringTransport()
            made.makeConnection(transport)
            made.wrappedProtocol.close()
            self.assertTrue(transport.disconnected, greeting)

    def test_openssl_is_not_asked_for_more(self) -> None:
        with mock.patch.object(self.tls, "_flushReceiveBIO") as more:
            for sealed in self.seal(b"one ", b"two ", b"x" * (1 << 14)):
                self.tls.dataReceived(sealed)
        more.assert_not_called()
        self.assertEqual(self.echoed(), b"one two " + b"x" * (1 << 14))

    def test_cut_anywhere(self) -> None:
        for cut in range(1, 50):
            both = b"".join(self.seal(b"one ", b"two "))
            self.tls.dataReceived(both[:cut])
            self.tls.dataReceived(both[cut:])
            self.assertEqual(self.echoed(), b"one two ", cut)

    def test_the_end_by_itself(self) -> None:
        """S6."""
        self.client.shutdown()
        self.tls.dataReceived(self.client.bio_read(1 << 16))
        self.assertTrue(self.transport.disconnecting)
        self.client.bio_write(self.transport.value())
        self.assertRaises(SSL.ZeroReturnError, self.client.recv, 1)

    def test_one_that_is_harmed(self) -> None:
        """It is an error of TLS, and the connection ends with that."""
        with mock.patch.object(self.tls.wrappedProtocol, "connectionLost") as lost:
            self.tls.dataReceived(record(60))
            self.assertTrue(self.transport.disconnecting)
            self.tls.connectionLost(Failure(ConnectionDone()))
        self.assertIsInstance(lost.call_args.args[0].value, SSL.Error)

    def test_what_waits_goes_first(self) -> None:
        self.tls._appSendBuffer = [b"first "]
        self.tls.dataReceived(*self.seal(b"second"))
        self.assertEqual(self.echoed(), b"first second")

    def test_nothing_is_delivered_any_more(self) -> None:
        """After an abort, and after an error of TLS."""
        for end in (self.tls.abortConnection, lambda: self.tls._tlsShutdownFinished(None)):
            with mock.patch.object(self.tls.wrappedProtocol, "dataReceived") as received:
                end()
                self.tls.dataReceived(*self.seal(b"too late"))
            received.assert_not_called()
            self.setUp()


class TLSBuilder(EchoReactorBuilder):
    def talk(
        self, client: Callable[[socket.socket, TLSClient], T], *, greeting: bytes = b"", layer: Any = EchoTLSFactory
    ) -> T:
        reactor = self.buildReactor()
        options = ssl.PrivateCertificate.loadPEM(PEM).options()
        factory = layer(options, False, EchoFactory(greeting), reactor)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")

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

        for greeting in (b"Hello\n", payload(1 << 18)):
            self.assertTrue(self.talk(hear, greeting=greeting) == (greeting + b"x", True))

    def test_twisted_s_own_tls(self) -> None:
        """Its connections are made before the handshake. What comes with a close_notify, it drops."""

        def hear(client: socket.socket, tls: TLSClient) -> bytes:
            return tls.unseal(exchange(client, tls.seal(b"x"), half_close=False))[0]

        self.assertEqual(self.talk(hear, greeting=b"Hello\n", layer=TLSMemoryBIOFactory), b"Hello\n")


globals().update(TLSBuilder.makeTestCaseClasses())
del TLSBuilder, EchoReactorBuilder
