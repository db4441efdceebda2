import ipaddress

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.load.target import ALLOWED, parse_target
from echoproto.load.workload import Target, Transport

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
            self.assertIn(ALLOWED, str(error))
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
            ("", "it begins with ''"),
            ("localhost:8888", "it begins with 'localhost'"),
            ("tpc:localhost:1", "did you mean 'tcp'?"),
            ("tcp:localhost", "the port is missing"),
            ("tcp::80", "the host is missing"),
            ("tcp:a b:80", "'a b' is not a host"),
            ("tcp:\udcff:80", r"'tcp:\xff:80' is not a target: '\xff' is not a host"),
            (f"tcp:{'a b' * 400}:80", "…' is not a host"),
            ("tcp:::1:80", "stands in brackets"),
            ("tcp:[localhost]:80", "'localhost' is not an IPv6 address"),
            ("tcp:[127.0.0.1]:80", "not an IPv6 address"),
            ("tcp:h:0", "'0' is not a port"),
            ("tcp:h:65536", "'65536' is not a port"),
            ("tcp:h:http", "'http' is not a port"),
            ("tcp:h:٣", "is not a port"),
            ("unix:", "the path is empty"),
            ("unix:a\0b", "a path has no NUL"),
        ):
            error = self.assertRaises(ConfigurationError, parse_target, text)
            self.assertIn(why, str(error))

    def test_what_was_meant(self) -> None:
        for text, meant in (
            ("127.0.0.1:8888", "tcp:127.0.0.1:8888"),
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
