import contextlib
import errno
import os
import socket
import sys
import tempfile
from collections.abc import Iterable
from typing import Any
from unittest import mock

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from echoproto import EchoFactory
from echoproto.datagram import EchoDatagram
from echoproto.errors import UnavailableError
from echoproto.server.counters import Counters
from echoproto.server.log.budget import EventLog
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.listeners import listeners, open_all, udp_listeners
from echoproto.server.sockets.ports import PortReactor
from echoproto.server.workers import handover
from echoproto.server.workers.handover import Handover, Inheritance, kernel_balances
from tests.support.admission import admission
from tests.support.clients import PATIENCE, exchange
from tests.support.namespace import Namespace
from tests.support.reactorbuilder import EchoReactorBuilder, turn

BALANCED = None if sys.platform.startswith("linux") else "only Linux's kernel balances"


class KernelTests(SynchronousTestCase):
    def test_linux(self) -> None:
        self.assertEqual(kernel_balances(), sys.platform.startswith("linux"))

    def test_others(self) -> None:
        """macOS and BSD have the option, and give all connections to one of the sockets."""
        with mock.patch.object(sys, "platform", "darwin"):
            self.assertFalse(kernel_balances())

    def test_a_kernel_without_it(self) -> None:
        problem = OSError(errno.ENOPROTOOPT, "no")
        with mock.patch.object(sys, "platform", "linux"), mock.patch.object(handover, "socket") as module:
            module.socket.return_value.__enter__.return_value.setsockopt.side_effect = problem
            self.assertFalse(kernel_balances())


class HandoverBuilder(EchoReactorBuilder):
    def setUp(self) -> None:
        super().setUp()
        self.reactor = self.buildReactor()
        self.counters = Counters()
        self.events = EventLog(self.reactor)
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))

    def open(self, opener: Any, *listen: str, **settings: Any) -> list[Any]:
        """Open ports as the service does."""
        wanted = Settings(listen=listen, **settings)
        ports = PortReactor(self.reactor, admission(self.reactor), open_port=opener.open)
        datagrams = EchoDatagram(self.counters)
        places = listeners(wanted, ports)
        places += udp_listeners(wanted, datagrams, self.counters, self.reactor, self.events, open_port=opener.open)
        opened = open_all(places, EchoFactory(b""))
        self.addCleanup(self.close, opened)
        return opened

    def close(self, ports: Iterable[Any]) -> None:
        for port in ports:
            port.stopListening()
        turn(self.reactor)

    def opened(self, *listen: str, balance: bool = True, workers: int = 3, **settings: Any) -> tuple[Handover, Any]:
        made = Handover(workers, balance)
        self.addCleanup(made.close)
        return made, self.open(made, *listen, **settings)

    def handed(self, made: Handover, worker: int) -> list[socket.socket]:
        return [self.enterContext(socket.socket(fileno=os.dup(descriptor))) for descriptor in made.descriptors(worker)]

    def test_each_worker_has_its_own(self) -> None:
        if BALANCED:
            self.skipTest(BALANCED)
        made, ports = self.opened("tcp:0:interface=127.0.0.1", udp=0)
        self.assertEqual(made.ways(), ["each its own socket, by SO_REUSEPORT"] * 2)
        handed = [self.handed(made, worker) for worker in range(3)]
        self.assertEqual(len({each.fileno() for sockets in handed for each in sockets}), 6)
        for index, port in enumerate(ports):
            host = port.getHost()
            self.assertEqual({each[index].getsockname() for each in handed}, {(host.host, host.port)})

    def test_all_workers_share(self) -> None:
        """Where the kernel does not balance, and what it can't: Unix sockets."""
        path = f"{self.folder}/s"
        made, _ = self.opened("tcp:0:interface=127.0.0.1", f"unix:{path}", balance=False, udp=0)
        self.assertEqual(made.ways(), ["one shared socket"] * 3)
        self.assertEqual(made.descriptors(0), made.descriptors(2))
        made, _ = self.opened(f"unix:{path}2")
        self.assertEqual(made.ways(), ["one shared socket"])

    def test_what_was_handed_over_is_shared(self) -> None:
        """O12: a socket of systemd."""
        with socket.create_server(("127.0.0.1", 0)) as given:
            made = Handover(2, balance=True)
            ports = PortReactor(self.reactor, admission(self.reactor), open_port=made.open)
            port: Any = ports.adoptStreamPort(given.fileno(), socket.AF_INET, EchoFactory())
            self.addCleanup(self.close, [port])
            self.assertEqual(made.ways(), ["one shared socket"])
            self.assertEqual(port.getHost().port, given.getsockname()[1])

    def test_nobody_reads_here(self) -> None:
        _, ports = self.opened("tcp:0:interface=127.0.0.1", f"unix:{self.folder}/s", udp=0)
        self.assertEqual(set(ports) & set(self.reactor.getReaders()), set())

    def complaint(self, **settings: Any) -> str:
        made = Handover(2, balance=BALANCED is None)
        self.addCleanup(made.close)
        return str(self.assertRaises(UnavailableError, self.open, made, **settings))

    def test_a_port_in_use(self) -> None:
        """O1: also by another instance, which has SO_REUSEPORT as well."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            number = other.getsockname()[1]
            self.assertIn("Address already in use; stop", self.complaint(port=number, interface="127.0.0.1"))
        _, [port] = self.opened(port=0, interface="127.0.0.1")
        number = port.getHost().port
        self.assertIn("Address already in use; stop", self.complaint(port=number, interface="127.0.0.1"))

    def test_a_udp_port_in_use(self) -> None:
        """O1."""
        _, ports = self.opened("tcp:0:interface=127.0.0.1", udp=0)
        number = ports[1].getHost().port
        self.assertIn("Address already in use; stop", self.complaint(port=0, udp=number))

    def test_a_link_local_address(self) -> None:
        """O1: it is one of an interface."""
        namespace = Namespace(self)
        namespace.run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        namespace.run("ip", "addr", "add", "fe80::1/64", "dev", "v0", "nodad")
        namespace.run("ip", "link", "set", "v0", "up")
        with namespace:
            made, _ = self.opened(port=0, interface="fe80::1%v0", udp=0, udp_interface="fe80::1%v0")
            index = socket.if_nametoindex("v0")
        for skt in self.handed(made, 2):
            self.assertEqual((skt.getsockname()[0], skt.getsockname()[3]), ("fe80::1", index))

    def test_a_failure_in_the_middle(self) -> None:
        """O1: nothing stays half open."""
        if BALANCED:
            self.skipTest(BALANCED)
        made: list[socket.socket] = []
        port = mock.Mock(interface="127.0.0.1", port=0)

        def create() -> socket.socket:
            if len(made) == 3:
                raise OSError(errno.EMFILE, "too many")
            made.append(self.enterContext(socket.socket()))
            return made[-1]

        port.createInternetSocket.side_effect = create
        self.assertRaises(CannotListenError, handover._open_group, port, 3)
        self.assertEqual([each.fileno() for each in made], [-1, -1, -1])

    def test_a_worker_takes_them_over(self) -> None:
        """In this process for once: bytes and datagrams come back, over sockets that another port object had opened."""
        path = f"{self.folder}/s"
        made, ports = self.opened("tcp:0:interface=127.0.0.1", f"unix:{path}", workers=1, udp=0)
        addresses = [(port.getHost().host, port.getHost().port) for port in (ports[0], ports[2])]
        inheritance = Inheritance(map(os.dup, made.descriptors(0)))
        self.open(inheritance, "tcp:1", "unix:elsewhere", udp=1)

        def client() -> None:
            with socket.create_connection(addresses[0], PATIENCE) as stream:
                self.assertEqual(exchange(stream, b"over TCP"), b"over TCP")
            with socket.socket(socket.AF_UNIX) as stream:
                stream.connect(path)
                self.assertEqual(exchange(stream, b"over a Unix socket"), b"over a Unix socket")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                datagrams.settimeout(PATIENCE)
                datagrams.sendto(b"over UDP", addresses[1])
                self.assertEqual(datagrams.recv(100), b"over UDP")

        self.run_with(self.reactor, client)
        self.assertEqual(self.counters.datagrams_echoed, 1)

    def test_a_system_without_ipv6(self) -> None:
        """A worker tries IPv6 first as well, and is handed IPv4."""
        made, _ = self.opened(port=0, interface="0.0.0.0", workers=1)
        inheritance = Inheritance(map(os.dup, made.descriptors(0)))
        [port] = self.open(inheritance, port=0)
        self.assertEqual(port.getHost().host, "0.0.0.0")

    def refused(self, address: tuple[str, int]) -> int:
        """How many of 40 connections are refused."""
        count = 0
        for _ in range(40):
            with socket.socket() as client:
                count += client.connect_ex(address) != 0
        return count

    def accepts(self, skt: socket.socket) -> int:
        """How many wait to be accepted by a socket."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                skt.accept()[0].close()
                count += 1
        return count

    def test_a_worker_that_rests(self) -> None:
        """O11: new connections are for the others, until there is one again; the port stays ours."""
        if BALANCED:
            self.skipTest(BALANCED)
        made, [port] = self.opened(port=0, interface="127.0.0.1", workers=2)
        address = ("127.0.0.1", port.getHost().port)
        sockets = [self.handed(made, worker)[0] for worker in range(2)]
        made.rest(1)
        self.assertEqual(self.refused(address), 0)
        self.assertEqual(self.accepts(sockets[0]), 40)
        made.resume(1)
        made.resume(0)
        self.assertEqual(self.refused(address), 0)
        shares = [self.accepts(skt) for skt in sockets]
        self.assertEqual(sum(shares), 40)
        self.assertTrue(all(shares), shares)
        made.rest(0)
        made.rest(1)
        self.assertEqual(self.refused(address), 40)
        made.resume(0)
        self.assertEqual(self.refused(address), 0)

    def test_datagrams_wait_for_a_worker_that_rests(self) -> None:
        made, [_, port] = self.opened("tcp:0:interface=127.0.0.1", udp=0)
        made.rest(0)
        self.assertGreater(port.getHost().port, 0)
        made.resume(0)


globals().update(HandoverBuilder.makeTestCaseClasses())
del HandoverBuilder, EchoReactorBuilder
