import ipaddress
from typing import Any

from hypothesis import given, strategies
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.proxyheader import header

ports = strategies.integers(1, 65535)
ends = strategies.one_of(
    *(
        strategies.tuples(strategies.tuples(addresses, ports), strategies.tuples(addresses, ports))
        for addresses in (strategies.ip_addresses(v=4).map(str), strategies.ip_addresses(v=6).map(str))
    )
)
End = tuple[str, int]


class HeaderTests(SynchronousTestCase):
    """Twisted's parsers, which are nobody's here, read what is written."""

    @given(ends)
    def test_version_1(self, both: tuple[End, End]) -> None:
        source, destination = both
        written = header(1, source, destination)
        self.assertTrue(written.endswith(b"\r\n"))
        read: Any = V1Parser.parse(written[:-2])
        self.assertEqual((read.source.host, read.source.port), (source[0], source[1]))
        self.assertEqual((read.destination.host, read.destination.port), (destination[0], destination[1]))
        self.assertLessEqual(len(written), 107)

    @given(ends)
    def test_version_2(self, both: tuple[End, End]) -> None:
        source, destination = both
        read: Any = V2Parser.parse(header(2, source, destination))
        seen = [(ipaddress.ip_address(end.host), end.port) for end in (read.source, read.destination)]
        self.assertEqual(seen, [(ipaddress.ip_address(host), port) for host, port in (source, destination)])

    def test_pinned(self) -> None:
        source, destination = ("192.0.2.1", 50000), ("198.51.100.7", 8888)
        self.assertEqual(header(1, source, destination), b"PROXY TCP4 192.0.2.1 198.51.100.7 50000 8888\r\n")
        self.assertEqual(
            header(2, source, destination),
            b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07\xc3\x50\x22\xb8",
        )

    def test_an_address_with_a_scope(self) -> None:
        written = header(1, ("fe80::1%eth0", 5, 0, 2), ("fe80::2%eth0", 6, 0, 2))
        self.assertEqual(written, b"PROXY TCP6 fe80::1 fe80::2 5 6\r\n")

    def test_a_unix_socket(self) -> None:
        self.assertEqual(header(1, "", "/run/echo"), b"PROXY UNKNOWN\r\n")
        self.assertEqual(header(2, "", "/run/echo"), b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00")
