from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from echoproto.addresses import peer_of, source_of


class PeerOfTests(SynchronousTestCase):
    def test_addresses(self) -> None:
        self.assertEqual(peer_of(IPv4Address("TCP", "192.0.2.7", 1)), ("192.0.2.7", 1))
        self.assertEqual(peer_of(IPv6Address("TCP", "2001:db8::1", 2)), ("2001:db8::1", 2))

    def test_an_ipv4_peer_of_a_socket_that_serves_both(self) -> None:
        self.assertEqual(peer_of(IPv6Address("TCP", "::ffff:192.0.2.7", 3)), ("192.0.2.7", 3))
        self.assertEqual(peer_of(IPv6Address("TCP", "::ffff:1", 3)), ("::ffff:1", 3))

    def test_unix(self) -> None:
        self.assertEqual(peer_of(UNIXAddress(None)), ("unix", 0))


class SourceOfTests(SynchronousTestCase):
    """C4, U4: a peer that has a network of IPv6 has all of its addresses."""

    def test_ipv4(self) -> None:
        self.assertEqual(source_of("192.0.2.1"), "192.0.2.1")
        self.assertEqual(source_of("::ffff:192.0.2.1"), "192.0.2.1")
        self.assertNotEqual(source_of("::ffff:192.0.2.1"), source_of("::ffff:192.0.2.2"))

    def test_a_network_of_ipv6(self) -> None:
        self.assertEqual(source_of("2001:db8::1"), "20010db800000000")
        self.assertEqual(source_of("2001:db8::1"), source_of("2001:db8:0:0:ffff::1"))
        self.assertEqual(source_of("fe80::1%eth0"), source_of("fe80::2"))
        self.assertEqual({source_of(host) for host in ("::1", "::1.2.3.4", "::192.0.2.1", "::ffff:0:1")}, {"0"})
