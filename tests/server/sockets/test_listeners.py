import errno
import os
import socket
import stat
import sys
from typing import Any
from unittest import mock

from twisted.internet import tcp
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, UNIXServerEndpoint, _SystemdParser
from twisted.internet.interfaces import IListeningPort
from twisted.trial.unittest import SynchronousTestCase

from echoproto import EchoFactory
from echoproto.errors import ConfigurationError, UnavailableError, quoted
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.endpoints import TCPEndpoint
from echoproto.server.sockets.endpointstrings import EndpointString
from echoproto.server.sockets.listeners import EXAMPLE, EXAMPLES, Listener, listeners, open_all
from echoproto.server.sockets.ports import PortReactor
from echoproto.server.sockets.tls import EchoTLS
from tests.support.admission import admission
from tests.support.certificates import make_pem
from tests.support.reactorbuilder import EchoReactorBuilder


def described(settings: Settings) -> list[str]:
    return [listener.description for listener in listeners(settings, mock.Mock(spec=[]))]


class ListenersTests(SynchronousTestCase):
    def test_default(self) -> None:
        self.assertEqual(described(Settings()), ["port 8888 on all addresses"])

    def test_port_and_interface(self) -> None:
        self.assertEqual(described(Settings(port=1, interface="::1")), ["port 1 on ::1"])

    def test_listen_in_place_of_the_default(self) -> None:
        self.assertEqual(described(Settings(listen=("tcp:1", "unix:/x"))), ["tcp:1", "unix:/x"])

    def test_listen_beside_port(self) -> None:
        self.assertEqual(described(Settings(listen=("tcp:1",), port=2)), ["port 2 on all addresses", "tcp:1"])

    def complaint(self, description: str) -> str:
        error = self.assertRaises(ConfigurationError, described, Settings(listen=(description,)))
        self.assertTrue(str(error).startswith(quoted(description)), str(error))
        return str(error)

    def test_strings_that_make_no_sense(self) -> None:
        self.assertIn("port 'abc' is not a whole number", self.complaint("tcp:abc"))
        self.assertIn(": its port is missing; ", self.complaint("tcp:interface=127.0.0.1"))
        self.assertIn(": colour: unknown argument; known are port, interface, b", self.complaint("tcp:1:colour=red"))
        for description in ("tcp:99999", "tcp:-1", "tcp6:port=99999", "ssl:99999", "tls:/:99999"):
            self.assertRegex(self.complaint(description), r": port '[-9]\d*' is not a whole number from 0 to 65535")
        for description in ("tcp:1:backlog=0", "tcp6:1:0", "unix:/x:backlog=99999999999"):
            self.assertRegex(self.complaint(description), r": backlog '\d+' is not a whole number from 1 to 65535")
        for description in ("unix:/x:mode=888", "unix:/x:9", "unix:/x:mode=-1", "unix:/x:mode=1777"):
            self.assertRegex(self.complaint(description), r": mode '\S+' is not three octal digits")
        for name in ("\udcff", f"{'a' * 64}.example", "a..b"):
            self.assertRegex(self.complaint(f"tcp:1:interface={name}"), r": interface '\S+' is neither an IP address")
        self.assertIn(r"a colon within a value is written \:", self.complaint("tcp6:1:interface=::1"))
        self.assertIn("looks like tcp:8888:interface=127.0.0.1", self.complaint("tcp:abc"))
        self.assertIn("looks like ssl:8443:privateKey=key.pem:certKey=cert.pem", self.complaint("ssl:abc"))
        self.assertIn("looks like unix:/run/echo/sock:mode=660", self.complaint("unix:"))

    def test_how_it_looks_is_said_only_where_it_helps(self) -> None:
        """Of an argument that there is not, which there are; of a file, nothing."""
        self.assertTrue(self.complaint("tcp:1:colour=red").endswith("; known are port, interface, backlog"))
        self.assertTrue(self.complaint("ssl:1:privateKey=/nonexistent.pem").endswith(": No such file or directory"))

    def test_examples(self) -> None:
        for example in (EXAMPLE, *EXAMPLES.values()):
            EndpointString.parse(example)

    def test_missing_extra(self) -> None:
        with mock.patch.dict(sys.modules, {"OpenSSL": None}):
            for name in ("credentials", "tls", "certificates"):
                sys.modules.pop(f"echoproto.server.sockets.{name}", None)
            error = self.assertRaises(UnavailableError, described, Settings(listen=("ssl:1",)))
        self.assertEqual(
            str(error),
            "'ssl:1': pyOpenSSL is not installed: pip install 'echoproto[tls]' (this needs the extra 'tls')",
        )

    def test_paths_that_no_unix_socket_can_have(self) -> None:
        """X5."""
        path = "/" + "x" * 200
        self.assertRegex(
            self.complaint(f"unix:{path}"), r": its path is 201 bytes long, and the limit of this system is 10[37];"
        )
        self.assertIn("its path is missing", self.complaint("unix:"))
        self.assertIn("its path is missing", self.complaint("unix:mode=660"))
        self.assertIn("its path has a NUL in it", self.complaint("unix:/a\0b"))

    def test_tls_files_that_are_missing(self) -> None:
        """S10: the error names the file."""
        self.assertIn(
            "/nonexistent.pem: No such file or directory", self.complaint("ssl:1:privateKey=/nonexistent.pem")
        )

        pem = str(self.mktemp())
        with open(pem, "wb") as file:
            file.write(b"nothing")
        self.assertIn(f"{pem}: holds neither a certificate nor", self.complaint(f"ssl:1:privateKey={pem}"))

    def test_a_folder_without_certificates(self) -> None:
        """Twisted would listen, and have no certificate for any client."""
        self.assertIn("/nonexistent: No such file or directory", self.complaint("tls:/nonexistent:1"))
        os.mkdir(folder := str(self.mktemp()))
        self.assertIn(f"{folder}: holds no .pem file", self.complaint(f"tls:{folder}:1"))

    def test_systemd_without_systemd(self) -> None:
        self.assertIn("systemd has handed over no such socket", self.complaint("systemd:domain=INET:index=0"))
        self.assertIn("systemd has handed over no such socket", self.complaint("systemd:domain=INET:name=echo"))

    def test_systemd_with_a_domain_that_is_none(self) -> None:
        self.patch(_SystemdParser, "_sddaemon", mock.Mock(inheritedDescriptors=lambda: [3]))
        self.assertIn("domain 'NET' is not INET or INET6 or UNIX", self.complaint("systemd:domain=NET:index=0"))


class BacklogTests(SynchronousTestCase):
    def backlog(self, description: str) -> int:
        [listener] = listeners(Settings(listen=(description,), backlog=700), mock.Mock(spec=[]))
        endpoint: Any = listener.endpoint
        return int(endpoint._backlog if isinstance(endpoint, UNIXServerEndpoint) else endpoint.backlog)

    def test_the_setting_holds_for_endpoint_strings(self) -> None:
        """C2: Twisted's own default of 50 would refuse a burst."""
        self.assertEqual(self.backlog("tcp:1"), 700)
        self.assertEqual(self.backlog("tcp6:1"), 700)
        self.assertEqual(self.backlog("unix:/x"), 700)

    def test_one_that_the_string_gives_beats_it(self) -> None:
        self.assertEqual(self.backlog("tcp:1:backlog=7"), 7)
        self.assertEqual(self.backlog("tcp:1:127.0.0.1:7"), 7)

    def test_default(self) -> None:
        [listener] = listeners(Settings(), mock.Mock(spec=[]))
        assert isinstance(listener.endpoint, TCPEndpoint)
        self.assertEqual(listener.endpoint.backlog, 1024)


class OpenListenersBuilder(EchoReactorBuilder):
    """Real sockets, on each reactor."""

    def open(self, **settings: Any) -> list[Any]:
        self.reactor = self.buildReactor()
        wanted = Settings(**settings)
        return open_all(listeners(wanted, PortReactor(self.reactor, admission(self.reactor, wanted))), EchoFactory())

    def reachable(self, family: int, address: str, port: int) -> bool:
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            return client.connect_ex((address, port)) == 0

    def test_one_socket_for_all_addresses(self) -> None:
        [port] = self.open(port=0)
        number = port.getHost().port
        self.assertTrue(self.reachable(socket.AF_INET, "127.0.0.1", number))
        self.assertTrue(self.reachable(socket.AF_INET6, "::1", number))

    def test_all_of_ipv6_only(self) -> None:
        [port] = self.open(port=0, interface="::")
        number = port.getHost().port
        self.assertFalse(self.reachable(socket.AF_INET, "127.0.0.1", number))
        self.assertTrue(self.reachable(socket.AF_INET6, "::1", number))

    def test_all_of_ipv4_only(self) -> None:
        [port] = self.open(port=0, interface="0.0.0.0")
        number = port.getHost().port
        self.assertTrue(self.reachable(socket.AF_INET, "127.0.0.1", number))
        self.assertFalse(self.reachable(socket.AF_INET6, "::1", number))

    def test_without_ipv6_all_addresses_are_ipv4(self) -> None:
        real = tcp.Port.createInternetSocket

        def no_ipv6(port: tcp.Port) -> Any:
            if port.addressFamily == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            return real(port)

        self.patch(tcp.Port, "createInternetSocket", no_ipv6)
        [port] = self.open(port=0)
        self.assertEqual(port.getHost().host, "0.0.0.0")
        self.assertTrue(self.reachable(socket.AF_INET, "127.0.0.1", port.getHost().port))

    def test_backlog(self) -> None:
        """C2: a burst that nobody accepts yet is not refused; 600 is over Twisted's 50 and the kernel's old 128."""
        [port] = self.open(port=0, interface="127.0.0.1")
        clients = [socket.socket() for _ in range(600)]
        for client in clients:
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port.getHost().port))
        for client in clients:
            client.settimeout(5)
            client.send(b"x")

    def test_port_in_use(self) -> None:
        """O1: which port, what is wrong, what to do."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            number = other.getsockname()[1]
            error = self.assertRaises(UnavailableError, self.open, port=number)
        self.assertIn(f"can't listen on port {number} on all addresses: Address already in use; stop", str(error))

    def test_address_that_is_not_local(self) -> None:
        """O3."""
        error = self.assertRaises(UnavailableError, self.open, port=0, interface="192.0.2.1")
        self.assertIn("no network interface of this host has that address", str(error))

    def test_one_fails_and_none_stays_open(self) -> None:
        """O4: nothing half-open."""
        path = os.path.join(self.enterContext(_short_folder()), "s")
        opened: list[Any] = []
        real = tcp.Port.startListening

        def remember(port: tcp.Port) -> None:
            real(port)
            opened.append(port)

        self.patch(tcp.Port, "startListening", remember)
        with socket.create_server(("127.0.0.1", 0)) as other:
            listen = ("tcp:0", f"unix:{path}", f"tcp:{other.getsockname()[1]}:interface=127.0.0.1")
            self.assertRaises(UnavailableError, self.open, listen=listen)
            [first] = opened
            number = first.getHost().port
            self.reactor.iterate(0)
        self.assertFalse(self.reachable(socket.AF_INET, "127.0.0.1", number))
        self.assertFalse(os.path.exists(path))

    def test_a_path_where_somebody_listens(self) -> None:
        path = os.path.join(self.enterContext(_short_folder()), "s")
        listen = (f"unix:{path}", f"unix:{path}")
        error = self.assertRaises(UnavailableError, self.open, listen=listen)
        self.assertEqual(
            str(error),
            f"can't listen on unix:{path}: another server listens there; stop that one, or choose another path",
        )
        self.assertFalse(os.path.lexists(path))
        self.reactor.iterate(0)

    def test_a_path_where_one_may_not_write(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        self.addCleanup(os.seteuid, 0)
        os.seteuid(65534)
        error = self.assertRaises(UnavailableError, self.open, listen=("unix:/s",))
        self.assertRegex(str(error), "^can't listen on unix:/s: Permission denied; .*paths the right to write there$")

    def test_unix_mode(self) -> None:
        """X4: who is not in the group is not let in, unless the setting or the string says so."""
        path = os.path.join(self.enterContext(_short_folder()), "s")
        for settings, argument, mode in (
            ({}, "", 0o660),
            ({"unix_mode": "600"}, "", 0o600),
            ({"unix_mode": "600"}, ":mode=666", 0o666),
        ):
            [port] = self.open(listen=(f"unix:{path}{argument}",), **settings)
            self.assertEqual(stat.S_IMODE(os.lstat(path).st_mode), mode)
            port.stopListening()
            self.reactor.iterate(0)

    def test_a_path_in_a_folder_that_is_missing(self) -> None:
        error = self.assertRaises(UnavailableError, self.open, listen=("unix:/nonexistent/s",))
        self.assertEqual(str(error), "can't listen on unix:/nonexistent/s: /nonexistent: No such file or directory")

    def test_a_socket_that_was_handed_over(self) -> None:
        """O12: taken for one of another domain, its addresses would be garbage."""
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as given:
            given.setblocking(False)
            self.patch(_SystemdParser, "_sddaemon", mock.Mock(inheritedDescriptors=lambda: [os.dup(given.fileno())]))
            [port] = self.open(listen=("systemd:domain=INET6:index=0",))
            self.assertEqual(port.getHost().port, given.getsockname()[1])
            if hasattr(socket, "SO_DOMAIN"):
                error = self.assertRaises(ConfigurationError, self.open, listen=("systemd:domain=INET:index=0",))
                self.assertIn("the socket is one of domain INET6", str(error))
                self.reactor.iterate(0)

    def test_tls_loses_no_tail(self) -> None:
        pem = self.mktemp()
        with open(pem, "wb") as file:
            file.write(make_pem())
        [port] = self.open(listen=(f"ssl:0:privateKey={pem}:interface=127.0.0.1",))
        self.assertIs(port.factory.protocol, EchoTLS)

    def test_tls_by_name_loses_no_tail(self) -> None:
        os.mkdir(folder := self.mktemp())
        with open(os.path.join(folder, "localhost.pem"), "wb") as file:
            file.write(make_pem())
        [port] = self.open(listen=(f"tls:{folder}:0",))
        self.assertIs(port.factory.protocol, EchoTLS)


globals().update(OpenListenersBuilder.makeTestCaseClasses())
del OpenListenersBuilder, EchoReactorBuilder


def _short_folder() -> Any:
    """Paths of Unix sockets are limited to about 100 bytes, which a path of trial's is longer than."""
    import tempfile

    return tempfile.TemporaryDirectory(prefix="echo-")


class OpenAllTests(SynchronousTestCase):
    """With endpoints that are not Twisted's own."""

    def open(self, result: Deferred[Any]) -> Any:
        endpoint = mock.Mock(spec=AdoptedStreamServerEndpoint)
        endpoint.listen.return_value = result
        return open_all([Listener("somewhere", endpoint)], EchoFactory())

    def test_what_it_opens(self) -> None:
        port = mock.Mock(spec=list(IListeningPort))
        self.assertEqual(self.open(succeed(port)), [port])

    def test_whatever_it_raises(self) -> None:
        error = self.assertRaises(UnavailableError, self.open, fail(RuntimeError()))
        self.assertEqual(str(error), "can't listen on somewhere: RuntimeError")

    def test_one_that_takes_its_time_is_refused(self) -> None:
        cancelled: list[object] = []
        error = self.assertRaises(UnavailableError, self.open, Deferred(cancelled.append))
        self.assertIn("does not open at once", str(error))
        self.assertEqual(len(cancelled), 1)
