from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.server.settings.values import ENDPOINTS
from echoproto.server.sockets.endpointstrings import ARGUMENTS, DEFAULTS, REQUIRED, EndpointString


class EndpointStringTests(SynchronousTestCase):
    def test_all_types(self) -> None:
        self.assertEqual({*ARGUMENTS}, {*ENDPOINTS})
        self.assertEqual({*DEFAULTS}, {*ENDPOINTS})
        self.assertEqual({*REQUIRED}, {*ENDPOINTS})

    def test_values_and_names(self) -> None:
        words = EndpointString.parse("tcp6:1:7:interface=\\:\\:1")
        self.assertEqual((words.type, words["port"], words["backlog"], words["interface"]), ("tcp6", "1", "7", "::1"))

    def test_defaults(self) -> None:
        """Also of what is given, and empty."""
        for text, interface in (
            ("tcp:1", "0.0.0.0"),
            ("tcp:1:interface=", "0.0.0.0"),
            ("tcp6:1", "::"),
            ("tls:/x", ""),
        ):
            self.assertEqual(EndpointString.parse(text)["interface"], interface)
        self.assertEqual(EndpointString.parse("tls:/x")["port"], "443")
        self.assertEqual(EndpointString.parse("ssl:1")["privateKey"], "server.pem")
        self.assertEqual(EndpointString.parse("ssl:1")["certKey"], "")

    def test_what_can_not_be_meant(self) -> None:
        for text, complaint in (
            ("tpc:1", "'tpc' is not a type of endpoint (did you mean 'tcp'?)"),
            ("tcp:1:a:2:b", "'b' is one value too many"),
            ("tcp:1:port=2", "port is given twice"),
            (
                "tcp:1:intrface=x",
                "intrface: unknown argument (did you mean 'interface'?); known are port, interface, b",
            ),
            ("tcp:", "its port is missing"),
            ("tls:port=1", "its path is missing"),
            ("systemd:index=0", "its domain is missing"),
            ("systemd:INET:index=-1", "index '-1' is not a whole number from 0 to 65535"),
            ("systemd:NETLINK:index=1", "domain 'NETLINK' is not INET or INET6 or UNIX"),
            ("unix:/x:lockfile=no", "lockfile 'no' is not 0 or 1"),
            ("tls:/x\0:1", "its path has a NUL in it"),
        ):
            error = self.assertRaises(ConfigurationError, EndpointString.parse, text)
            self.assertIn(complaint, str(error))
