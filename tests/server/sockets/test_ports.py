import os
import socket
import tempfile
from typing import Any
from unittest import mock

from twisted.internet.endpoints import serverFromString
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from echoproto import EchoFactory
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.ports import PortReactor
from echoproto.server.sockets.unix import UnixPort
from tests.support.admission import admission
from tests.support.clients import PATIENCE, exchange, receive
from tests.support.reactorbuilder import EchoReactorBuilder


class PortReactorBuilder(EchoReactorBuilder):
    def setUp(self) -> None:
        super().setUp()
        self.reactor = self.buildReactor()
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
        self.path = os.path.join(self.folder, "s")

    def ports(self, settings: Settings | None = None, **options: Any) -> PortReactor:
        self.admission = admission(self.reactor, settings)
        return PortReactor(self.reactor, self.admission, **options)

    def listen(self, description: str, **options: Any) -> Any:
        return self.successResultOf(serverFromString(self.ports(**options), description).listen(EchoFactory()))

    def connect(self) -> socket.socket:
        client = self.enterContext(socket.socket(socket.AF_UNIX))
        client.settimeout(PATIENCE)
        client.connect(self.path)
        return client

    def test_unix(self) -> None:
        """What Twisted's endpoint opens is ours, on the real reactor, and without a lock file."""
        port = self.listen(f"unix:{self.path}:mode=640:backlog=7:lockfile=1")
        self.assertIsInstance(port, UnixPort)
        self.assertIs(port.reactor, self.reactor)
        self.assertEqual((port.mode, port.backlog, port.owner), (0o640, 7, None))
        self.assertEqual(os.listdir(self.folder), ["s"])

    def test_owner(self) -> None:
        owner = (os.getuid(), os.getgid())
        self.assertEqual(self.listen(f"unix:{self.path}", owner=owner).owner, owner)

    def test_stale_file(self) -> None:
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(self.path)
        inode = os.lstat(self.path).st_ino
        self.listen(f"unix:{self.path}", put_back=True).stopListening()
        self.reactor.iterate(0)
        self.assertEqual(os.lstat(self.path).st_ino, inode)

    def test_unix_over_the_limit(self) -> None:
        """C3: who comes over a Unix socket is counted with all others."""

        def client() -> None:
            inside = self.connect()
            self.assertEqual(receive(inside, 6), b"Hello\n")
            self.assertEqual(receive(self.connect(), 1), b"")
            self.assertEqual(exchange(inside, b"x"), b"x")

        settings = Settings(max_connections=1)
        factory = EchoFactory()
        self.admission = admission(self.reactor, settings, factory.connections)
        factory.observers = (self.admission.counters, self.admission)
        PortReactor(self.reactor, self.admission).listenUNIX(self.path, factory)
        self.run_with(self.reactor, client)
        self.assertEqual(self.admission.counters.refused, {"max-connections": 1})

    def adopt(self, family: socket.AddressFamily, address: Any) -> Any:
        given = self.enterContext(socket.socket(family))
        given.bind(address)
        given.listen(5)
        given.setblocking(False)
        return self.ports().adoptStreamPort(given.fileno(), family, EchoFactory())

    def test_adopted_unix(self) -> None:
        """O12."""
        port = self.adopt(socket.AF_UNIX, self.path)
        self.assertIsInstance(port, UnixPort)
        self.assertIs(port.admission, self.admission)
        port.stopListening()
        self.reactor.iterate(0)
        self.assertEqual(os.listdir(self.folder), ["s"])

    def test_adopted_tcp(self) -> None:
        self.assertNotIsInstance(self.adopt(socket.AF_INET, ("127.0.0.1", 0)), UnixPort)

    def test_tcp(self) -> None:
        self.assertEqual(self.listen("tcp:0:interface=127.0.0.1").getHost().host, "127.0.0.1")


globals().update(PortReactorBuilder.makeTestCaseClasses())
del PortReactorBuilder, EchoReactorBuilder


class PortReactorTests(SynchronousTestCase):
    def test_the_rest_is_the_reactor_s(self) -> None:
        reactor = mock.Mock(spec=["callLater"])
        ports = PortReactor(reactor, admission(Clock()))
        self.assertIs(ports.callLater, reactor.callLater)
        self.assertRaises(AttributeError, getattr, ports, "callSooner")
