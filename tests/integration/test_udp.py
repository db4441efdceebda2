"""The echo over UDP: what comes back, who gets no reply, and the clients that people use."""

import contextlib
import re
import signal
import socket
import sys

from echoproto.host.serving import free_port
from tests.integration.twistd import Server, TwistdCase
from tests.support.clients import PATIENCE, exchange, payload

LARGEST = 9216 if sys.platform == "darwin" else 65507
"""macOS sends no larger datagrams by default (net.inet.udp.maxdgram)."""

CLOSED = r"UDP port closed: (\d+) datagrams? received, (\d+) echoed; refused: (.*); failed: (.*); dropped by .*: (\d+)"


class UDPCase(TwistdCase):
    udp_host: str
    udp_port: int

    def serve_udp(self, *words: str, **options: object) -> Server:
        """Serve both TCP and UDP on ports that the system picks."""
        if "--udp" not in words:
            words = ("--udp", "0", *words)
        server = self.serve("--interface", "127.0.0.1", *words, **options)  # type: ignore[arg-type]
        found = server.wait_for(r"Listening for UDP, socket fd is \d+, address (\S+), port (\d+)$")
        self.udp_host, self.udp_port = found[1], int(found[2])
        return server

    def client(self, host: str = "", port: int = 0) -> socket.socket:
        host, port = host or self.udp_host, port or self.udp_port
        client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.settimeout(PATIENCE)
        client.connect((host, port))
        return client

    def ask(self, client: socket.socket, data: bytes) -> bytes:
        client.send(data)
        return client.recv(65536)

    def counted(self, server: Server) -> tuple[int, int, dict[str, int], dict[str, int]]:
        """Stop it; what it says that it has received, echoed, refused and failed to send adds up."""
        self.assertEqual(server.stop(), 0)
        [line] = [line for line in server.lines if "UDP port closed" in line]
        found = re.search(CLOSED, line)
        assert found is not None, line
        refused, failed = (
            {name: int(count) for count, name in re.findall(r"(\d+) ([^,]+)", part)} for part in (found[3], found[4])
        )
        received, echoed = int(found[1]), int(found[2])
        self.assertEqual(received, echoed + sum(refused.values()) + sum(failed.values()))
        return received, echoed, refused, failed


class UDPTests(UDPCase):
    def test_sizes(self) -> None:
        """U5: identical back, over IPv4 and IPv6; in one piece."""
        for interface in ("127.0.0.1", "::1"):
            server = self.serve_udp("--udp-interface", interface)
            self.assertEqual(self.udp_host, interface)
            client = self.client()
            for size in (0, 1, 1472, 8193, LARGEST):
                self.assertEqual(self.ask(client, payload(size)), payload(size))
            self.assertEqual(self.counted(server), (5, 5, {}, {}))

    def test_all_addresses(self) -> None:
        """U8: on a wildcard, a reply leaves from the address that was asked; a connected client takes no other."""
        self.serve_udp("--udp-interface", "")
        for host in ("127.0.0.1", "::1", *(["127.0.0.2"] if sys.platform.startswith("linux") else [])):
            self.assertEqual(self.ask(self.client(host), b"x"), b"x")

    def test_beside_tcp_on_the_same_port(self) -> None:
        port = free_port()
        server = self.serve_udp("--udp", str(port), "--port", str(port), "--greeting", "")
        self.assertEqual(self.ask(self.client(), b"over UDP"), b"over UDP")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"over TCP"), b"over TCP")

    def test_it_closes_at_once(self) -> None:
        """O7: while connections drain, UDP is closed already, and its port is free."""
        server = self.serve_udp()
        client = self.client()
        self.assertEqual(self.ask(client, b"x"), b"x")
        with server.connect() as stream:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.setblocking(False)
            server.wait_for("New connection")
            with contextlib.suppress(BlockingIOError):
                while True:  # it can't be drained before somebody reads
                    stream.send(bytes(1 << 20))
            server.process.send_signal(signal.SIGTERM)
            server.wait_for("Waiting up to 10 s for 1 connection to end")
            server.wait_for("UDP port closed: 1 datagram received, 1 echoed")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as successor:
                successor.bind((self.udp_host, self.udp_port))
            self.assertIsNone(server.process.poll())
