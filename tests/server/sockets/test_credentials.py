import os
import tempfile
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from echoproto import EchoFactory
from echoproto.errors import ConfigurationError
from echoproto.server.sockets.credentials import Credentials
from echoproto.server.sockets.pemfiles import PEMFiles, PEMFolder
from echoproto.server.sockets.tls import EchoTLSFactory
from tests.support.certificates import issue

FFDHE2048 = b"""\
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""
"""Of RFC 7919, appendix A.1."""


class CredentialsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
        self.write("a.pem", issue("a", "a.example").both)

    def write(self, name: str, content: bytes) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def credentials(self) -> Credentials:
        return Credentials(PEMFolder(self.folder))

    def served(self, credentials: Credentials, name: bytes | None = None, protocols: Sequence[bytes] = ()) -> list[str]:
        """The common names of what a client is sent that asks for a name, and offers protocols."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if protocols:
            context.set_alpn_protos(list(protocols))
        client = SSL.Connection(context, None)
        client.set_connect_state()
        if name is not None:
            client.set_tlsext_host_name(name)
        server = EchoTLSFactory(credentials, False, EchoFactory(), Clock()).buildProtocol(None)
        transport = StringTransport()
        server.makeConnection(transport)
        while True:
            try:
                client.do_handshake()
            except SSL.WantReadError:
                server.dataReceived(client.bio_read(1 << 16))
                client.bio_write(transport.value())
                transport.clear()
            else:
                return [str(each.get_subject().CN) for each in client.get_peer_cert_chain() or []]

    def test_interface(self) -> None:
        self.assertTrue(verifyObject(IOpenSSLServerConnectionCreator, self.credentials()))

    def test_the_choice_by_name(self) -> None:
        """A name that is not text, or unknown, gets the default, and nothing is logged."""
        self.write("b.pem", issue("b", "b.example").both)
        credentials = self.credentials()
        self.assertEqual(self.served(credentials), ["a"])
        for name in (b"b.example", b"B.Example", b"b.example."):
            self.assertEqual(self.served(credentials, name), ["b"], name)
        for name in (b"\xff\xfe", b"c.example", b"../x", b"x" * 255, b"127.0.0.1", "ü".encode()):
            self.assertEqual(self.served(credentials, name), ["a"], name)

    def test_the_chain(self) -> None:
        root = issue("root", authority=True)
        middle = issue("middle", issuer=root, authority=True)
        leaf = issue("leaf", "leaf.example", issuer=middle)
        self.write("a.pem", root.pem + middle.pem + leaf.both)
        self.assertEqual(self.served(self.credentials()), ["leaf", "middle"])

    def test_a_client_that_offers_protocols(self) -> None:
        """As browsers and curl do: it is served, and none of them is chosen."""
        self.assertEqual(self.served(self.credentials(), protocols=[b"h2", b"http/1.1"]), ["a"])

    def test_renewal(self) -> None:
        """S11: for connections to come; those whose handshake is on its way go on with the old ones."""
        credentials = self.credentials()
        self.write("a.pem", issue("new", "new.example").both)
        self.write("b.pem", issue("b", "b.example").both)
        self.assertEqual(self.served(credentials, b"b.example"), ["a"])
        credentials.renew()
        self.assertEqual(self.served(credentials), ["new"])
        self.assertEqual(self.served(credentials, b"b.example"), ["b"])

    def test_a_renewal_that_fails(self) -> None:
        """S11: the old ones stay."""
        credentials = self.credentials()
        self.write("b.pem", b"")
        self.write("a.pem", issue("new", "new.example").both)
        error = self.assertRaises(ConfigurationError, credentials.renew)
        self.assertEqual(str(error), f"{self.folder}/b.pem: is empty")
        self.assertEqual(self.served(credentials), ["a"])

    def test_what_openssl_does_not_take(self) -> None:
        """A key that can't sign, for one."""
        root, key = issue("root", authority=True), X25519PrivateKey.generate()
        path = self.write("a.pem", issue("mute", "mute.example", issuer=root, key=key).both)  # type: ignore[arg-type]
        error = self.assertRaises(ConfigurationError, self.credentials)
        self.assertRegex(str(error), f"^{path}: OpenSSL does not take mute.example: [A-Za-z ]+$")

    def test_arguments_of_endpoint_strings(self) -> None:
        source = PEMFiles([os.path.join(self.folder, "a.pem")])
        for name in ("TLS_METHOD", "TLSv1_2_METHOD"):
            self.assertEqual(self.served(Credentials(source, method=name)), ["a"])
        self.flushWarnings()
        for arguments, complaint in (
            ({"method": "DTLS_METHOD"}, "sslmethod 'DTLS_METHOD' is not TLS_METHOD or "),
            ({"method": "x"}, "sslmethod 'x' is not "),
            ({"dh_parameters": "/nonexistent"}, "/nonexistent: No such file or directory"),
            ({"dh_parameters": self.folder}, f"{self.folder}: Is a directory"),
            ({"dh_parameters": source.paths[0]}, f"{source.paths[0]}: holds no Diffie-Hellman parameters in PEM"),
        ):
            error = self.assertRaises(ConfigurationError, Credentials, source, **arguments)
            self.assertIn(complaint, str(error))

    def test_parameters_of_key_exchange(self) -> None:
        """They are read anew at a renewal, like the rest."""
        path = self.write("dh", FFDHE2048)
        credentials = Credentials(PEMFolder(self.folder), dh_parameters=path)
        self.write("a.pem", issue("new", "new.example").both)
        self.write("dh", b"")
        error = self.assertRaises(ConfigurationError, credentials.renew)
        self.assertEqual(str(error), f"{path}: holds no Diffie-Hellman parameters in PEM format")
        self.assertEqual(self.served(credentials), ["a"])
        self.write("dh", FFDHE2048)
        credentials.renew()
        self.assertEqual(self.served(credentials), ["new"])
