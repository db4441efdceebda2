"""Errors of the system in any call that a connection makes: it goes on exactly, or ends in the next turn."""

import errno
import socket
from typing import Any
from unittest import mock

from twisted.internet import main
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from echoproto.server.transport import BufferedTCPConnection, BufferedUnixConnection, TCPConnection, UnixConnection
from tests.clients import payload
from tests.server.test_transport import TransportCase

ERRORS = (
    *(errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN),
    *(errno.ENOMEM, errno.EPERM, errno.EACCES, errno.EIO, errno.EMSGSIZE, errno.ENOTCONN),
)
"""Those that are not mere want of room: a reset, a route that is gone, a packet filter, a system in distress."""

KINDS = (TCPConnection, UnixConnection, BufferedTCPConnection, BufferedUnixConnection)


class WriteTests(TransportCase):
    """A write at once that fails."""

    def failing(self, number: int) -> Any:
        """Have each send fail for a while."""
        send = mock.Mock(side_effect=OSError(number, ""))
        return mock.patch.object(self.transport, "socket", mock.Mock(wraps=self.transport.socket, send=send))

    def test_an_error_that_passes(self) -> None:
        """Nothing is lost, and it reads on, and writes at once again."""
        for number in ERRORS:
            with self.failing(number):
                self.transport.write(b"late ")
            self.assertNotIn(self.transport, self.reactor.readers, "it would find a mere end")
            self.turn()
            self.assertEqual((self.reactor.readers, self.reactor.writers), ({self.transport}, set()), number)
            self.transport.write(b"at once")
            self.assertEqual(self.received(), b"late at once")

    def test_an_error_that_stays(self) -> None:
        for number in ERRORS:
            with self.failing(number):
                self.transport.write(b"x")
                self.assertIs(self.turn(), main.CONNECTION_LOST, number)
            self.assertNotIn(self.transport, self.reactor.readers)
            self.turn()

    def test_a_write_of_nothing(self) -> None:
        with self.failing(errno.ENOMEM):
            self.transport.write(b"")
        self.turn()
        self.assertEqual(self.reactor.readers, {self.transport})

    def test_one_that_does_not_read(self) -> None:
        """It was paused before, or meanwhile: it reads on only when it is told to."""
        for before in (True, False):
            with self.failing(errno.ENOMEM):
                if before:
                    self.transport.pauseProducing()
                self.transport.write(b"x")
                if not before:
                    self.transport.pauseProducing()
            self.turn()
            self.assertEqual(self.reactor.readers, set())
            self.transport.resumeProducing()
            self.assertEqual(self.reactor.readers, {self.transport})

    def test_one_that_closes(self) -> None:
        """What was written is sent first."""
        with self.failing(errno.ENOMEM):
            self.transport.write(b"last")
        self.transport.loseConnection()
        self.assertIs(self.turn(), main.CONNECTION_DONE)
        self.assertEqual((self.received(), self.reactor.readers), (b"last", set()))

    def test_more_than_it_may_have_unsent(self) -> None:
        """What pauses it as its own producer resumes it, too, and not before all is sent."""
        self.transport.registerProducer(self.transport, True)
        with self.failing(errno.ENOMEM):
            self.transport.write(payload(1 << 18))
        self.turn()
        self.assertTrue(self.transport.dataBuffer)
        self.assertEqual(self.reactor.readers, set())
        self.assertEqual(self.flush(), payload(1 << 18))
        self.assertEqual(self.reactor.readers, {self.transport})


class SystemTests(TransportCase):
    """What is the same for all kinds, whether they write at once or not."""

    def each(self) -> Any:
        for self.kind in KINDS:
            self.setUp()
            yield self.kind

    def refuse(self, *names: str) -> None:
        """Have the reactor fail to watch anybody, once."""
        for name in names:
            watch = getattr(self.reactor, name)
            setattr(self.reactor, name, mock.Mock(side_effect=[OSError(errno.ENOSPC, ""), None]))
            self.addCleanup(setattr, self.reactor, name, watch)

    def assert_lost_in_the_next_turn(self) -> None:
        self.assertEqual(self.protocol.ends, [])
        self.transport.doRead()
        self.transport.doWrite()
        self.assertEqual((self.protocol.ends, self.protocol.sizes), ([], []))
        self.reactor.clock.advance(0)
        self.assertEqual([each.type for each in self.protocol.ends], [ConnectionLost])

    def test_no_room_to_watch_a_new_connection(self) -> None:
        """It is made, and ends, as any that is lost: epoll_ctl(2) has a limit of its own (``ENOSPC``)."""
        for kind in self.each():
            near, far = socket.socketpair()
            self.addCleanup(near.close)
            self.addCleanup(far.close)
            self.refuse("addReader")
            self.transport = kind(near, self.protocol, ("192.0.2.7", 1), None, 1, self.reactor)
            far.send(b"x")
            self.assert_lost_in_the_next_turn()

    def test_no_room_to_watch_one_that_reads_on(self) -> None:
        for _ in self.each():
            self.transport.pauseProducing()
            self.refuse("addReader")
            self.transport.resumeProducing()
            self.far.send(b"x")
            self.assert_lost_in_the_next_turn()

    def test_no_room_to_watch_one_that_writes(self) -> None:
        """An abort after that comes too late to be another end."""
        for _ in self.each():
            self.refuse("addWriter")
            self.transport.writeSequence([b"x"])
            self.transport.abortConnection()
            self.assert_lost_in_the_next_turn()

    def test_an_abort_goes_before(self) -> None:
        for _ in self.each():
            self.transport.abortConnection()
            self.refuse("addReader")
            self.transport.startReading()
            self.assertEqual(len(self.reactor.clock.getDelayedCalls()), 1)
            self.reactor.clock.advance(0)

    def test_a_half_close_that_fails(self) -> None:
        """It ends, since the peer would wait for a FIN for ever."""
        for _ in self.each():
            self.transport.loseWriteConnection()
            wrong = mock.Mock(wraps=self.transport.socket, shutdown=mock.Mock(side_effect=OSError(errno.ENOTCONN, "")))
            with mock.patch.object(self.transport, "socket", wrong):
                self.assertIs(self.turn(), main.CONNECTION_LOST)

    def test_a_half_close(self) -> None:
        for _ in self.each():
            self.transport.loseWriteConnection()
            self.assertIsNone(self.turn())
            self.assertEqual(self.far.recv(1), b"")

    def lose_over_tcp(self, kind: Any, waiting: bytes = b"", begun: bytes = b"") -> socket.socket:
        """Have a TCP connection end with something unsent: what waits, or what it has begun with; its peer's end."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            far = self.enterContext(socket.create_connection(server.getsockname()))
            near, address = server.accept()
        transport = kind(near, self.protocol, address, None, 1, self.reactor)
        transport.writeSequence([b"sent"])
        transport.doWrite()
        self.assertEqual(far.recv(10), b"sent")
        transport.writeSequence([waiting])
        transport.dataBuffer = begun
        transport.connectionLost(Failure(main.CONNECTION_LOST))
        return far

    def test_a_part_of_an_echo_does_not_look_like_all_of_it(self) -> None:
        """T13: who ends with something unsent resets; the others close in order."""
        for kind in (TCPConnection, BufferedTCPConnection):
            self.assertRaises(ConnectionResetError, self.lose_over_tcp(kind, waiting=b"x").recv, 1)
            self.assertRaises(ConnectionResetError, self.lose_over_tcp(kind, begun=b"x").recv, 1)
            self.assertEqual(self.lose_over_tcp(kind).recv(1), b"")
