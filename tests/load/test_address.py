import socket
import sys

from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.address import MANY, Address, resolve
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


class SocketTests(SynchronousTestCase):
    def test_it_does_not_block_and_does_not_wait(self) -> None:
        with Address(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 7)).make_socket() as made:
            self.assertFalse(made.getblocking())
            self.assertTrue(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_rotated_only_where_it_is_of_use(self) -> None:
        """L3: one loopback address has ports for fewer connections than there may be."""
        linux = sys.platform.startswith("linux")
        for host, connections, rotated in (
            ("127.0.0.1", MANY + 1, linux),
            ("127.9.9.9", MANY + 1, linux),
            ("127.0.0.1", MANY, False),
            ("192.0.2.1", MANY + 1, False),
        ):
            address = Address(socket.AF_INET, socket.SOCK_STREAM, (host, 7))
            address.rotate(connections)
            self.assertEqual(address.rotated, rotated, host)
        for family, where in ((socket.AF_INET6, ("::1", 7, 0, 0)), (socket.AF_UNIX, "127.")):
            address = Address(family, socket.SOCK_STREAM, where)
            address.rotate(MANY + 1)
            self.assertFalse(address.rotated)
