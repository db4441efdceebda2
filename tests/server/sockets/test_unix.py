import os
import socket
import stat
import tempfile
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from echoproto import EchoFactory
from echoproto.errors import ConfigurationError, UnavailableError
from echoproto.server.sockets.unix import UnixPort
from tests.support.clients import PATIENCE, exchange
from tests.support.logs import record_log
from tests.support.reactorbuilder import EchoReactorBuilder


class UnixPortBuilder(EchoReactorBuilder):
    def setUp(self) -> None:
        super().setUp()
        self.reactor = self.buildReactor()
        self.path = os.path.join(self.enterContext(tempfile.TemporaryDirectory(prefix="echo-")), "s")

    def port(self, path: str | bytes | None = None, **options: Any) -> Any:
        port = UnixPort(path or self.path, EchoFactory(), 5, 0o640, self.reactor, **options)
        port.startListening()
        return port

    def echo(self, path: str | bytes | None = None) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(path or self.path)
            return exchange(client, b"x" * 100_000)

    def given(self, path: str | bytes) -> socket.socket:
        """A listening socket that somebody else has made."""
        given = self.enterContext(socket.socket(socket.AF_UNIX))
        given.bind(path)
        given.listen(5)
        given.setblocking(False)
        return given

    def adopt(self, given: socket.socket) -> Any:
        port = UnixPort._fromListeningDescriptor(self.reactor, given.fileno(), EchoFactory())
        port.startListening()
        return port

    def test_echo(self) -> None:
        port = self.port()
        self.assertEqual(stat.S_IMODE(os.lstat(self.path).st_mode), 0o640)
        self.assertEqual(port.getHost().name, os.fsencode(self.path))
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["s"])
        self.assertEqual(self.run_with(self.reactor, self.echo), b"Hello\n" + b"x" * 100_000)

    def test_file_is_gone_at_once(self) -> None:
        """X6: before the reactor's next turn, in which the socket is closed."""
        port = self.port()
        stopped: list[object] = []
        port.stopListening().addCallback(stopped.append)
        self.assertFalse(os.path.lexists(self.path))
        self.assertEqual(stopped, [])
        self.reactor.iterate(0)
        self.assertEqual(stopped, [None])

    def test_a_successor_s_file(self) -> None:
        """X6: neither the stop nor the closing of the socket that follows takes it away."""
        port = self.port()
        os.unlink(self.path)
        self.given(self.path)
        inode = os.lstat(self.path).st_ino
        port.stopListening()
        self.reactor.iterate(0)
        self.assertEqual(os.lstat(self.path).st_ino, inode)

    def test_a_successor_between_the_stop_and_the_closing(self) -> None:
        """X6."""
        port = self.port()
        port.stopListening()
        self.given(self.path)
        self.reactor.iterate(0)
        self.assertTrue(os.path.lexists(self.path))

    def test_reactor_that_ends_without_a_stop(self) -> None:
        """X6."""
        self.port()
        self.reactor.callWhenRunning(self.reactor.stop)
        self.runReactor(self.reactor, timeout=PATIENCE)
        self.assertFalse(os.path.lexists(self.path))

    def test_file_that_is_gone_already(self) -> None:
        """X6."""
        events = record_log(self)
        port = self.port()
        os.unlink(self.path)
        port.stopListening()
        self.reactor.iterate(0)
        self.assertEqual([event for event in events if event.get("log_failure") or event.get("isError")], [])

    def test_file_that_may_not_be_removed(self) -> None:
        """X6: one line, and the socket is closed all the same."""
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        port = self.port()
        events = record_log(self)
        os.seteuid(65534)
        try:
            port.stopListening()
        finally:
            os.seteuid(0)
        self.reactor.iterate(0)
        lines = [formatEvent(event) for event in events if event["log_namespace"] == "echoproto"]
        # Its folder is only for whoever made it, so that not even what is there can be seen.
        self.assertEqual(lines, [f"Left behind {self.path}: Permission denied; the next start removes it"])
        self.assertFalse(port.connected)
        os.unlink(self.path)

    def test_stale_file_is_put_back(self) -> None:
        """O5."""
        self.given(self.path).close()
        inode = os.lstat(self.path).st_ino
        port = self.port(put_back=True)
        self.assertNotEqual(os.lstat(self.path).st_ino, inode)
        port.stopListening()
        self.reactor.iterate(0)
        self.assertEqual(os.lstat(self.path).st_ino, inode)

    def test_owner(self) -> None:
        """X4."""
        owner = (65534, 65533) if os.geteuid() == 0 else (os.getuid(), os.getgid())
        self.port(owner=owner)
        found = os.lstat(self.path)
        self.assertEqual((found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)), (*owner, 0o640))

    def test_live(self) -> None:
        """X2: also one of the same process."""
        self.port()
        error = self.assertRaises(CannotListenError, self.port)
        self.assertIsInstance(error.socketError, UnavailableError)
        self.assertTrue(os.path.lexists(self.path))

    def test_path_that_is_too_long(self) -> None:
        """X5."""
        error = self.assertRaises(CannotListenError, self.port, "/" + "x" * 200)
        self.assertIsInstance(error.socketError, ConfigurationError)
        self.assertIn("its path is 201 bytes long", str(error.socketError))

    def test_a_failed_start_leaves_no_descriptor_and_no_factory_started(self) -> None:
        factory = EchoFactory()
        self.given(self.path)
        for path in ("/nonexistent/s", self.path):
            port = UnixPort(path, factory, 5, 0o640, self.reactor)
            skt = port.createInternetSocket()
            self.patch(port, "createInternetSocket", lambda skt=skt: skt)
            self.assertRaises(CannotListenError, port.startListening)
            self.assertEqual(skt.fileno(), -1)
            self.assertEqual(factory.numPorts, 0)

    def test_abstract_name(self) -> None:
        """It is not cut, and no file comes of it, or goes."""
        if not os.path.exists("/proc/net/unix"):
            self.skipTest("abstract names are Linux's")
        name = b"\0" + os.fsencode(self.path)
        open(self.path, "x").close()
        port = self.port(name)
        self.assertEqual(port.getHost().name, name)
        self.assertEqual(self.run_with(self.reactor, lambda: self.echo(name)), b"Hello\n" + b"x" * 100_000)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["s"])

    def test_abstract_name_in_use(self) -> None:
        if not os.path.exists("/proc/net/unix"):
            self.skipTest("abstract names are Linux's")
        self.given(b"\0" + os.fsencode(self.path))
        error = self.assertRaises(CannotListenError, self.port, b"\0" + os.fsencode(self.path))
        self.assertEqual(error.socketError.strerror, "Address already in use")

    def test_socket_that_was_handed_over(self) -> None:
        """O12: its file keeps its permissions, and stays; its owner goes on listening on it."""
        given = self.given(self.path)
        os.chmod(self.path, 0o604)
        before = os.lstat(self.path)
        port = self.adopt(given)
        self.assertEqual(self.run_with(self.reactor, self.echo), b"Hello\n" + b"x" * 100_000)
        self.assertFalse(port.connected)
        after = os.lstat(self.path)
        self.assertEqual((after.st_ino, after.st_mode), (before.st_ino, before.st_mode))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)
            given.accept()[0].close()

    def test_backlog_of_a_socket_that_was_handed_over(self) -> None:
        """It has its own already, which Twisted would replace by 50."""
        given = self.given(self.path)
        given.listen(0)
        self.adopt(given)
        answers = []
        for _ in range(3):
            client = self.enterContext(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            answers.append(client.connect_ex(self.path))
        self.assertNotEqual(answers[-1], 0)


globals().update(UnixPortBuilder.makeTestCaseClasses())
del UnixPortBuilder, EchoReactorBuilder


class ReprTests(SynchronousTestCase):
    def test_path_in_bytes_that_are_no_text(self) -> None:
        """As a command line may hold them."""
        self.assertEqual(UnixPort("/tmp/\udcff", EchoFactory()).path, b"/tmp/\xff")
