import contextlib
import errno
import socket
import sys
from collections.abc import Callable
from typing import Any, TypeVar
from unittest import mock

from twisted.internet import udp
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from echoproto import EchoFactory
from echoproto.datagram import EchoDatagram
from echoproto.errors import UnavailableError
from echoproto.server.counters import Counters
from echoproto.server.log.budget import EventLog
from echoproto.server.settings.table import Settings
from echoproto.server.sockets import ancillary
from echoproto.server.sockets.listeners import open_all, udp_listeners
from echoproto.server.sockets.udp import BATCH_SIZE, EchoDatagramPort, limit
from tests.integration.twistd import tool
from tests.support.clients import PATIENCE, payload
from tests.support.logs import record_log
from tests.support.namespace import Namespace
from tests.support.reactorbuilder import EchoReactorBuilder

IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2  # of Linux

T = TypeVar("T")

LARGEST = 9216 if sys.platform == "darwin" else 65507
"""macOS sends no larger datagrams by default (net.inet.udp.maxdgram)."""


def udp_client(case: SynchronousTestCase, host: str = "127.0.0.1", *, connected_to: int = 0) -> socket.socket:
    """A client that waits; a connected one takes datagrams only from the address that it sends to."""
    client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    case.addCleanup(client.close)
    client.settimeout(PATIENCE)
    if connected_to:
        client.connect((host, connected_to))
    return client


class EchoDatagramPortBuilder(EchoReactorBuilder):
    """Real sockets, on each reactor."""

    def open(self, interface: str = "127.0.0.1", **settings: Any) -> Any:
        self.reactor = self.buildReactor()
        self.counters = Counters()
        self.protocol = EchoDatagram(self.counters)
        wanted = Settings(udp=settings.pop("udp", 0), udp_interface=interface, **settings)
        limit(self.protocol, wanted)
        events = EventLog(self.reactor)
        places = udp_listeners(wanted, self.protocol, self.counters, self.reactor, events)
        port: Any
        [port] = open_all(places, EchoFactory())
        self.close_later(port)
        self.number = port.getHost().port
        return port

    def close_later(self, port: Any) -> None:
        """Unless the reactor does, at the end of its run."""
        self.addCleanup(lambda: port.connected and port.connectionLost())

    def client(self, host: str = "127.0.0.1") -> socket.socket:
        return udp_client(self, host, connected_to=self.number)

    def exchange(self, client: socket.socket, data: bytes) -> bytes:
        client.send(data)
        return client.recv(65536)

    def insist(self, client: socket.socket, data: bytes) -> bytes:
        """Exchange, and send again what was lost: a link that has just come up promises nothing."""
        client.settimeout(PATIENCE / 10)
        for _ in range(10):
            with contextlib.suppress(TimeoutError):
                return self.exchange(client, data)
        raise TimeoutError("there was no echo")

    def run_client(self, client: Callable[[], T]) -> T:
        return self.run_with(self.reactor, client)

    def test_sizes(self) -> None:
        """U5: identical back, over IPv4 and IPv6."""
        for host in ("127.0.0.1", "::1"):
            self.open(host)
            client = self.client(host)

            def sizes(client: socket.socket = client) -> None:
                for size in (0, 1, 1472, 8193, LARGEST):
                    self.assertEqual(self.exchange(client, payload(size)), payload(size))

            self.run_client(sizes)
            self.assertEqual(self.counters.datagrams_echoed, 5)

    def test_one_socket_for_all_addresses(self) -> None:
        """U8: a connected client takes the reply only from the address that it has asked."""
        self.open("")
        hosts = ["127.0.0.1", "127.0.0.2", "::1"] if ancillary.LINUX else ["127.0.0.1", "::1"]
        clients = [self.client(host) for host in hosts]
        self.assertEqual(
            self.run_client(lambda: [self.exchange(client, b"x") for client in clients]), [b"x"] * len(hosts)
        )

    def test_all_of_ipv4_only(self) -> None:
        """U8."""
        self.open("0.0.0.0")
        clients = [self.client(host) for host in (("127.0.0.1", "127.0.0.2") if ancillary.LINUX else ("127.0.0.1",))]
        self.run_client(lambda: [self.assertEqual(self.exchange(client, b"x"), b"x") for client in clients])
        self.assert_nobody_there(udp_client(self, "::1"), "::1")

    def test_all_of_ipv6_only(self) -> None:
        self.open("::")
        client = self.client("::1")
        self.run_client(lambda: self.assertEqual(self.exchange(client, b"x"), b"x"))
        self.assert_nobody_there(udp_client(self), "127.0.0.1")

    def assert_nobody_there(self, client: socket.socket, host: str) -> None:
        client.connect((host, self.number))
        client.send(b"x")
        self.assertRaises(ConnectionRefusedError, client.recv, 1)

    def test_where_the_source_of_a_reply_can_not_be_named(self) -> None:
        """U8: it serves all the same, and says so, once."""
        log = record_log(self)
        self.patch(ancillary, "NAMES_SOURCE", False)
        self.open("")
        client = self.client()
        self.assertEqual(self.run_client(lambda: [self.exchange(client, b"x") for _ in range(3)]), [b"x"] * 3)
        said = [formatEvent(event) for event in log]
        self.assertEqual(sum("leave from the address that the system picks" in line for line in said), 1)

    def test_without_ipv6_all_addresses_are_ipv4(self) -> None:
        real = udp.Port.createInternetSocket

        def no_ipv6(port: udp.Port) -> Any:
            if port.addressFamily == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            return real(port)

        self.patch(udp.Port, "createInternetSocket", no_ipv6)
        self.assertEqual(self.open("").getHost().host, "0.0.0.0")
        client = self.client()
        self.assertEqual(self.run_client(lambda: self.exchange(client, b"x")), b"x")

    def test_port_in_use(self) -> None:
        """O1: which port, what is wrong, what to do."""
        with udp_client(self) as other:
            other.bind(("127.0.0.1", 0))
            number = other.getsockname()[1]
            for interface, where in (("127.0.0.1", "127.0.0.1"), ("", "all addresses")):
                error = self.assertRaises(UnavailableError, self.open, interface, udp=number)
                self.assertIn(f"can't listen on UDP port {number} on {where}: Address already in use; stop", str(error))

    def test_addresses_that_are_no_host_of_ours(self) -> None:
        """O3, U3: bound to the address of a group, it would reply to whatever is sent to all of the group."""
        error = self.assertRaises(UnavailableError, self.open, "192.0.2.1")
        self.assertIn("no network interface of this host has that address", str(error))
        broadcast = ["127.255.255.255"] if ancillary.LINUX else []  # elsewhere, loopback has none
        for group in ("224.0.0.1", "255.255.255.255", "ff02::1", *broadcast):
            error = self.assertRaises(UnavailableError, self.open, group)
            self.assertIn(f"on {group}: that is the address of a group, not of this host", str(error))

    def test_two_of_one_process(self) -> None:
        """U2: on whatever ports, and on the same port of two addresses, they do not answer each other."""
        for second in (0, None):
            one = self.open()
            other = EchoDatagramPort(
                self.number if second is None else second,
                EchoDatagram(self.counters),
                "127.0.0.2" if ancillary.LINUX else "127.0.0.1",
                ipv6_only=True,
                counters=self.counters,
                reactor=self.reactor,
                events=EventLog(self.reactor),
            )
            other.startListening()
            self.close_later(other)
            client = self.client()

            def ask(one: Any = one, other: Any = other, client: socket.socket = client) -> None:
                for port in (one, other):  # as if forged: not marked
                    port.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0)
                one.socket.sendto(b"x", other.socket.getsockname())
                other.socket.sendto(b"x", one.socket.getsockname())
                for target in (other, one):  # what is sent later is handled later
                    client.connect(target.socket.getsockname())
                    self.assertEqual(self.exchange(client, b"y"), b"y")

            self.run_client(ask)
            self.assertEqual(self.counters.datagrams_refused, {"own port": 2})
            self.assertEqual(self.counters.datagrams_echoed, 2)

    def test_a_reply_gets_none(self) -> None:
        """U2: replies are marked, and what is marked is refused; so another process that echoes is never answered."""
        for host in ("127.0.0.1", "::1", "::", ""):
            self.open(host)
            target = {"::": "::1", "": "127.0.0.1"}.get(host, host)
            client, other = self.client(target), self.client(target)
            if client.family == socket.AF_INET:
                client.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            else:
                client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)

            def reflect(client: socket.socket = client, other: socket.socket = other) -> None:
                client.send(b"x")
                _, [(level, _, value)], _, _ = client.recvmsg(1, 100)
                self.assertEqual(int.from_bytes(value, sys.byteorder), ancillary.MARK)
                option = socket.IP_TOS if level == socket.IPPROTO_IP else socket.IPV6_TCLASS
                client.setsockopt(level, option, int.from_bytes(value, sys.byteorder))
                client.send(b"x")
                other.send(b"y")
                self.assertEqual(other.recv(1), b"y")

            self.run_client(reflect)
            self.assertEqual(self.counters.datagrams_refused, {"echoed already": 1})
            self.assertEqual(self.counters.datagrams_echoed, 2)

    def turn(self, port: Any, datagrams: list[bytes]) -> tuple[int, int]:
        """Send some, and let the port read for one turn; give how many have come back, and how many wait for more."""
        client = self.client()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        for datagram in datagrams:
            client.send(datagram)
        port.doRead()
        first = self.counters.datagrams_echoed
        while self.counters.datagrams_echoed < len(datagrams):
            before = self.counters.datagrams_echoed
            port.doRead()
            self.assertLess(before, self.counters.datagrams_echoed)
        return first, self.counters.datagrams_echoed - first

    def test_a_turn_ends_though_more_is_there(self) -> None:
        """U7: datagrams without a byte do not keep the turn, either."""
        for size in (0, 1):
            port = self.open()
            self.assertEqual(self.turn(port, [b"x" * size] * (BATCH_SIZE + 10)), (BATCH_SIZE, 10))

    def test_large_ones_end_it_sooner(self) -> None:
        """U7."""
        port = self.open()
        self.patch(sys.modules[EchoDatagramPort.__module__], "BATCH_BYTES", 3 * 1000)
        self.assertEqual(self.turn(port, [bytes(1000)] * 5), (3, 2))

    def test_what_the_system_dropped(self) -> None:
        """U7: counted, and not among those that were received."""
        if not sys.platform.startswith("linux"):
            self.skipTest("only Linux tells what a socket has dropped")
        port = self.open()
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4608)
        client = self.client()
        for _ in range(50):
            client.send(bytes(100))
        for _ in range(50 // BATCH_SIZE + 1):
            port.doRead()
        snapshot = self.counters.snapshot(())
        self.assertGreater(snapshot.datagrams_dropped, 20)
        self.assertEqual(snapshot.datagrams_received + snapshot.datagrams_dropped, 50)

    def test_a_system_that_does_not_tell_what_it_dropped(self) -> None:
        self.open()
        self.patch(sys.modules[EchoDatagramPort.__module__], "SO_MEMINFO", 9999)
        client = self.client()
        self.assertEqual(self.run_client(lambda: [self.exchange(client, b"x") for _ in range(3)]), [b"x"] * 3)
        self.assertEqual(self.counters.datagrams_dropped, 0)

    def test_an_error_of_reading(self) -> None:
        """U6: counted, and the port stays open."""
        port = self.open()
        real = port.socket

        class Failing:
            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            def recvmsg(self, *sizes: int) -> Any:
                port.socket = real
                raise OSError(errno.ENOMEM, "Cannot allocate memory")

        port.socket = Failing()
        client = self.client()
        self.assertEqual(self.run_client(lambda: self.exchange(client, b"x")), b"x")
        self.assertEqual(self.counters.errors, {"ENOMEM": 1})

    def test_an_error_of_ours(self) -> None:
        """E10, E4: it costs the reply, is counted, and fills no log."""
        self.open()
        clients = [self.client(), self.client()]
        logged = record_log(self)
        real = self.protocol.why_not
        bad = clients[0].getsockname()[1]
        self.patch(self.protocol, "why_not", lambda host, port: 1 // 0 if port == bad else real(host, port))

        def ask() -> bytes:
            for _ in range(10):
                clients[0].send(b"x")
            return self.exchange(clients[1], b"x")

        self.assertEqual(self.run_client(ask), b"x")
        self.assertEqual(self.counters.datagrams_failed, {"ZeroDivisionError": 10})
        [line] = [formatEvent(each) for each in logged if each.get("event") == "fault"]
        self.assertRegex(line, r"^Fault in the UDP echo: ZeroDivisionError: .*, at test_udp.py:\d+ <lambda> < ")

    def test_no_memory_to_receive(self) -> None:
        """E10, E4: it is counted, the port stays open, and rests before it tries again."""
        port = self.open()
        logged = record_log(self)
        client = self.client()
        real, port.socket = port.socket, mock.Mock(wraps=port.socket)
        port.socket.recvmsg.side_effect = [MemoryError, MemoryError]
        rests: list[float] = []
        later = self.reactor.callLater

        def call_later(seconds: float, call: Callable[[], None]) -> object:
            if call == port._go_on:
                rests.append(seconds)
                port.socket.recvmsg.side_effect = None if len(rests) == 2 else MemoryError
            return later(seconds, call)

        self.patch(self.reactor, "callLater", call_later)
        self.assertEqual(self.run_client(lambda: self.exchange(client, b"x")), b"x")
        self.assertEqual((self.counters.errors, rests), ({"MemoryError": 2}, [0.1, 0.1]))
        self.assertEqual(len([each for each in logged if each.get("event") == "fault"]), 1)
        port.socket = real

    def test_closed_while_it_rests(self) -> None:
        """Nothing is left behind in the reactor."""
        port = self.open()
        port._pause_reading()
        resting = port._pause
        port.connectionLost()
        self.assertFalse(resting.active())

    def test_a_client_that_has_gone(self) -> None:
        """U6: what its system says of its closed port (ECONNREFUSED) disturbs nobody."""
        self.open()
        gone, client = self.client(), self.client()

        def ask() -> list[bytes]:
            gone.send(b"x")
            gone.close()
            return [self.exchange(client, b"x") for _ in range(3)]

        self.assertEqual(self.run_client(ask), [b"x"] * 3)
        snapshot = self.counters.snapshot(())
        self.assertEqual((snapshot.datagrams_received, snapshot.errors), (4, {}))

    def in_namespace(self, *commands: str, interface: str = "127.0.0.1") -> Namespace:
        """Open the port in a network of its own, which some commands have prepared."""
        namespace = Namespace(self)
        for command in commands:
            namespace.run(*command.split())
        with namespace:
            self.port = self.open(interface)
        return namespace

    def served(self, namespace: Namespace, host: str = "127.0.0.1") -> None:
        """Have the port handle all that was sent, and see that it still serves."""
        with namespace:
            client = self.client(host)
        self.assertEqual(self.run_client(lambda: self.exchange(client, b"still")), b"still")

    def test_replies_that_can_not_be_sent(self) -> None:
        """U6: real errors of the routes cost these replies, and nothing else."""
        namespace = self.in_namespace(
            "ip route add prohibit 10.0.0.1",
            "ip route add unreachable 10.0.0.2",
            "ip route add blackhole 10.0.0.3",
        )
        for source in ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.4"):
            namespace.forge((source, 40000), ("127.0.0.1", self.number), b"x")
        self.served(namespace)
        failed = {"EACCES": 1, "EHOSTUNREACH": 1, "EINVAL": 1, "ENETUNREACH": 2}
        self.assertEqual((self.counters.datagrams_failed, self.counters.datagrams_echoed), (failed, 1))

    def test_a_reply_that_a_firewall_refuses(self) -> None:
        """U6: EPERM."""
        tool(self, "nft")
        namespace = self.in_namespace(
            "nft add table ip t",
            "nft add chain ip t out { type filter hook output priority 0 ; }",
            "nft add rule ip t out ip daddr 127.0.0.9 drop",
        )
        for _ in range(3):
            namespace.forge(("127.0.0.9", 40000), ("127.0.0.1", self.number), b"x")
        self.served(namespace)
        self.assertEqual((self.counters.datagrams_failed, self.counters.datagrams_echoed), ({"EPERM": 3}, 1))

    def test_a_reply_that_is_too_long(self) -> None:
        """U6: EMSGSIZE, where replies must not be taken apart."""
        namespace = self.in_namespace("ip link set lo mtu 1500")
        self.port.socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        with namespace:
            self.client().send(bytes(3000))
        self.served(namespace)
        self.assertEqual((self.counters.datagrams_failed, self.counters.datagrams_echoed), ({"EMSGSIZE": 1}, 1))

    def test_a_broadcast_source(self) -> None:
        """U3: the system sends nothing to the broadcast address of one of its networks."""
        namespace = self.in_namespace(
            "ip link add v0 type veth peer name v1",
            "ip addr add 10.1.2.1/24 brd + dev v0",
            "ip link set v0 up",
            interface="10.1.2.1",
        )
        namespace.forge(("10.1.2.255", 40000), ("10.1.2.1", self.number), b"x")
        self.served(namespace, "10.1.2.1")
        self.assertEqual((self.counters.datagrams_failed, self.counters.datagrams_echoed), ({"EACCES": 1}, 1))

    def test_what_is_sent_to_a_group(self) -> None:
        """U3: who sends to all hosts of a network gets no reply from any of them."""
        broadcast = ("10.1.2.255", "255.255.255.255")
        # Linux gives multicast of IPv4 to no socket of IPv6.
        for interface, targets in (("0.0.0.0", (*broadcast, "224.0.0.1")), ("", broadcast)):
            namespace = self.in_namespace(
                "ip link add v0 type veth peer name v1",
                "ip addr add 10.1.2.1/24 brd + dev v0",
                "ip link set v0 up",
                "ip link set v1 up",
                interface=interface,
            )
            for target in targets:
                with namespace:
                    client = udp_client(self)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"v0\0")
                    client.sendto(b"x", (target, self.number))
            self.served(namespace)
            self.assertEqual(self.counters.datagrams_refused, {"sent to a group": len(targets)})
            self.assertEqual(self.counters.datagrams_echoed, 1)

    def test_the_interface_of_a_link_local_peer(self) -> None:
        """A link-local address means nothing without its interface; Twisted's own port forgets it."""
        for interface in ("::", ""):
            namespace = self.in_namespace(
                "ip link add v0 type veth peer name v1",
                "ip addr add fe80::1/64 dev v0 nodad",
                "ip link set v0 up",
                "ip link set v1 up",
                interface=interface,
            )
            with namespace:
                client = udp_client(self, "::1")
                index = socket.if_nametoindex("v0")
                client.bind(("fe80::1", 0, 0, index))
                client.connect(("fe80::1", self.number, 0, index))
            self.assertEqual(self.run_client(lambda: self.insist(client, b"x")), b"x")  # noqa: B023 - called at once

    def test_a_link_local_address(self) -> None:
        """O1: Twisted's own port forgets the interface of its own address, too."""
        namespace = self.in_namespace(
            "ip link add v0 type veth peer name v1",
            "ip addr add fe80::1/64 dev v0 nodad",
            "ip link set v0 up",
            "ip link set v1 up",
            interface="fe80::1%v0",
        )
        with namespace:
            client = udp_client(self, "::1")
            client.connect(("fe80::1", self.number, 0, socket.if_nametoindex("v0")))
        self.assertEqual(self.run_client(lambda: self.insist(client, b"x")), b"x")


globals().update(EchoDatagramPortBuilder.makeTestCaseClasses())
del EchoDatagramPortBuilder, EchoReactorBuilder
