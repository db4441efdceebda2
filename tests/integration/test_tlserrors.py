"""Peers of a TLS port that speak no TLS, or invalid TLS."""

import contextlib
import json
import ssl

from tests.integration.twistd import Server, TwistdCase
from tests.support.clients import PATIENCE, exchange

OLD_HELLO = b"\x16\x03\x01\0\x2d\x01\0\0\x29\x03\x01" + b"r" * 32 + b"\0\0\x02\0\x2f\x01\0"
"""Beginning of a ClientHello of TLS 1.0 (RFC 2246, section 7.4.1.2)."""


class TLSErrorsTests(TwistdCase):
    def send(self, server: Server, data: bytes) -> None:
        with server.connect() as client, contextlib.suppress(ConnectionError):
            exchange(client, data, half_close=False)

    def shake_hands(self, server: Server, context: ssl.SSLContext) -> None:
        with server.connect() as client, self.assertRaises(ssl.SSLError):
            context.wrap_socket(client, server_hostname="localhost")

    def test_reasons(self) -> None:
        """S1, S5: counted and logged by OpenSSL's reason, in words that are no peer's."""
        server = self.serve("--listen", self.tls_endpoint())
        self.send(server, b"GET /secret HTTP/1.1\r\n\r\n")
        server.wait_for("Host disconnected, .*, TLS: http request$")
        self.send(server, b"garbage\r\n")
        server.wait_for("Host disconnected, .*, TLS: wrong version number$")
        self.shake_hands(server, ssl.create_default_context())
        server.wait_for("Host disconnected, .*, TLS: unknown ca$")
        self.send(server, OLD_HELLO)
        server.wait_for("Host disconnected, .*, TLS: unsupported protocol$")
        counters = server.counters()
        self.assertEqual(counters["closed"], {"error": 4})
        reasons = ("http request", "wrong version number", "unknown ca", "unsupported protocol")
        self.assertEqual(counters["errors"], dict.fromkeys(reasons, 1))
        self.assertNotIn("secret", "\n".join(server.lines))

    def test_as_json(self) -> None:
        """S1."""
        server = self.serve("--listen", self.tls_endpoint(), "--log-format", "json")
        self.send(server, b"GET / HTTP/1.1\r\n\r\n")
        event = json.loads(server.wait_for('"event":"disconnected"').string)
        self.assertEqual(event["why"], "TLS: http request")
        self.assertLess(event["seconds"], PATIENCE)
