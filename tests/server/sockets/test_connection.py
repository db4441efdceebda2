import contextlib
import errno
import os
import socket
from typing import Any
from unittest import mock

from twisted.internet import main
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass

from echoproto import Echo, EchoFactory
from echoproto.protocol import IEchoTransport
from echoproto.reactors.transports import MAX_DIRECT_WRITE
from echoproto.server.sockets.connection import (
    FEW,
    LARGE_READ,
    SMALL_READ,
    BufferedTCPConnection,
    BufferedUnixConnection,
    TCPConnection,
    UnixConnection,
)
from tests.support.certificates import make_pem
from tests.support.clients import payload


class FakeReactor:
    """Keeps who wants to read and to write; its turns are in the test's hand."""

    def __init__(self) -> None:
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.clock = Clock()
        self.callLater = self.clock.callLater
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter, self.removeWriter = self.writers.add, self.writers.discard


class Recorder(Protocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.ends: list[Failure] = []

    def dataReceived(self, data: bytes) -> None:
        self.sizes.append(len(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ends.append(reason)


class TransportCase(SynchronousTestCase):
    """A connection over a real pair of sockets."""

    kind: Any = TCPConnection

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        near, self.far = socket.socketpair()
        self.addCleanup(self.far.close)
        self.addCleanup(near.close)
        self.far.setblocking(False)
        self.protocol = Recorder()
        self.transport: Any = self.kind(near, self.protocol, ("192.0.2.7", 1), None, 1, self.reactor)

    def received(self) -> bytes:
        """What has arrived."""
        got = bytearray()
        while True:
            try:
                data = self.far.recv(1 << 20)
            except BlockingIOError:
                return bytes(got)
            if not data:
                return bytes(got)
            got += data

    def turn(self) -> Any:
        """Let it write, if it wants to, as the reactor does."""
        return self.transport.doWrite() if self.transport in self.reactor.writers else None

    def fill(self) -> bytes:
        """Write until some of it is buffered; what was written."""
        written = b""
        while not self.transport._tempDataLen:
            chunk = payload(60_000, seed=len(written))
            self.transport.write(chunk)
            written += chunk
        return written

    def flush(self) -> bytes:
        """Have all of it sent; what arrives."""
        got = self.received()
        while self.transport in self.reactor.writers:
            self.transport.doWrite()
            got += self.received()
        return got


class WritesAtOnceTests(TransportCase):
    """Each guard has a test that fails without it."""

    def test_at_once(self) -> None:
        self.transport.write(b"hello")
        self.assertEqual(self.received(), b"hello")
        self.assertEqual(self.reactor.writers, set())

    def test_nothing(self) -> None:
        self.transport.write(b"")
        self.assertEqual((self.received(), self.reactor.writers), (b"", set()))

    def test_what_the_kernel_does_not_take_is_buffered(self) -> None:
        """All of it arrives, in order, and from then on it is at once again."""
        written = self.fill()
        self.assertIn(self.transport, self.reactor.writers)
        self.assertEqual(self.flush(), written)
        self.assertEqual(self.reactor.writers, set())
        self.transport.write(b"at once")
        self.assertEqual(self.received(), b"at once")

    def test_order(self) -> None:
        """While something is buffered, what comes after it waits behind it."""
        written = self.fill()
        part = self.far.recv(1 << 16)
        self.transport.write(b"last")
        self.assertEqual(part + self.flush(), written + b"last")

    def test_order_of_a_sequence(self) -> None:
        self.transport.writeSequence([b"one ", b"two "])
        self.transport.write(b"three")
        self.assertEqual(self.flush(), b"one two three")
        written = self.fill()
        self.transport.writeSequence([b"x" * 10, b"y" * 10])
        self.transport.write(b"z")
        self.assertEqual(self.flush(), written + b"x" * 10 + b"y" * 10 + b"z")

    def test_a_part_of_it(self) -> None:
        with mock.patch.object(self.transport, "socket", mock.Mock(send=mock.Mock(return_value=3))):
            self.transport.write(b"12345")
        self.assertEqual(self.transport._tempDataBuffer, [b"45"])

    def test_more_than_a_producer_may_write_unpaused(self) -> None:
        """It is paused, and resumed when it was sent, also if the kernel would have taken it at once."""
        producer = mock.Mock()
        self.transport.registerProducer(producer, True)
        self.transport.write(payload(MAX_DIRECT_WRITE + 1))
        producer.pauseProducing.assert_called()
        self.assertEqual(self.flush(), payload(MAX_DIRECT_WRITE + 1))
        producer.resumeProducing.assert_called()

    def test_what_is_not_bytes(self) -> None:
        for wrong in ("text", bytearray(b"x"), memoryview(b"x"), None, 5):
            self.assertRaises(TypeError, self.transport.write, wrong)
        self.assertRaises(TypeError, self.transport.writeSequence, ["text"])
        self.transport.write(b"x")
        self.turn()
        self.assertEqual(self.received(), b"x")

    def test_a_kind_of_bytes(self) -> None:
        class Kind(bytes):
            pass

        self.transport.write(Kind(b"one "))
        self.transport.write(b"two")
        self.turn()
        self.assertEqual(self.received(), b"one two")

    def test_after_an_abort(self) -> None:
        """Nothing is sent any more, though it is connected until the next turn."""
        self.transport.abortConnection()
        self.assertTrue(self.transport.connected)
        self.transport.write(b"too late")
        self.turn()
        self.assertEqual(self.received(), b"")
        self.reactor.clock.advance(0)
        self.transport.write(b"far too late")
        self.assertEqual(len(self.protocol.ends), 1)

    def test_after_the_end(self) -> None:
        self.transport.connectionLost(Failure(main.CONNECTION_DONE))
        self.transport.write(b"too late")
        self.assertEqual(self.received(), b"")

    def test_after_the_end_of_the_sending_side(self) -> None:
        self.transport.loseWriteConnection()
        self.turn()
        self.transport.socket = mock.Mock(wraps=self.transport.socket)
        self.transport.write(b"too late")
        self.turn()
        self.transport.socket.send.assert_not_called()

    def test_before_the_end_of_the_sending_side(self) -> None:
        """As with Twisted's own: what is written before it is flushed is sent."""
        self.transport.loseWriteConnection()
        self.transport.write(b"in time")
        self.turn()
        self.assertEqual(self.received(), b"in time")

    def test_closing_sends_what_is_buffered(self) -> None:
        written = self.fill()
        self.transport.loseConnection()
        got = self.received()
        while (result := self.transport.doWrite()) is None:
            got += self.received()
        self.assertIs(result, main.CONNECTION_DONE)
        self.assertEqual(got + self.received(), written)

    def test_an_error_is_not_told_to_who_writes(self) -> None:
        """The protocol is told in a turn of the reactor, and not while it writes."""
        self.far.close()
        self.transport.write(b"x")
        self.assertEqual(self.protocol.ends, [])
        self.assertNotIn(self.transport, self.reactor.readers, "it would find a mere end")
        self.assertIs(self.turn(), main.CONNECTION_LOST)

    def test_no_room_is_no_error(self) -> None:
        """It goes on reading, which an error would end."""
        for number in (errno.EWOULDBLOCK, errno.ENOBUFS):
            with mock.patch.object(
                self.transport, "socket", mock.Mock(send=mock.Mock(side_effect=OSError(number, "")))
            ):
                self.transport.write(b"x")
            self.assertIn(self.transport, self.reactor.readers)
            self.turn()

    def test_any_error_of_the_system(self) -> None:
        """It may pass: what was written waits for the next turn, in order."""
        for number in (errno.EPIPE, errno.ECONNRESET, errno.ENOBUFS, errno.EWOULDBLOCK):
            with mock.patch.object(
                self.transport, "socket", mock.Mock(send=mock.Mock(side_effect=OSError(number, "")))
            ):
                self.transport.write(b"%d " % number)
        self.turn()
        self.assertEqual(self.received(), b"32 104 105 11 ")

    def test_a_pull_producer_goes_on(self) -> None:
        """It is asked for more only when what it has written was sent by doWrite."""
        chunks = [b"one ", b"two ", b"three"]

        class Pull:
            def resumeProducing(self) -> None:
                if chunks:
                    transport.write(chunks.pop(0))
                else:
                    transport.unregisterProducer()

        transport = self.transport
        transport.registerProducer(Pull(), False)
        for _ in range(5):
            self.turn()
        self.assertEqual(self.received(), b"one two three")
        transport.write(b" at once")
        self.assertEqual(self.received(), b" at once")

    def test_a_push_producer_is_paused_and_resumed(self) -> None:
        producer = mock.Mock()
        self.transport.registerProducer(producer, True)
        self.transport.write(b"x")
        producer.pauseProducing.assert_not_called()
        self.fill()
        self.transport.write(b"x" * SMALL_READ)
        producer.pauseProducing.assert_called()
        producer.resumeProducing.assert_not_called()
        self.flush()
        producer.resumeProducing.assert_called_once()

    def start_tls(self, *, normal: bool = True) -> None:
        self.transport.protocol = Protocol()
        self.transport.protocol.makeConnection(self.transport)
        self.transport.startTLS(PrivateCertificate.loadPEM(make_pem()).options(), normal)
        self.addCleanup(self.reactor.clock.advance, 0)
        self.addCleanup(self.transport.abortConnection)

    def test_no_plaintext_after_the_start_of_tls(self) -> None:
        self.start_tls()
        self.transport.write(b"TOP-SECRET")
        self.turn()
        self.assertNotIn(b"SECRET", self.received())

    def test_no_plaintext_after_tls_has_sent_something(self) -> None:
        """What goes through the buffer then is that of TLS itself, and that it is empty opens no way around it."""
        self.start_tls(normal=False)
        self.turn()
        self.assertTrue(self.received().startswith(b"\x16\x03"), "a handshake")
        self.transport.write(b"TOP-SECRET")
        self.turn()
        self.assertNotIn(b"SECRET", self.received())


class WithoutProducerTests(TransportCase):
    """That a producer is gone does not mean that nothing else stands in the way of writing at once."""

    def gone(self) -> None:
        self.transport.unregisterProducer()
        self.transport.write(b"last")

    def test_nothing_else(self) -> None:
        self.transport.registerProducer(mock.Mock(), False)
        self.gone()
        self.assertEqual(self.received(), b"last")

    def test_what_is_buffered_goes_first(self) -> None:
        """Also if it is what doWrite has begun with."""
        written = self.fill()
        self.turn()
        self.assertTrue(self.transport.dataBuffer)
        part = self.far.recv(1 << 16)
        self.gone()
        self.assertEqual(part + self.flush(), written + b"last")

    def test_what_a_sequence_has_buffered_goes_first(self) -> None:
        self.transport.writeSequence([b"one ", b"two "])
        self.gone()
        self.assertEqual(self.flush(), b"one two last")

    def test_an_abort(self) -> None:
        self.transport.abortConnection()
        self.gone()
        self.assertEqual(self.received(), b"")
        self.reactor.clock.advance(0)

    def test_the_end(self) -> None:
        self.transport.connectionLost(Failure(main.CONNECTION_DONE))
        self.gone()
        self.assertEqual(self.received(), b"")

    def test_a_pull_producer_in_its_place(self) -> None:
        """What stands in the way is the one that is registered, also after a turn that has sent something."""
        producer = mock.Mock()
        self.transport.registerProducer(producer, False)
        self.transport.write(b"one")
        self.turn()
        self.assertEqual(producer.resumeProducing.call_count, 2)
        self.transport.write(b"two")
        self.assertIn(self.transport, self.reactor.writers, "which asks it for more")


class UnixWritesAtOnceTests(WritesAtOnceTests):
    kind = UnixConnection

    def test_a_descriptor_goes_with_the_next_byte(self) -> None:
        """Which doWrite sees to."""
        with open(os.devnull, "rb") as null:
            self.transport.sendFileDescriptor(null.fileno())
            self.transport.write(b"x")
            self.turn()
            data, descriptors, _, _ = socket.recv_fds(self.far, 10, 1)
        for each in descriptors:
            os.close(each)
        self.assertEqual((data, len(descriptors)), (b"x", 1))


class ReadingTests(TransportCase):
    def echo(self) -> Any:
        """Return an echo that has had its first data, so that its flow is controlled."""
        connection = EchoFactory(b"").buildProtocol(None)
        self.transport.protocol = connection
        connection.makeConnection(self.transport)
        self.far.sendall(b"x")
        self.transport.doRead()
        self.assertEqual((self.received(), self.transport.producer), (b"x", self.transport))
        return connection

    def test_more_at_a_time_where_there_is_more(self) -> None:
        reads: list[int] = []
        real = self.transport.socket

        def recv(size: int) -> bytes:
            reads.append(size)
            return b"x" * amounts.pop(0)

        amounts = [10, SMALL_READ, LARGE_READ, FEW, 10, 10]
        with mock.patch.object(self.transport, "socket", mock.Mock(wraps=real, recv=recv)):
            while amounts:
                self.assertIsNone(self.transport.doRead())
        self.assertEqual(reads, [SMALL_READ, SMALL_READ, LARGE_READ, LARGE_READ, LARGE_READ, SMALL_READ])
        self.assertEqual(self.protocol.sizes, [10, SMALL_READ, LARGE_READ, FEW, 10, 10])

    def test_faults_are_the_reason_of_the_end(self) -> None:
        """E10: for the reactor, which then logs nothing of them."""
        fault = MemoryError()
        with mock.patch.object(self.transport, "socket", mock.Mock(recv=mock.Mock(side_effect=fault))):
            self.assertIs(self.transport.doRead(), fault)
        self.far.send(b"x")
        with mock.patch.object(self.protocol, "dataReceived", side_effect=fault):
            self.assertIs(self.transport.doRead(), fault)
        self.fill()
        with mock.patch.object(self.transport, "socket", mock.Mock(send=mock.Mock(side_effect=fault))):
            self.assertIs(self.turn(), fault)

    def test_faults_of_a_connection_that_buffers(self) -> None:
        """E10"""
        near, far = socket.socketpair()
        with near, far:
            kind: Any = BufferedTCPConnection
            transport = kind(near, self.protocol, ("192.0.2.7", 1), mock.Mock(), 1, self.reactor)
            far.send(b"x")
            fault = ZeroDivisionError()
            with mock.patch.object(self.protocol, "dataReceived", side_effect=fault):
                self.assertIs(transport.doRead(), fault)

    def test_no_more_at_a_time_while_something_is_buffered(self) -> None:
        self.transport._read_size = LARGE_READ
        self.fill()
        with mock.patch.object(self.transport, "socket", mock.Mock(recv=mock.Mock(return_value=b"x"))) as skt:
            self.transport.doRead()
        skt.recv.assert_called_once_with(SMALL_READ)

    def test_a_blocked_peer_costs_no_more_than_256_kib(self) -> None:
        """B1: whatever it offers."""
        self.echo()
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        most = 0
        for _ in range(2000):
            with contextlib.suppress(BlockingIOError):
                self.far.send(b"x" * (1 << 20))
            if self.transport in self.reactor.readers:
                self.transport.doRead()
            self.turn()
            most = max(most, len(self.transport.dataBuffer) - self.transport.offset + self.transport._tempDataLen)
        self.assertNotIn(self.transport, self.reactor.readers)
        self.assertTrue(SMALL_READ < most <= 256 << 10, most)

    def end(self) -> None:
        """The peer closes its sending side, which is read, and told as a reactor does."""
        self.far.shutdown(socket.SHUT_WR)
        end = self.transport.doRead()
        self.assertIs(end, main.CONNECTION_DONE)
        self.transport.readConnectionLost(Failure(end))

    def test_nothing_to_read(self) -> None:
        self.assertIsNone(self.transport.doRead())
        self.assertEqual(self.protocol.sizes, [])

    def test_an_error(self) -> None:
        with mock.patch.object(self.transport, "socket", mock.Mock(recv=mock.Mock(side_effect=ConnectionResetError))):
            self.assertIs(self.transport.doRead(), main.CONNECTION_LOST)

    def test_the_end_of_an_echo_without_detours(self) -> None:
        """Nothing is buffered, so it is over at once; the peer sees FIN."""
        connection = self.echo()
        self.transport.loseConnection = lose = mock.Mock()
        self.transport.socket = skt = mock.Mock(wraps=self.transport.socket)
        self.end()
        self.assertEqual(connection.factory.connections, set())
        skt.shutdown.assert_not_called()
        lose.assert_not_called()
        self.far.setblocking(True)
        self.assertEqual(self.far.recv(1), b"")
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))

    def test_the_end_of_an_echo_with_something_to_send(self) -> None:
        """T6: all of it comes back first."""
        connection: Echo = self.echo()
        written = self.fill()
        self.end()
        self.assertEqual(len(connection.factory.connections), 1)
        got = self.received()
        while (result := self.transport.doWrite()) is None:
            got += self.received()
        self.assertIs(result, main.CONNECTION_DONE)
        self.assertEqual(got + self.received(), written)

    def test_the_end_for_any_other_protocol(self) -> None:
        """It is asked, if it wants to know of a half-close."""
        self.transport.protocol = protocol = mock.Mock(spec=["readConnectionLost", "connectionLost"])
        from twisted.internet.interfaces import IHalfCloseableProtocol
        from zope.interface import alsoProvides

        alsoProvides(protocol, IHalfCloseableProtocol)
        self.end()
        protocol.readConnectionLost.assert_called_once_with()
        protocol.connectionLost.assert_not_called()

    def test_a_hang_up_without_an_end(self) -> None:
        """T9: a reset may show as EPOLLHUP alone, without EPOLLIN; it is no end in order."""
        self.transport.readConnectionLost(Failure(main.CONNECTION_DONE))
        [reason] = self.protocol.ends
        self.assertIs(reason.type, ConnectionLost)


class QueuesTests(TransportCase):
    """The methods of each transport for limits and counters."""

    def test_interface(self) -> None:
        for kind in (TCPConnection, BufferedTCPConnection, UnixConnection, BufferedUnixConnection):
            verifyClass(IEchoTransport, kind)
            self.assertFalse(kind.truncated)

    def test_what_waits_for_the_kernel(self) -> None:
        self.assertEqual((self.transport.buffered(), self.transport.unsent()), (0, 0))
        written = self.fill()
        sent = len(self.received())
        waiting = self.transport.buffered()
        self.assertEqual(waiting, self.transport.unsent())
        self.assertEqual(waiting, len(written) - sent)

    def test_what_waits_of_a_buffer_that_is_partly_sent(self) -> None:
        self.transport.write(bytes(1 << 20))
        self.transport.doWrite()
        self.assertGreater(self.transport.offset, 0)
        self.assertEqual(self.transport.buffered(), (1 << 20) - len(self.received()))

    def test_what_the_peer_has_not_confirmed(self) -> None:
        self.assertEqual(self.transport.unconfirmed(), 0)
        self.fill()
        self.assertGreater(self.transport.unconfirmed(), 0)

    def test_a_system_that_does_not_tell(self) -> None:
        """O7: then there may be something."""
        with mock.patch("echoproto.server.sockets.connection.send_queue", return_value=None):
            self.assertEqual(self.transport.unconfirmed(), 1)

    def test_drain(self) -> None:
        self.transport.protocol = protocol = mock.Mock(spec=Echo)
        self.transport.drain(5)
        protocol.drain.assert_called_once_with(5)


class PrivateNamesTests(SynchronousTestCase):
    def test_what_is_used_of_twisted_s_own(self) -> None:
        """Names without a promise; if one is gone, this says which."""
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        transport = TCPConnection(near, mock.Mock(), ("192.0.2.7", 1), mock.Mock(), 1, FakeReactor())
        for name in ("_tempDataLen", "_tempDataBuffer", "_aborting", "_writeDisconnected", "dataBuffer", "offset"):
            self.assertTrue(hasattr(transport, name), name)
