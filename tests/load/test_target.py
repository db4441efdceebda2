import ipaddress
import socket

from attrs import evolve
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.load.target import EXPECTED, flood, is_loopback, parse_target, refusal
from echoproto.load.workload import Target, Transport, Workload

names = strategies.from_regex(r"[a-z0-9_]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)
addresses = strategies.ip_addresses().map(str)
networked = strategies.builds(
    Target,
    strategies.sampled_from([Transport.TCP, Transport.TLS, Transport.UDP]),
    host=names | addresses,
    port=strategies.integers(1, 65535),
)
paths = strategies.text(strategies.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
local = strategies.builds(Target, strategies.just(Transport.UNIX), path=paths)

LITTLE = Workload(target=Target(Transport.TCP, "h", 1), connections=10, rate=100.0)
FLOODS = (
    (evolve(LITTLE, rate=None), "without --rate"),
    (evolve(LITTLE, connections=101), "101 connections"),
    (evolve(LITTLE, idle=91), "101 connections"),
    (evolve(LITTLE, rate=1001.0), "1,001 messages per second"),
    (evolve(LITTLE, largest=1 << 20), "1MiB at that rate"),
)


def aimed_at(workload: Workload, *hosts: str) -> Workload:
    """Give a workload a target that has been looked up."""
    addresses = tuple((int(socket.AF_INET), (host, 1)) for host in hosts)
    return evolve(workload, target=evolve(workload.target, addresses=addresses))


class TargetTests(SynchronousTestCase):
    @given(networked | local)
    def test_round_trip(self, target: Target) -> None:
        self.assertEqual(parse_target(str(target)), target)

    @given(networked.map(str) | strategies.text() | strategies.text().map(lambda text: f"tcp:{text}:1"))
    def test_what_is_read_is_what_was_written(self, text: str) -> None:
        try:
            target = parse_target(text)
        except ConfigurationError as error:
            self.assertTrue(str(error).isprintable())
            self.assertIn(EXPECTED, str(error))
        else:
            self.assertEqual(str(target), text)

    def test_written(self) -> None:
        for text, target in (
            ("tcp:127.0.0.1:8888", Target(Transport.TCP, "127.0.0.1", 8888)),
            ("tls:echo.example:443", Target(Transport.TLS, "echo.example", 443)),
            ("udp:[fe80::1%eth0]:7", Target(Transport.UDP, "fe80::1%eth0", 7)),
            ("unix:/run/echo: 1", Target(Transport.UNIX, path="/run/echo: 1")),
        ):
            self.assertEqual(parse_target(text), target)

    def test_refused(self) -> None:
        for text, why in (
            ("", "TARGET '': it is empty; expected tcp:HOST:PORT"),
            (" \t", r"TARGET ' \t': it is blank; expected"),
            (" tcp:h:0", "TARGET ' tcp:h:0': it begins with a space; expected"),
            ("localhost:8888", "TARGET localhost:8888: unknown transport 'localhost'"),
            ("tpc:localhost:1", "did you mean 'tcp'?"),
            ("tcp:localhost", "missing port, for example tcp:localhost:8888"),
            ("tcp:8888", "missing host, for example tcp:127.0.0.1:8888"),
            ("udp:7", "missing host, for example udp:127.0.0.1:7"),
            ("tcp::80", "missing host"),
            ("tcp:a b:80", "'a b' is not a host name"),
            ("tcp:\udcff:80", r"TARGET 'tcp:\xff:80': '\xff' is not a host name"),
            (f"tcp:{'a b' * 400}:80", "…' is not a host name"),
            ("tcp:::1:80", "must be in brackets"),
            ("tcp:[localhost]:80", "'localhost' is not an IPv6 address"),
            ("tcp:[127.0.0.1]:80", "not an IPv6 address"),
            ("tcp:h:0", "port '0' must be a number from 1 to 65535"),
            ("tcp:h:65536", "port '65536' must be"),
            ("tcp:h:http", "port 'http' must be"),
            ("tcp:h:٣", "must be a number from 1"),
            ("unix:", "missing path"),
            ("unix:a\0b", "the path contains a NUL byte"),
        ):
            error = self.assertRaises(ConfigurationError, parse_target, text)
            self.assertIn(why, str(error))

    def test_what_was_meant(self) -> None:
        for text, meant in (
            ("127.0.0.1:8888", "tcp:127.0.0.1:8888"),
            (" tcp:127.0.0.1:8888", "tcp:127.0.0.1:8888"),
            ("\tlocalhost:8888 ", "tcp:localhost:8888"),
            ("\nunix:/run/echo", "unix:/run/echo"),
            ("0.0.0.0:8888", "tcp:127.0.0.1:8888"),
            ("localhost", "tcp:localhost:8888"),
            ("8888", "tcp:127.0.0.1:8888"),
            (":7", "tcp:127.0.0.1:7"),
            ("[::1]:7", "tcp:[::1]:7"),
            ("::1", "tcp:[::1]:8888"),
            ("http://localhost:8888/", "tcp:localhost:8888"),
            ("https://localhost:8889", "tls:localhost:8889"),
            ("tcp://localhost:8888", "tcp:localhost:8888"),
            ("ssl:localhost:8889", "tls:localhost:8889"),
            ("TCP:localhost:1", "tcp:localhost:1"),
            ("/run/echo.sock", "unix:/run/echo.sock"),
            ("./echo.sock", "unix:./echo.sock"),
            ("@echo", "unix:@echo"),
        ):
            error = self.assertRaises(ConfigurationError, parse_target, text)
            self.assertIn(f"(did you mean {meant!r}?)", str(error))
        for text in ("a b", "http://a/b", "tcp:a b:1"):
            self.assertNotIn("did you mean", str(self.assertRaises(ConfigurationError, parse_target, text)))

    def test_a_path_that_is_not_utf_8(self) -> None:
        target = parse_target("unix:/run/\udcff%:é")
        self.assertEqual((target.path, str(target)), ("/run/\udcff%:é", "unix:/run/\\xff%:é"))

    def test_addresses_are_not_changed(self) -> None:
        """A long form of an address is what a user wrote, and the report says what the user wrote."""
        text = f"tcp:[{ipaddress.ip_address('::1').exploded}]:80"
        self.assertEqual(str(parse_target(text)), text)


class GuardTests(SynchronousTestCase):
    def test_loopback(self) -> None:
        for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
            self.assertTrue(is_loopback(address), address)
        for address in ("10.0.0.1", "0.0.0.0", "::", "::ffff:10.0.0.1", "fe80::1%eth0", "128.0.0.1"):
            self.assertFalse(is_loopback(address), address)

    @given(strategies.ip_addresses().filter(lambda address: not address.is_loopback).map(str))
    def test_a_flood_to_anybody_else_is_refused(self, address: str) -> None:
        """L5: one address of many that a name stands for is enough."""
        for workload, why in FLOODS:
            text = refusal(aimed_at(workload, "127.0.0.1", address))
            assert text is not None
            self.assertIn(why, text)
            self.assertIn("--i-own-this-host", text)
            self.assertEqual(len(text.splitlines()), 1)

    def test_a_search_is_a_flood(self) -> None:
        self.assertIn("--find-rate", refusal(aimed_at(LITTLE, "10.0.0.1"), searching=True) or "")

    def test_little_is_not(self) -> None:
        """L5"""
        self.assertIsNone(flood(LITTLE))
        self.assertIsNone(refusal(aimed_at(LITTLE, "10.0.0.1")))

    def test_this_machine_may_be_flooded(self) -> None:
        """L5"""
        for workload, _ in FLOODS:
            self.assertIsNone(refusal(aimed_at(workload, "127.0.0.1", "::1")))
            self.assertIsNone(refusal(workload))
