import contextlib
import errno
import os
import select
import socket
import struct
import sys
import termios
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.sockets import queues
from echoproto.server.sockets.queues import AcceptQueue, accept_queue, receive_queue, send_queue


def fill(end: socket.socket) -> None:
    """Send as much as the kernel takes."""
    end.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            end.send(b"x" * 65536)


class ConnectionQueuesTests(SynchronousTestCase):
    """The queues of a connection, over TCP and over a Unix socket."""

    def pairs(self) -> list[tuple[socket.socket, socket.socket]]:
        listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        far = self.enterContext(socket.create_connection(listener.getsockname()))
        near = self.enterContext(listener.accept()[0])
        unix = socket.socketpair()
        return [(near, far), (self.enterContext(unix[0]), self.enterContext(unix[1]))]

    def test_received_and_not_read(self) -> None:
        """O7: those bytes are in flight, and come back."""
        for near, far in self.pairs():
            self.assertEqual(receive_queue(near.fileno()), 0)
            far.sendall(b"12345")
            near.recv(1, socket.MSG_PEEK)
            self.assertEqual(receive_queue(near.fileno()), 5)
            near.recv(3)
            self.assertEqual(receive_queue(near.fileno()), 2)

    def test_sent_and_not_confirmed(self) -> None:
        """O7: it is not over before the peer has everything."""
        for near, far in self.pairs():
            self.assertEqual(send_queue(near.fileno()), 0)
            fill(near)
            queued = send_queue(near.fileno())
            assert queued is not None
            self.assertGreater(queued, 0)
            while select.select([far], [], [], 0)[0]:
                far.recv(1 << 20)
            left = send_queue(near.fileno())
            assert left is not None
            self.assertLess(left, queued)

    def test_a_system_that_does_not_tell(self) -> None:
        with mock.patch.object(queues, "SEND_QUEUE_REQUEST", 0):
            self.assertIsNone(send_queue(self.pairs()[0][0].fileno()))

    def test_a_descriptor_that_is_no_connection(self) -> None:
        with open(os.devnull, "rb") as file:
            self.assertRaises(OSError, receive_queue, file.fileno())


class AcceptQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not sys.platform.startswith("linux"):
            self.skipTest("only Linux tells the accept queue")

    def check(self, listener: socket.socket, limit: int) -> None:
        """Have some connections wait, and accept one of them."""
        listener.listen(limit)
        self.assertEqual(accept_queue(listener), AcceptQueue(0, limit))
        for _ in range(3):
            self.enterContext(socket.socket(listener.family)).connect(listener.getsockname())
        self.assertEqual(accept_queue(listener), AcceptQueue(3, limit))
        listener.accept()[0].close()
        self.assertEqual(accept_queue(listener), AcceptQueue(2, limit))

    def test_tcp(self) -> None:
        self.check(self.enterContext(socket.create_server(("127.0.0.1", 0))), 9)

    def test_unix(self) -> None:
        listener = self.enterContext(socket.socket(socket.AF_UNIX))
        listener.bind("")  # an abstract name that the system picks
        self.check(listener, 7)

    def test_the_system_s_limit(self) -> None:
        """It lowers a backlog without an error."""
        with open("/proc/sys/net/core/somaxconn", encoding="ascii") as file:
            most = int(file.read())
        listener = self.enterContext(socket.create_server(("127.0.0.1", 0), backlog=most + 1))
        self.assertEqual(accept_queue(listener), AcceptQueue(0, most))

    def test_a_system_that_does_not_tell(self) -> None:
        unix = self.enterContext(socket.socket(socket.AF_UNIX))
        unix.bind("")
        unix.listen()
        tcp = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        with mock.patch.object(sys, "platform", "darwin"):
            self.assertEqual((accept_queue(tcp), accept_queue(unix)), (None, None))
        refusal = OSError(errno.EPROTONOSUPPORT, "")
        with mock.patch.object(socket, "socket", side_effect=refusal):  # by a seccomp filter, as systemd sets one up
            self.assertIsNone(accept_queue(unix))
        self.assertIsNone(accept_queue(self.enterContext(socket.socket(type=socket.SOCK_DGRAM))))

    def test_a_kernel_that_answers_otherwise(self) -> None:
        """An error in place of the socket, or a socket without its queue."""
        unix = self.enterContext(socket.socket(socket.AF_UNIX))
        unix.bind("")
        unix.listen()
        error = struct.pack("=IHHIIi", 20, 2, 0, 0, 0, -errno.ENOENT)
        message = struct.pack("=IHHII16x", 44, 20, 0, 0, 0)
        for reply in (error, message + struct.pack("=HHII", 5, 6, 0, 0), message + struct.pack("=HHII", 12, 3, 1, 1)):
            diag = mock.MagicMock()
            diag.__enter__.return_value.recv.return_value = reply
            with mock.patch.object(socket, "socket", return_value=diag):
                self.assertIsNone(accept_queue(unix))


def on(platform: str) -> ModuleType:
    """Return the module as another platform has it."""
    spec = find_spec(queues.__name__)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with mock.patch.object(sys, "platform", platform):
        spec.loader.exec_module(module)
    return module


class SystemsTests(SynchronousTestCase):
    def test_the_request_for_the_send_queue(self) -> None:
        """O7: each system has a number of its own for it; that of BSD is _IOR('f', 119, int) of sys/filio.h."""
        self.assertEqual(on("freebsd14").SEND_QUEUE_REQUEST, 1 << 30 | 4 << 16 | ord("f") << 8 | 119)
        self.assertEqual(on("linux").SEND_QUEUE_REQUEST, termios.TIOCOUTQ)
