"""Errors that only a system in distress gives, injected by strace into the calls that serve connections."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ssl import CERT_NONE, PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any

from tests.integration.twistd import REACTOR, Server, TwistdCase, script, tool
from tests.support.clients import PATIENCE, payload, receive

MESSAGES = 8

Connect = Callable[[], Any]


class InjectedTests(TwistdCase):
    """On each transport, a connection goes on exactly, or ends; it never hangs, nor takes its neighbour with it."""

    def setUp(self) -> None:
        if not sys.platform.startswith("linux"):
            self.skipTest("strace is Linux's")

    def serve_failing(self, *inject: str, writes: str = "at-once") -> tuple[Server, dict[str, Connect]]:
        """A server whose calls fail as told, and how to connect to it over each transport."""
        path = os.path.join(self.folder(), "s")
        calls = ",".join(rule.partition(":")[0] for rule in inject)
        rules = [word for rule in inject for word in ("-e", f"inject={rule}")]
        server = Server(
            *(tool(self, "strace"), "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"),
            *(*rules, script("twistd"), "-n", "echo", "--greeting", "", "--idle", "0", "--log-rate", "1000"),
            *("--reactor", REACTOR, "--writes", writes, "--port", "0", "--interface", "127.0.0.1"),
            *("--listen", f"unix:{path}", "--listen", self.tls_endpoint()),
            cwd=self.folder(),
        )
        self.addCleanup(self._end, server)
        server.listening()
        server.wait_for("Listening, .* port None")
        tls_port = int(server.wait_for(r"Listening, .* port (\d+)")[1])
        context = SSLContext(PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, CERT_NONE

        def over_tls() -> Any:
            return context.wrap_socket(socket.create_connection(("127.0.0.1", tls_port), timeout=PATIENCE))

        def over_unix() -> Any:
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(PATIENCE)
            client.connect(path)
            return client

        return server, {"tcp": server.connect, "unix": over_unix, "tls": over_tls}

    @contextmanager
    def beside_a_neighbour(self, server: Server) -> Iterator[None]:
        """Have one connection echo before and after something, exactly."""
        with server.connect() as neighbour:
            for message in (b"before", b"after"):
                neighbour.sendall(message)
                self.assertEqual(receive(neighbour, len(message)), message)
                if message == b"before":
                    yield

    def echoes(self, client: Any) -> int:
        """Send some messages, one at a time; how many come back before the connection ends."""
        for number in range(MESSAGES):
            message = b"message %d" % number
            try:
                client.sendall(message)
                got = receive(client, len(message))
            except OSError as error:
                self.assertNotIsInstance(error, TimeoutError)
                return number
            if not got:
                return number
            self.assertEqual(got, message)
        return MESSAGES

    def test_a_send_that_fails_once(self) -> None:
        """T1: what the system refuses at first is sent in the next turn."""
        for name in ("ENOMEM", "ECONNRESET"):
            server, transports = self.serve_failing(f"sendto:error={name}:when=4+5")
            for connect in transports.values():
                with connect() as client:
                    self.assertEqual(self.echoes(client), MESSAGES)
            self.assertEqual(server.counters()["closed"], {"peer": 2, "truncated": 1})
            server.stop()

    def test_a_send_that_fails_again(self) -> None:
        """T8: the connection ends, and is counted."""
        for writes, rule in (("at-once", "when=4..5"), ("buffered", "when=4")):
            server, transports = self.serve_failing(f"sendto:error=EHOSTUNREACH:{rule}", writes=writes)
            with self.beside_a_neighbour(server), transports["unix"]() as client:
                self.assertEqual(self.echoes(client), 2)
            counters = server.counters()
            self.assertEqual(counters["closed"], {"reset": 1, "peer": 1})
            self.assertEqual(counters["bytes_received"], counters["bytes_sent"] + len("message 2"))
            server.stop()

    def test_a_read_that_fails(self) -> None:
        """T9: over TCP and TLS, one connection after the other; each is counted."""
        server, transports = self.serve_failing("recvfrom:error=ETIMEDOUT:when=2+13")
        for name in ("tcp", "tls"):
            with transports[name]() as client:
                self.assertIn(True, (self.echoes(client) < MESSAGES for _ in range(3)), name)
        self.assertEqual(server.counters()["closed"], {"reset": 2})

    def test_calls_that_are_to_be_made_again(self) -> None:
        """T1: no room, nothing to read, a signal: nothing is lost."""
        again = ("sendto:error=ENOBUFS:when=2+3", "recvfrom:error=EAGAIN:when=2+3")
        server, transports = self.serve_failing(*again)
        data = payload(300_000)
        for connect in transports.values():
            with ExitStack() as stack:
                client = stack.enter_context(connect())
                for start in range(0, len(data), 30_000):
                    client.sendall(data[start : start + 30_000])
                    self.assertEqual(receive(client, 30_000), data[start : start + 30_000])
        self.assertEqual(server.counters()["closed"], {"peer": 2, "truncated": 1})
