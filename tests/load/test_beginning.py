"""Runs that do not begin: one error and one status, on every transport, at once or later."""

import contextlib
import errno
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from echoproto.host.serving import free_port
from echoproto.load.address import Address
from echoproto.load.client import udp
from echoproto.load.errors import HandshakeFailed, Unreachable
from echoproto.load.workload import Churn, Target, Transport
from echoproto.units import NS
from tests.support import udpmutants
from tests.support.certificates import make_pem
from tests.support.loads import LoadCase, port_of
from tests.support.mutants import honest, serving

SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"warmup": 0.05},
    {"count": 1, "connections": 1},
    {"rate": 100.0},
    {"rate": 100.0, "warmup": 0.1},
)
"""Ways to begin that all transports have."""


@contextlib.contextmanager
def asking_for_a_certificate(pem: str) -> Iterator[int]:
    """A server of TLS 1.3 that the handshake of a client without a certificate fails on; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.verify_mode = ssl.CERT_REQUIRED

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            context.wrap_socket(connection, server_side=True)

    def accept() -> None:
        with contextlib.suppress(OSError):  # the listener was closed: the end
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


class NobodyTests(LoadCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(udp, "LOSS_TIMEOUT", NS // 10)

    def complaints(self, target: Target, *more: dict[str, Any]) -> None:
        for settings in (*SETTINGS, *more):
            error = self.assertRaises(Unreachable, self.load, target.port, target=target, patience=0.3, **settings)
            self.assertEqual(error.exit_status, 3)
            self.assertEqual(len(str(error).splitlines()), 1)
            self.assertTrue(str(error).startswith(f"{target}: "), error)
            self.assertTrue(str(error).endswith(": is the service running there?"), error)

    def test_refused(self) -> None:
        """L1: never taken for a loss."""
        port = free_port()
        for transport in (Transport.TCP, Transport.TLS):
            self.complaints(Target(transport, "127.0.0.1", port), {"churn": Churn.FIN}, {"idle": 2})
        self.complaints(Target(Transport.UDP, "127.0.0.1", port))

    def test_no_reply(self) -> None:
        """L1: without any reply over UDP, the target is unreachable."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            self.complaints(Target(Transport.UDP, "127.0.0.1", mute.getsockname()[1]))

    def test_unix(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
        for name in ("missing", "file", "file/below"):
            self.complaints(Target(Transport.UNIX, path=os.path.join(folder, name)), {"churn": Churn.RESET})
            with open(os.path.join(folder, "file"), "w", encoding="ascii"):
                pass

    def test_no_route(self) -> None:
        class Unroutable(socket.socket):
            def connect_ex(self, address: object) -> int:
                return errno.ENETUNREACH

            def connect(self, address: object) -> None:
                raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

        self.patch(Address, "make_socket", lambda self: Unroutable(self.family, self.kind))
        for transport in (Transport.TCP, Transport.TLS, Transport.UDP):
            target = Target(transport, "127.0.0.1", 9)
            error = self.assertRaises(Unreachable, self.load, 9, target=target)
            self.assertIn(": Network is unreachable: ", str(error))

    def test_reset_before_the_proxy_header_is_sent(self) -> None:
        """L1: a connection that is gone as soon as it is made has no peer to name in the header."""

        class Reset(socket.socket):
            def getpeername(self) -> object:
                raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

        self.patch(Address, "make_socket", lambda self: Reset(self.family, self.kind))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            error = self.assertRaises(Unreachable, self.load, listener.getsockname()[1], proxy=1)
        self.assertIn("ENOTCONN", str(error))

    def test_names(self) -> None:
        for transport in (Transport.TCP, Transport.TLS, Transport.UDP):
            for name in ("a..b", "a" * 64):
                target = Target(transport, name, 9)
                error = self.assertRaises(Unreachable, self.load, 9, target=target)
                self.assertRegex(str(error), "not a name that can be looked up: .* 1 to 63 characters$")

    def test_files_that_are_no_sockets(self) -> None:
        for path in (__file__, os.path.dirname(__file__)):
            error = self.assertRaises(Unreachable, self.load, 9, target=Target(Transport.UNIX, path=path))
            self.assertEqual(
                str(error), f"unix:{path}: Connection refused: not a socket: is the service running there?"
            )


class AddressesTests(LoadCase):
    """As where ``localhost`` is ::1 first, and the service listens on 127.0.0.1."""

    def test_no_such_address_here_is_no_lack_of_ports(self) -> None:
        """L3"""
        made = Address.make_socket

        class Nowhere(socket.socket):
            def connect_ex(self, address: object) -> int:
                return errno.EADDRNOTAVAIL

        def make_socket(self: Address) -> socket.socket:
            return Nowhere(self.family, self.kind) if self.address[0] == "::1" else made(self)

        self.patch(Address, "make_socket", make_socket)
        self.patch(Address, "_has_source", lambda self: False)
        with serving(honest) as connect:
            port = port_of(connect)
            found = [
                (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
            ]
            self.patch(socket, "getaddrinfo", lambda *arguments, **options: found)
            self.assert_good(self.load(port))
            found.pop()
            error = self.assertRaises(Unreachable, self.load, port)
        self.assertIn("Cannot assign requested address", str(error))

    def test_whether_there_is_an_address_to_come_from(self) -> None:
        here = Address(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 9))
        self.assertEqual(here.local_limit(errno.EADDRNOTAVAIL), "ports")
        self.assertEqual(here.local_limit(errno.EMFILE), "descriptors")
        self.assertIsNone(here.local_limit(errno.ECONNREFUSED))

    def test_udp(self) -> None:
        with udpmutants.serving(udpmutants.honest) as port:
            right = (socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", port))
            wrong = (socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.9", port))
            for found in ([wrong, right], [right, wrong]):
                self.patch(socket, "getaddrinfo", lambda *arguments, found=found, **options: found)
                self.assert_good(self.load(port, transport=Transport.UDP, count=20))


class HandshakeTests(LoadCase):
    def test_it_is_refused_after_this_side_has_taken_it_for_done(self) -> None:
        """TLS 1.3 tells of it in place of the first echo, in the warm-up or later."""
        pem = os.path.join(self.enterContext(tempfile.TemporaryDirectory(prefix="echo-")), "pem")
        with open(pem, "wb") as file:
            file.write(make_pem())
        more: tuple[dict[str, Any], ...] = ({"churn": Churn.FIN}, {"half_close": True}, {"idle": 3})
        with asking_for_a_certificate(pem) as port:
            for settings in (*SETTINGS, *more):
                error = self.assertRaises(
                    HandshakeFailed, self.load, port, transport=Transport.TLS, verify=False, **settings
                )
                self.assertEqual(error.exit_status, 3)
                self.assertRegex(str(error), r"TLS failed: .*(certificate required|reset|pipe).* of this client\?$")
