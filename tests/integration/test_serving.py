"""What the seed's server shows, and what an echo must keep, over real sockets to the installed ``twistd``."""

import re
import socket
import ssl
import sys

from tests.integration.twistd import REACTOR, TwistdCase
from tests.support.certificates import make_pem
from tests.support.clients import TLSClient, exchange, payload, receive, reset

LINUX = None if sys.platform.startswith("linux") else "/proc is Linux's"


class ServingTests(TwistdCase):
    def test_what_the_seed_shows(self) -> None:
        """Port, greeting, several clients at once, an echo each, and the lines of the log."""
        server = self.serve("--log-rate", "1000")
        listening = re.search(r"fd is (\d+), address (\S+), port (\d+), reactor (\S+)", server.lines[-1])
        assert listening is not None
        self.assertEqual((listening[2], listening[4]), ("::", REACTOR))
        clients = [server.connect() for _ in range(3)]
        for number, client in enumerate(clients):
            connected = server.wait_for(r"New connection, socket fd is (\d+), ip is 127.0.0.1, port (\d+)")
            self.assertEqual(int(connected[2]), client.getsockname()[1])
            self.assertEqual(receive(client, 6), b"Hello\n")
            client.sendall(bytes([number]) * 10)
        for number, client in enumerate(clients):
            self.assertEqual(receive(client, 10), bytes([number]) * 10)
        if LINUX is None:
            self.assertEqual(server.sockets(), len(clients) + 1)
        for client in clients:
            port = client.getsockname()[1]
            client.close()
            server.wait_for(
                rf"Host disconnected, ip 127.0.0.1, port {port}, 10 bytes, \d+\.\d\d\d seconds, closed by peer"
            )

    def test_ipv6_and_a_greeting(self) -> None:
        server = self.serve("--greeting", "Привет\n")
        for server.host in ("127.0.0.1", "::1"):
            with server.connect() as client:
                self.assertEqual(exchange(client, b"x"), "Привет\nx".encode())
            server.wait_for(rf"New connection, socket fd is \d+, ip is {server.host}, port \d+")

    def test_every_byte_value_and_one_byte_at_a_time(self) -> None:
        """T2, T3: the seed's server cut its reply at the first NUL."""
        server = self.serve("--greeting", "")
        data = bytes(range(256)) * 40 + b"\0" * 5000 + b"\r\n" * 100
        with server.connect() as client:
            self.assertEqual(exchange(client, data), data)
        data = payload(10_000)
        with server.connect() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for index in range(len(data)):
                client.send(data[index : index + 1])
            self.assertEqual(exchange(client, b""), data)

    def test_32_mib_with_a_late_reader(self) -> None:
        """T6."""
        server = self.serve("--greeting", "")
        data = payload(32 << 20)
        with server.connect() as client:
            self.assertTrue(exchange(client, data, late=True) == data)
        server.wait_for(rf"Host disconnected, .*, {32 << 20} bytes, .*, closed by peer")

    def test_unix_socket(self) -> None:
        """T6 over a Unix socket, with its line of the log."""
        path = f"{self.folder()}/s"
        server = self.serve("--listen", f"unix:{path}")
        data = payload(4 << 20)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            self.assertTrue(exchange(client, data, late=True) == b"Hello\n" + data)
        server.wait_for(r"New connection, socket fd is \d+, ip is unix, port 0")

    def test_reset(self) -> None:
        """T8, T9: a reset is one line, and others are served on."""
        server = self.serve()
        client = server.connect()
        client.sendall(payload(1 << 20))
        reset(client)
        server.wait_for(r"Host disconnected, .*, reset or lost")
        with server.connect() as other:
            self.assertEqual(exchange(other, b"x"), b"Hello\nx")

    def test_several_listeners(self) -> None:
        server = self.serve(
            "--listen", "tcp:0:interface=127.0.0.1", "--listen", "tcp6:0:interface=\\:\\:1", "--port", "0"
        )
        ports = [server.port, *(int(server.listening()[3]) for _ in range(2))]
        self.assertEqual(len(set(ports)), 3)
        for host, port in zip(("127.0.0.1", "127.0.0.1", "::1"), ports, strict=True):
            server.host, server.port = host, port
            with server.connect() as client:
                self.assertEqual(exchange(client, b"x"), b"Hello\nx")


class TLSServingTests(TwistdCase):
    def endpoint(self) -> str:
        path = f"{self.folder()}/echo.pem"
        with open(path, "wb") as file:
            file.write(make_pem())
        return f"ssl:0:privateKey={path}:interface=127.0.0.1"

    def test_a_late_reader(self) -> None:
        """S6."""
        server = self.serve("--greeting", "", "--listen", self.endpoint())
        data = payload(32 << 20)
        with server.connect() as client:
            tls = TLSClient(client)
            echo, clean = tls.unseal(exchange(client, tls.seal(data), late=True))
        self.assertTrue(echo == data)
        self.assertTrue(clean)

    def test_another_tls_library(self) -> None:
        server = self.serve("--listen", self.endpoint())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with server.connect() as client, context.wrap_socket(client) as secure:
            secure.sendall(b"x" * 100_000)
            received = b""
            while len(received) < 100_006:
                received += secure.recv(65536)
        self.assertEqual(received, b"Hello\n" + b"x" * 100_000)
