import socket
import sys

from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.load.address import PATH_LIMIT, ROTATION_THRESHOLD, Address, looked_up, resolve
from echoproto.load.errors import Unreachable
from echoproto.load.target import parse_target
from echoproto.load.workload import Target, Transport


class ResolveTests(SynchronousTestCase):
    def test_streams_and_datagrams(self) -> None:
        for transport, kind in ((Transport.TCP, socket.SOCK_STREAM), (Transport.UDP, socket.SOCK_DGRAM)):
            [found] = resolve(Target(transport, "127.0.0.1", 7))
            self.assertEqual(found, Address(socket.AF_INET, kind, ("127.0.0.1", 7)))

    def test_ipv6(self) -> None:
        [found] = resolve(Target(Transport.TLS, "::1", 7))
        self.assertEqual((found.family, found.address[:2]), (socket.AF_INET6, ("::1", 7)))

    def test_unix(self) -> None:
        [found] = resolve(Target(Transport.UNIX, path="/run/echo"))
        self.assertEqual(found, Address(socket.AF_UNIX, socket.SOCK_STREAM, "/run/echo"))

    def test_once(self) -> None:
        """L5: whatever a name stands for later, connections go where the guard has looked."""
        answers = ["127.0.0.2", "192.0.2.1"]

        def getaddrinfo(host: str, port: int, type: int) -> list[object]:
            return [(socket.AF_INET, type, 0, "", (answers.pop(0), port))]

        self.patch(socket, "getaddrinfo", getaddrinfo)
        for transport in (Transport.TCP, Transport.UDP, Transport.TLS):
            answers[:] = ["127.0.0.2", "192.0.2.1"]
            target = looked_up(Target(transport, "rebound.test", 7))
            for found in (target, looked_up(target)):
                self.assertEqual([address.address for address in resolve(found)], [("127.0.0.2", 7)])
            self.assertEqual(str(target), f"{transport.value}:rebound.test:7")
        self.assertEqual(looked_up(unix := Target(Transport.UNIX, path="/run/echo")), unix)


class SocketTests(SynchronousTestCase):
    def test_it_does_not_block_and_does_not_wait(self) -> None:
        with Address(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 7)).make_socket() as made:
            self.assertFalse(made.getblocking())
            self.assertTrue(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_rotated_only_where_it_is_of_use(self) -> None:
        """L3: one loopback address has ports for fewer connections than there may be."""
        linux = sys.platform.startswith("linux")
        for host, connections, rotated in (
            ("127.0.0.1", ROTATION_THRESHOLD + 1, linux),
            ("127.9.9.9", ROTATION_THRESHOLD + 1, linux),
            ("127.0.0.1", ROTATION_THRESHOLD, False),
            ("192.0.2.1", ROTATION_THRESHOLD + 1, False),
        ):
            address = Address(socket.AF_INET, socket.SOCK_STREAM, (host, 7))
            address.rotate(connections)
            self.assertEqual(address.rotated, rotated, host)
        for family, where in ((socket.AF_INET6, ("::1", 7, 0, 0)), (socket.AF_UNIX, "127.")):
            address = Address(family, socket.SOCK_STREAM, where)
            address.rotate(ROTATION_THRESHOLD + 1)
            self.assertFalse(address.rotated)


class NamesTests(SynchronousTestCase):
    """Names of all shapes, up to what the system is asked."""

    def test_abstract(self) -> None:
        [found] = resolve(Target(Transport.UNIX, path="@echo"))
        self.assertEqual(found.address, "\0echo")
        [found] = resolve(Target(Transport.UNIX, path="./@echo"))
        self.assertEqual(found.address, "./@echo")

    def test_scope(self) -> None:
        """The interface of a link-local address is a part of it; one that is not here is named."""
        (index, name), *_ = socket.if_nameindex()
        found = resolve(Target(Transport.TCP, f"fe80::1%{name}", 7))
        self.assertEqual({address.address for address in found}, {("fe80::1", 7, 0, index)})
        error = self.assertRaises(Unreachable, resolve, Target(Transport.TCP, "fe80::1%nosuch0", 7))
        self.assertIn(f"no interface nosuch0 here: there are {name}", str(error))

    def refused(self, text: str) -> str:
        error = self.assertRaises(ConfigurationError, resolve, parse_target(text))
        self.assertTrue(str(error).isprintable())
        return str(error)

    def test_all_addresses_are_not_one(self) -> None:
        for text, address, here in (
            ("tcp:0.0.0.0:7", "0.0.0.0", "tcp:127.0.0.1:7"),
            ("tls:0:7", "0.0.0.0", "tls:127.0.0.1:7"),
            ("udp:[::]:7", "::", "udp:[::1]:7"),
            ("tcp:[::ffff:0.0.0.0]:7", "::ffff:0.0.0.0", "tcp:[::1]:7"),
        ):
            why = f"{address} is an address to listen on, not to connect to; for a server on this machine, use {here}"
            self.assertEqual(self.refused(text), f"{text}: {why}")

    def test_link_local_without_its_interface(self) -> None:
        self.assertRegex(
            self.refused("udp:[fe80::1]:7"),
            r"^udp:\[fe80::1\]:7: a link-local address needs its interface, for example "
            r"udp:\[fe80::1%[^ ]+\]:7$",
        )

    def test_unix_paths(self) -> None:
        for text in ("unix:/a:b %c\udcff", "unix:" + PATH_LIMIT * "x", "unix:@" + PATH_LIMIT * "x"):
            self.assertEqual(len(resolve(parse_target(text))), 1)
        for text, part in (
            ("unix:@", "the abstract name is empty"),
            (
                "unix:" + (PATH_LIMIT + 1) * "x",
                f"the path has {PATH_LIMIT + 1} bytes; a Unix socket's must have at",
            ),
            ("unix:" + PATH_LIMIT // 2 * "é" + "\udcff\n", f"the path has {PATH_LIMIT + 1} bytes"),
            ("unix:@" + (PATH_LIMIT + 1) * "x", f"the path has {PATH_LIMIT + 1} bytes"),
        ):
            self.assertIn(part, self.refused(text))
        self.patch(sys, "platform", "darwin")
        self.assertIn("only Linux has abstract names", self.refused("unix:@echo"))
