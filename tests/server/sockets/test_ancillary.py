"""On a real socket, whatever the suite's platform; and the other platforms' ancillary data as their headers have it."""

import errno
import socket
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.sockets import ancillary

IPV4, IPV6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
CLIENT = socket.inet_aton("192.0.2.1")
OURS = socket.inet_aton("192.0.2.9")
BROADCAST = socket.inet_aton("192.0.2.255")


def mapped(address: bytes) -> bytes:
    return bytes(10) + b"\xff\xff" + address


class ReadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(ancillary, "LINUX", True)
        self.patch(ancillary, "NAMES_SOURCE", True)
        self.patch(ancillary, "_DESTINATIONS", {IPV4: 8, IPV6: socket.IPV6_PKTINFO})

    def test_nothing(self) -> None:
        self.assertEqual(ancillary.read([]), (None, ()))
        self.assertEqual(ancillary.read([(IPV4, 99, b"?")]), (None, ()))

    def test_the_mark_of_ipv4(self) -> None:
        """U2: whatever the bits for congestion say; Linux and the BSDs have different names for it."""
        for kind in (socket.IP_TOS, socket.IP_RECVTOS):
            for congestion in range(4):
                self.assertEqual(ancillary.read([(IPV4, kind, bytes([28 | congestion]))]), ("echoed already", ()))
            for other in (0, 0x10, 0x20, 0xB8, 24, 32):
                self.assertEqual(ancillary.read([(IPV4, kind, bytes([other]))]), (None, ()))

    def test_the_mark_of_ipv6(self) -> None:
        """U2."""
        import sys

        self.assertEqual(
            ancillary.read([(IPV6, socket.IPV6_TCLASS, (28).to_bytes(4, sys.byteorder))]), ("echoed already", ())
        )
        self.assertEqual(ancillary.read([(IPV6, socket.IPV6_TCLASS, bytes(4))]), (None, ()))

    def test_where_it_was_sent_to(self) -> None:
        """U8: the address is named, the interface left to the routes."""
        info = b"\x07\0\0\0" + OURS + OURS
        self.assertEqual(ancillary.read([(IPV4, 8, info)]), (None, ((IPV4, 8, bytes(4) + OURS + bytes(4)),)))
        address = socket.inet_pton(socket.AF_INET6, "2001:db8::1")
        self.assertEqual(
            ancillary.read([(IPV6, socket.IPV6_PKTINFO, address + b"\x07\0\0\0")]),
            (None, ((IPV6, socket.IPV6_PKTINFO, address + bytes(4)),)),
        )

    def test_the_interface_of_link_local_addresses(self) -> None:
        """U8: without it, they mean nothing."""
        info = socket.inet_pton(socket.AF_INET6, "fe80::1") + b"\x07\0\0\0"
        self.assertEqual(
            ancillary.read([(IPV6, socket.IPV6_PKTINFO, info)]), (None, ((IPV6, socket.IPV6_PKTINFO, info),))
        )

    def test_ipv4_on_a_socket_of_both(self) -> None:
        """U8: the system tells twice, and one reply is what is wanted."""
        control = [
            (IPV4, 8, b"\x07\0\0\0" + OURS + OURS),
            (IPV6, socket.IPV6_PKTINFO, mapped(OURS) + b"\x07\0\0\0"),
        ]
        for told in (control, control[::-1]):
            self.assertEqual(ancillary.read(told), (None, ((IPV4, 8, bytes(4) + OURS + bytes(4)),)))

    def test_what_was_sent_to_a_group(self) -> None:
        """U3: broadcast, also one of our own networks, and multicast."""
        self.assertEqual(ancillary.read([(IPV4, 8, bytes(4) + OURS + BROADCAST)])[0], "sent to a group")
        multicast = socket.inet_pton(socket.AF_INET6, "ff02::1")
        self.assertEqual(ancillary.read([(IPV6, socket.IPV6_PKTINFO, multicast + bytes(4))])[0], "sent to a group")
        for group in ("224.0.0.1", "255.255.255.255"):
            info = mapped(socket.inet_aton(group)) + bytes(4)
            self.assertEqual(ancillary.read([(IPV6, socket.IPV6_PKTINFO, info)]), ("sent to a group", ()))


class BSDTests(SynchronousTestCase):
    """IP_RECVDSTADDR is nothing but the address."""

    def setUp(self) -> None:
        self.patch(ancillary, "LINUX", False)
        self.patch(ancillary, "NAMES_SOURCE", True)
        self.patch(ancillary, "_DESTINATIONS", {IPV4: 7, IPV6: socket.IPV6_PKTINFO})

    def test_where_it_was_sent_to(self) -> None:
        """U8."""
        self.assertEqual(ancillary.read([(IPV4, 7, OURS)]), (None, ((IPV4, 7, OURS),)))

    def test_macos_can_not_name_a_source(self) -> None:
        self.patch(ancillary, "NAMES_SOURCE", False)
        self.assertEqual(ancillary.read([(IPV4, 7, OURS)]), (None, ()))

    def test_what_was_sent_to_a_group(self) -> None:
        """U3."""
        for group in ("224.0.0.1", "255.255.255.255"):
            self.assertEqual(ancillary.read([(IPV4, 7, socket.inet_aton(group))])[0], "sent to a group")


class AskTests(SynchronousTestCase):
    def test_real_sockets(self) -> None:
        for family, ipv4 in ((socket.AF_INET, True), (socket.AF_INET6, True), (socket.AF_INET6, False)):
            with socket.socket(family, socket.SOCK_DGRAM) as skt:
                self.assertTrue(ancillary.ask(skt, wildcard=False, ipv4=ipv4))
                self.assertEqual(ancillary.ask(skt, wildcard=True, ipv4=ipv4), ancillary.NAMES_SOURCE or not ipv4)

    def refusing(self, family: int) -> mock.Mock:
        """A socket that knows no options of IPv4."""

        def setsockopt(level: int, option: int, value: int) -> None:
            if level == IPV4:
                raise OSError(errno.ENOPROTOOPT, "Protocol not available")

        return mock.Mock(spec=socket.socket, family=family, setsockopt=setsockopt)

    def test_a_socket_of_both_that_knows_nothing_of_ipv4(self) -> None:
        """U8: it serves, and it is known that the source of its replies is the system's choice."""
        skt = self.refusing(socket.AF_INET6)
        self.assertFalse(ancillary.ask(skt, wildcard=True, ipv4=True))
        self.assertTrue(ancillary.ask(skt, wildcard=False, ipv4=True))

    def test_a_socket_of_ipv4_has_to_know_it(self) -> None:
        self.assertRaises(OSError, ancillary.ask, self.refusing(socket.AF_INET), wildcard=True, ipv4=True)

    def test_macos_can_not_name_a_source(self) -> None:
        self.patch(ancillary, "NAMES_SOURCE", False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as skt:
            self.assertFalse(ancillary.ask(skt, wildcard=True, ipv4=True))
            self.assertTrue(ancillary.ask(skt, wildcard=False, ipv4=True))
