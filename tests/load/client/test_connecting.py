"""Connections that can't be made at once, or at all, however many there are."""

import contextlib
import errno
import os
import resource
import socket
import sys
import tempfile
import threading
from typing import Any

from echoproto.load import address
from echoproto.load.address import affordable
from echoproto.load.engine import run
from echoproto.load.workload import Churn, Target, Transport, Workload
from tests.integration.twistd import PATIENCE
from tests.support.loads import LoadCase, workload

BACKLOG = 2


class QueueTests(LoadCase):
    """A Unix listener says at once that its queue is full, where one of TCP has the client wait."""

    def setUp(self) -> None:
        super().setUp()
        if not sys.platform.startswith("linux"):
            self.skipTest("elsewhere, such a listener refuses")
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory(prefix="echo-")), "s")
        self.listener = self.enterContext(socket.socket(socket.AF_UNIX))
        self.listener.bind(path)
        self.listener.listen(BACKLOG)
        self.target = Target(Transport.UNIX, path=path)

    def serve(self) -> None:
        """Accept one after another."""

        def echo(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                while data := connection.recv(1 << 16):
                    connection.sendall(data)

        def accept() -> None:
            with contextlib.suppress(OSError):  # the listener was closed: the end
                while True:
                    connection, _ = self.listener.accept()
                    threading.Thread(target=echo, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        self.addCleanup(thread.join, PATIENCE)
        self.addCleanup(self.listener.shutdown, socket.SHUT_RDWR)

    def test_a_sound_service_with_a_short_queue(self) -> None:
        """Whoever finds it full tries again."""
        self.serve()
        for settings in ({"idle": 20}, {"churn": Churn.FIN}, {"churn": Churn.RESET, "rate": 300.0}):
            outcome = self.load(0, target=self.target, connections=50, **settings)
            self.assert_good(outcome)

    def test_a_queue_that_stays_full(self) -> None:
        """L1: thousands of connections are given up together, in patience and not in recursion."""
        outcome = self.load(0, target=self.target, connections=3000, patience=0.5)
        self.assertEqual(outcome.connected, BACKLOG + 1)
        self.assertEqual(outcome.errors["EAGAIN"], 3000 - outcome.connected)
        self.assertEqual(outcome.messages, 0)


class OwnLimitsTests(LoadCase):
    def test_thousands_fail_at_once(self) -> None:
        """L3: one after another, and not one within another."""
        made = address.Address.make_socket
        sockets: list[socket.socket] = []

        def make_socket(self: address.Address) -> socket.socket:
            if sockets:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            sockets.append(made(self))
            return sockets[0]

        with socket.create_server(("127.0.0.1", 0)) as listener:
            for settings in ({"connections": 3000}, {"connections": 1, "idle": 2999}):
                sockets.clear()
                self.patch(address.Address, "make_socket", make_socket)
                port = listener.getsockname()[1]
                outcome = run(workload(port, **dict[str, Any](settings)), patience=0.2)
                self.assertEqual((outcome.connected, outcome.own_limits["descriptors"]), (1, 2999))

    def test_messages_of_many_that_fail_at_once_are_not_handed_on_in_recursion(self) -> None:
        """Each of a thousand has one in flight and some that wait when the service goes."""
        connections: list[socket.socket] = []

        def accept() -> None:
            while len(connections) < 1000:
                connections.append(listener.accept()[0])
            for connection in connections:
                connection.recv(1)
            for connection in connections:
                connection.close()  # with what was not read, so as a reset

        with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
            thread = threading.Thread(target=accept, daemon=True)
            thread.start()
            port = listener.getsockname()[1]
            outcome = self.load(port, connections=1000, rate=20_000.0, duration=5.0)
            thread.join(PATIENCE)
        self.assertEqual(outcome.errors.total(), 1000)

    def test_no_more_connections_than_descriptors(self) -> None:
        """L3: what can't be had is counted, and takes no memory."""
        self.patch(resource, "getrlimit", lambda _: (10, 40))
        asked = Workload(target=Target(Transport.TCP, "h", 7), connections=10_000, idle=100)
        cut, fewer = affordable(asked)
        self.assertEqual((cut.connections, cut.idle, fewer), (40, 40, 9960 + 60))
        self.assertEqual(affordable(cut), (cut, 0))
        self.patch(resource, "getrlimit", lambda _: (10, resource.RLIM_INFINITY))
        self.assertEqual(affordable(asked), (asked, 0))
