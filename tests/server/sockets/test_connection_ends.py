"""Ends of an echo's connections when the system fails them, for each kind of connection."""

import errno
import select
import socket
from typing import Any
from unittest import mock

from twisted.internet import main
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.sockets.connection import (
    FEW,
    LARGE_READ,
    SMALL_READ,
    BufferedTCPConnection,
    BufferedUnixConnection,
    TCPConnection,
    UnixConnection,
)
from tests.server.sockets.test_connection import FakeReactor, Recorder

KINDS: tuple[Any, ...] = (TCPConnection, UnixConnection, BufferedTCPConnection, BufferedUnixConnection)


class EndsTests(SynchronousTestCase):
    """Real sockets of TCP, which alone can be reset."""

    def connect(self, kind: Any) -> Any:
        listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        self.far = self.enterContext(socket.create_connection(listener.getsockname(), timeout=10))
        near, _ = listener.accept()
        self.addCleanup(near.close)
        near.setblocking(False)
        self.reactor = FakeReactor()
        self.protocol = Recorder()
        client = ("192.0.2.7", 1) if issubclass(kind, TCPConnection | BufferedTCPConnection) else ""
        made = kind(near, self.protocol, client, mock.Mock(), 1, self.reactor)
        self.protocol.makeConnection(made)
        return made

    def test_sizes(self) -> None:
        """B1: a large read, and what is buffered before reading pauses, are 256 KiB together."""
        self.assertEqual((SMALL_READ, LARGE_READ, FEW), (64 << 10, 192 << 10, 16 << 10))

    def test_the_system_can_watch_no_more(self) -> None:
        """C7: the connection is lost, in the reactor's next turn, and nothing comes or goes before that."""
        for kind in KINDS:
            for start in ("startReading", "startWriting"):
                transport = self.connect(kind)
                refuse = mock.Mock(side_effect=OSError(errno.ENOSPC, ""))
                with mock.patch.multiple(self.reactor, addReader=refuse, addWriter=refuse):
                    getattr(transport, start)()
                    getattr(transport, start)()
                self.assertEqual(self.protocol.ends, [], "the protocol may be at work")
                self.far.sendall(b"x")
                transport.write(b"too late")
                self.assertEqual((transport.doRead(), transport.doWrite()), (None, None))
                self.assertEqual([call.getTime() for call in self.reactor.clock.getDelayedCalls()], [0])
                self.reactor.clock.advance(0)
                [reason] = self.protocol.ends
                self.assertIs(reason.type, ConnectionLost)
                self.assertEqual(self.protocol.sizes, [])

    def test_a_fault_of_a_protocol(self) -> None:
        """E10: it is the connection's end, and for its observers to log; the reactor has nothing to do with it."""
        fault = ZeroDivisionError()
        for kind in KINDS:
            transport = self.connect(kind)
            self.far.sendall(b"x")
            with mock.patch.object(self.protocol, "dataReceived", side_effect=fault):
                select.select([transport], [], [], 10)
                self.assertIs(transport.doRead(), fault)
            transport.registerProducer(mock.Mock(resumeProducing=mock.Mock(side_effect=[None, fault])), False)
            transport.write(b"x")
            self.assertIs(transport.doWrite(), fault)

    def test_no_memory_to_read(self) -> None:
        """C7: as of a fault, it is the end of this one alone."""
        fault = MemoryError()
        for kind in KINDS:
            transport = self.connect(kind)
            failing = mock.Mock(side_effect=fault)
            with mock.patch.object(transport, "socket", mock.Mock(recv=failing, recvmsg=failing)):
                self.assertIs(transport.doRead(), fault)

    def test_the_end_is_read(self) -> None:
        for kind in KINDS:
            transport = self.connect(kind)
            self.far.shutdown(socket.SHUT_WR)
            select.select([transport], [], [], 10)
            self.assertIs(transport.doRead(), main.CONNECTION_DONE)

    def test_half_closing(self) -> None:
        """T6: the peer sees the end of what it is sent; if the system fails that, the connection is lost."""
        for kind in KINDS:
            transport = self.connect(kind)
            transport.loseWriteConnection()
            self.assertIsNone(transport.doWrite())
            self.assertEqual(self.far.recv(1), b"")
            transport = self.connect(kind)
            transport.loseWriteConnection()
            failing = mock.Mock(wraps=transport.socket, shutdown=mock.Mock(side_effect=OSError))
            with mock.patch.object(transport, "socket", failing):
                self.assertIs(transport.doWrite(), main.CONNECTION_LOST)

    def test_the_end_for_one_who_knows_of_no_half_close(self) -> None:
        """It is told why."""
        for kind in KINDS:
            transport = self.connect(kind)
            self.far.shutdown(socket.SHUT_WR)
            reason = transport.doRead()
            self.assertIs(reason, main.CONNECTION_DONE)
            transport.readConnectionLost(Failure(reason))
            self.assertEqual([end.type for end in self.protocol.ends], [ConnectionDone])

    def fill(self, transport: Any) -> None:
        """Have it begin with what the kernel does not take; nothing else is buffered."""
        transport.write(b"x" * (8 << 20))
        while not transport.dataBuffer or transport._tempDataLen:
            self.assertIsNone(transport.doWrite())

    def test_nothing_unsent(self) -> None:
        """T6: the peer sees the end."""
        for kind in KINDS:
            transport = self.connect(kind)
            transport.connectionLost(Failure(main.CONNECTION_DONE))
            self.assertEqual(self.far.recv(1), b"")

    def test_something_unsent(self) -> None:
        """O7: the peer must not take a part of its echo for all of it."""
        for kind in KINDS:
            for leave_unsent in (self.fill, lambda transport: transport.writeSequence([b"x"])):
                transport = self.connect(kind)
                leave_unsent(transport)
                transport.connectionLost(Failure(main.CONNECTION_DONE))
                self.assertRaises(ConnectionResetError, self.read_all)

    def test_an_abort(self) -> None:
        """T13: it is reset, with nothing unsent, too."""
        for kind in KINDS:
            self.connect(kind).connectionLost(Failure(ConnectionAborted()))
            self.assertRaises(ConnectionResetError, self.read_all)

    def read_all(self) -> None:
        while self.far.recv(1 << 20):
            pass
