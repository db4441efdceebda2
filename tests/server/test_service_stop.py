"""Ends of a service's connections, and their log; ports and settings are in `tests.server.test_service`."""

import os
import socket
from inspect import signature
from typing import Any
from unittest import mock

from twisted.internet.address import IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.logger import formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto import Echo
from echoproto.errors import ConfigurationError
from echoproto.server import service as service_module
from echoproto.server.service import EchoService, _address_of, _place_of
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.connection import BufferedTCPConnection, TCPConnection
from tests.support.logs import record_log
from tests.support.reactorbuilder import EchoReactorBuilder
from tests.support.transports import EchoTransport


class ServiceBuilder(EchoReactorBuilder):
    def service(self, **settings: Any) -> Any:
        self.reactor = self.buildReactor()
        self.events = record_log(self)
        return EchoService(Settings(**settings), "fast", self.reactor)

    def connect(self, service: Any) -> Echo:
        connection: Echo = service.factory.buildProtocol(None)
        connection.makeConnection(EchoTransport())
        return connection

    def told(self) -> list[tuple[str, str]]:
        """Return the name and the line of each logged event."""
        ours = [event for event in self.events if event["log_namespace"] == "echoproto"]
        return [(event["event"], formatEvent(event)) for event in ours]

    def test_all_who_have_to_know_of_connections_do(self) -> None:
        service = self.service(max_per_source=1)
        connection = self.connect(service)
        self.assertEqual(service.snapshot().active, 1)
        self.assertEqual(self.told()[0][0], "connected")
        self.assertFalse(service._admission.admit("192.168.1.1"), "where it has come from")
        self.assertTrue(service._deadlines._checks.running)
        connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(service.snapshot().closed, {"peer": 1})
        self.assertFalse(service._deadlines._checks.running)

    def test_stops(self) -> None:
        """O7: each connection has ``drain`` seconds to end, and the service waits for the last."""
        service = self.service(drain=7, log_connections=False)
        service._drainer = mock.Mock()
        connections = [self.connect(service) for _ in range(2)]
        stopped = service.stopService()
        calls = service._drainer.add.call_args_list
        self.assertEqual({call.args for call in calls}, {(each, 7, "stop") for each in connections})
        self.assertEqual(self.told(), [("draining", "Waiting up to 7 s for 2 connections to end")])
        connections[0].connectionLost(Failure(ConnectionDone()))
        self.assertNoResult(stopped)
        connections[1].connectionLost(Failure(ConnectionDone()))
        self.successResultOf(stopped)

    def test_stops_at_once_where_nobody_is(self) -> None:
        service = self.service()
        self.successResultOf(service.stopService())
        self.assertEqual(self.told(), [])

    def test_aborts(self) -> None:
        """O7: a second signal means now."""
        service = self.service()
        connections = [self.connect(service) for _ in range(2)]
        service.abort()
        for each in connections:
            transport: Any = each.transport
            self.assertEqual((each.ended_by, transport.disconnected), ("drain", True))
            each.connectionLost(Failure(ConnectionDone()))

    def test_how_its_connections_write(self) -> None:
        for writes, kind in (("at-once", TCPConnection), ("buffered", BufferedTCPConnection)):
            service = self.service(port=0, interface="127.0.0.1", writes=writes)
            service.startService()
            self.assertIs(service.ports[0].transport, kind)

    def test_what_it_is_given_for_its_listeners(self) -> None:
        """The way to open ports, the owner of socket files, certificates already read, and whether this is a try."""
        reactor, certificates, opener = self.buildReactor(), [()], mock.Mock()
        names = ("PortReactor", "listeners", "udp_listeners")
        made = {name: mock.Mock(return_value=[]) for name in names}
        settings = Settings(unix_owner=f"{os.getuid()}:{os.getgid()}", log_rate=7)
        with mock.patch.multiple(service_module, **made):
            service = EchoService(settings, "fast", reactor, check=True, open_port=opener, certificates=certificates)
        made["PortReactor"].assert_called_once_with(
            reactor,
            service._admission,
            at_once=True,
            owner=(os.getuid(), os.getgid()),
            put_back=True,
            open_port=opener,
        )
        made["listeners"].assert_called_once_with(settings, [], certificates)
        made["udp_listeners"].assert_called_once_with(
            settings, service.datagrams, service._counters, reactor, service.events, open_port=opener
        )
        self.assertEqual(service.events.rate, 7)
        self.assertEqual(service.datagrams._sources._seconds, reactor.seconds)

    def test_a_try_is_asked_for(self) -> None:
        """Else, what a start changes stays changed."""
        self.assertIs(signature(EchoService).parameters["check"].default, False)

    def test_names_of_events(self) -> None:
        service = self.service(port=0, interface="127.0.0.1", udp=0)
        service.startService()
        self.assertEqual([name for name, _ in self.told()], ["listening", "listening-udp"])

    def test_says_if_it_leaves_ipv4_alone(self) -> None:
        """Of a socket that listens on all of IPv6; of others it is no question."""
        for interface, shown in (("::", " (IPv6 only)"), ("::1", "")):
            quoted = interface.replace(":", "\\:")
            service = self.service(listen=(f"tcp:0:interface={quoted}",))
            service.startService()
            alone = service.ports[0].socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            self.assertTrue(alone)
            [(_, line)] = self.told()
            self.assertTrue(line.endswith(f"reactor fast{shown}"), line)
            self.assertEqual(self.events[-1].get("ipv6_only"), True if shown else None)

    def test_certificates(self) -> None:
        """S10, S11: what a person should know is logged, and what is wrong at a renewal is given, of each listener."""
        service = self.service(port=0, interface="127.0.0.1")
        problem = ConfigurationError("it is not a certificate")
        good, bad = mock.Mock(), mock.Mock(renew=mock.Mock(side_effect=problem))
        good.warnings.return_value, bad.warnings.return_value = ["one\nline"], ["another"]
        service.credentials = [bad, good]
        service.startService()
        self.assertEqual(self.told()[1:], [("certificate-warning", "another"), ("certificate-warning", "one\\nline")])
        self.assertEqual(service.renew_certificates(), [problem])
        good.renew.assert_called_once_with()

    def test_counters(self) -> None:
        service = self.service()
        service.log_counters()
        [(name, line)] = self.told()
        self.assertEqual((name, line[:24]), ("counters", 'Counters: {"accepted": 0'))
        self.assertEqual(self.events[-1]["accepted"], 0)

    def test_reloaded(self) -> None:
        """At once, in one process."""
        self.assertIsNone(self.successResultOf(self.service().when_reloaded()))


globals().update(ServiceBuilder.makeTestCaseClasses())
del ServiceBuilder, EchoReactorBuilder


class AddressTests(SynchronousTestCase):
    def test_an_address_of_an_unknown_kind(self) -> None:
        self.assertEqual(_address_of(mock.Mock(spec=[])), {"address": "?", "port": None})

    def test_a_link_local_address(self) -> None:
        """It is only whole with its network interface."""
        port = mock.Mock(addressFamily=socket.AF_INET6)
        port.getHost.return_value = IPv6Address("UDP", "fe80::1", 7)
        with mock.patch.object(socket, "getnameinfo", return_value=("fe80::1%eth0", "7")) as called:
            self.assertEqual(_place_of(port), {"address": "fe80::1%eth0", "port": 7})
        called.assert_called_once_with(port.socket.getsockname(), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
