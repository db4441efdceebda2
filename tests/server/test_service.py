import os
import resource
import socket
import tempfile
from typing import Any

from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, UnavailableError
from echoproto.server.service import EchoService
from echoproto.server.settings.table import Settings
from tests.support.logs import record_log
from tests.support.reactorbuilder import EchoReactorBuilder


class EchoServiceBuilder(EchoReactorBuilder):
    def service(self, **settings: Any) -> Any:
        self.reactor = self.buildReactor()
        self.events = record_log(self)
        return EchoService(Settings(**settings), "fast", self.reactor)

    def lines(self) -> list[str]:
        return [formatEvent(event) for event in self.events if event["log_namespace"] == "echoproto"]

    def test_listens_when_privileged_and_only_once(self) -> None:
        service = self.service(port=0, interface="127.0.0.1")
        service.privilegedStartService()
        [port] = service.ports
        service.startService()
        self.assertEqual(service.ports, [port])
        self.assertTrue(service.running)

    def test_listens_when_started_where_there_was_no_privileged_start(self) -> None:
        """As under ``twist``."""
        service = self.service(port=0, interface="127.0.0.1")
        service.startService()
        self.assertEqual(len(service.ports), 1)

    def test_says_where_it_listens(self) -> None:
        service = self.service(port=0, interface="127.0.0.1")
        service.startService()
        [port] = service.ports
        number = port.getHost().port
        fd = port.fileno()
        self.assertEqual(
            self.lines(),
            [f"Listening, server socket fd is {fd}, address 127.0.0.1, port {number}, reactor fast"],
        )

    def test_says_where_it_listens_for_udp(self) -> None:
        service = self.service(port=0, interface="127.0.0.1", udp=0, udp_rate=7)
        service.startService()
        [_, port] = service.ports
        self.assertEqual(
            self.lines()[1:],
            [f"Listening for UDP, socket fd is {port.fileno()}, address 127.0.0.1, port {port.getHost().port}"],
        )
        self.assertEqual(service.datagrams.rate, 7)

    def test_owner_of_unix_sockets(self) -> None:
        """X4."""
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory(prefix="echo-")), "s")
        service = self.service(listen=(f"unix:{path}",), unix_owner=f"{os.getuid()}:{os.getgid()}")
        service.startService()
        self.assertEqual(service.ports[0].owner, (os.getuid(), os.getgid()))

    def test_owner_that_there_is_not(self) -> None:
        error = self.assertRaises(ConfigurationError, self.service, unix_owner="no-such-user")
        self.assertEqual(str(error), "this system has no user 'no-such-user'")

    def test_a_failed_start(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            service = self.service(port=other.getsockname()[1])
            self.assertRaises(UnavailableError, service.startService)
        self.assertFalse(service.running)
        self.assertEqual(service.ports, [])

    def test_other_settings(self) -> None:
        """O8: what can change does; the rest is named, and stays."""
        service = self.service(port=0, interface="127.0.0.1", greeting="One")
        service.startService()
        other = Settings(
            port=1, greeting="Two", idle=7, log_connections=False, log_rate=9, backlog=3, max_connections=2
        )
        self.assertEqual(service.apply(other), ["port", "interface", "backlog"])
        self.assertEqual(service._admission.limit, 2)
        self.assertEqual((service.settings.port, service.settings.backlog, service.settings.idle), (0, 1024, 7))
        self.assertEqual((service.factory.greeting, service.events.rate), (b"Two", 9))
        self.assertEqual(service._deadlines.settings.idle, 7)
        self.assertFalse(service._connection_log.enabled)
        self.assertEqual(service.apply(service.settings), [])

    def test_as_many_as_there_are_descriptors_for(self) -> None:
        """C3: the default of max-connections."""
        service = self.service(port=0, interface="127.0.0.1")
        service.startService()
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertTrue(0 < service._admission.limit < soft, service._admission.limit)

    def test_counters(self) -> None:
        service = self.service()
        service.log_counters()
        self.assertEqual(service.snapshot().accepted, 0)
        self.assertIn('Counters: {"accepted": 0, "active": 0, "closed": {}', self.lines()[-1])
        self.assertEqual((self.events[-1]["event"], self.events[-1]["accepted"]), ("counters", 0))

    def test_stops_listening(self) -> None:
        service = self.service(listen=("tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.1"))
        service.startService()
        numbers = [port.getHost().port for port in service.ports]
        stopped: list[object] = []

        def stop() -> None:
            service.stopService().addCallback(stopped.append).addBoth(lambda _: self.reactor.stop())

        self.reactor.callWhenRunning(stop)
        self.runReactor(self.reactor, timeout=10)
        self.assertEqual(stopped, [[None, None]])
        self.assertFalse(service.running)
        for number in numbers:
            with socket.socket() as client:
                self.assertNotEqual(client.connect_ex(("127.0.0.1", number)), 0)


globals().update(EchoServiceBuilder.makeTestCaseClasses())
del EchoServiceBuilder, EchoReactorBuilder


class UnixTests(SynchronousTestCase):
    def test_a_unix_socket_has_a_path_and_no_port(self) -> None:
        from twisted.internet.address import UNIXAddress

        from echoproto.server.service import _address_of

        self.assertEqual(_address_of(UNIXAddress(b"/run/\xff")), {"address": "/run/\\xff", "port": None})
        self.assertEqual(_address_of(UNIXAddress(b"\0echo")), {"address": "@echo", "port": None})
