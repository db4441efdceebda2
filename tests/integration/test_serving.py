"""What the seed's server shows, and what an echo must keep, over real sockets to the installed ``twistd``."""

import json
import os
import re
import select
import socket
import ssl
import subprocess
import sys
import time

from tests.integration.twistd import REACTOR, TwistdCase, tool
from tests.support.certificates import make_pem
from tests.support.clients import PATIENCE, TLSClient, exchange, payload, receive, reset

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

    def test_ipv6(self) -> None:
        server = self.serve()
        server.host = "::1"
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), b"Hello\nx")
        server.wait_for(r"New connection, socket fd is \d+, ip is ::1, port \d+")

    def test_every_byte_value(self) -> None:
        """T2: the seed's server cut its reply at the first NUL."""
        server = self.serve("--greeting", "")
        data = bytes(range(256)) * 40 + b"\0" * 5000 + b"\r\n" * 100
        with server.connect() as client:
            self.assertEqual(exchange(client, data), data)

    def test_one_byte_at_a_time(self) -> None:
        """T3."""
        server = self.serve("--greeting", "")
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

    def test_own_greeting(self) -> None:
        server = self.serve("--greeting", "Привет\n")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), "Привет\nx".encode())

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

    def test_lines_of_connections_can_be_switched_off(self) -> None:
        server = self.serve("--log-connections", "off")
        with server.connect() as client:
            exchange(client, b"x")
        server.stop()
        self.assertEqual([line for line in server.lines if "onnect" in line], [])

    def test_a_higher_rate_of_lines(self) -> None:
        """400 connections take far less than a minute, in which the default rate would add 60 lines to its burst."""
        server = self.serve("--log-rate", "1000")
        for _ in range(400):
            with server.connect() as client:
                exchange(client, b"x")
        server.stop()
        self.assertGreater(sum("New connection," in line for line in server.lines), 80)

    def test_what_is_left_out_when_it_stops(self) -> None:
        """The connections that the stop itself ends are logged or counted as well."""
        server = self.serve()
        clients = [server.connect() for _ in range(100)]
        for client in clients:
            self.addCleanup(client.close)
            self.assertEqual(receive(client, 6), b"Hello\n")
        server.stop()
        gone = [line for line in server.lines if "Host disconnected" in line]
        told = [int(found[1]) for line in server.lines if (found := re.search(r"(\d+) more disconnections", line))]
        self.assertEqual(len(gone) + sum(told), 100)
        self.assertIn("closed here, the service stops", gone[0])

    def test_lines_of_connections_are_bounded(self) -> None:
        """E4: and what is left out is counted."""
        server = self.serve()
        begun = time.monotonic()
        for _ in range(100):
            with server.connect() as client:
                exchange(client, b"x")
        server.stop()
        told = [int(found[1]) for line in server.lines if (found := re.search(r"(\d+) more new connections", line))]
        logged = sum("New connection," in line for line in server.lines)
        self.assertEqual(sum(told) + logged, 100)
        self.assertLessEqual(logged, 20 + time.monotonic() - begun + 2)

    def test_json(self) -> None:
        server = self.serve("--log-format", "json")
        with server.connect() as client:
            exchange(client, b"x")
        server.stop()
        events = [json.loads(line) for line in server.lines]
        [ended] = [event for event in events if event["event"] == "disconnected"]
        self.assertEqual((ended["ip"], ended["bytes"], ended["why"]), ("127.0.0.1", 1, "closed by peer"))
        self.assertTrue(0 < ended["seconds"] < PATIENCE, ended["seconds"])

    def test_json_under_twist(self) -> None:
        server = self.serve("--log-format", "json", twistd=(), program="twist")
        server.stop()
        self.assertEqual(len([json.loads(line) for line in server.lines if line.startswith("{")]), len(server.lines))

    def test_text_under_twist(self) -> None:
        server = self.serve("--log-format", "text", twistd=(), program="twist")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), b"Hello\nx")
        server.wait_for(r"\[echoproto#info\] New connection, socket fd is \d+, ip is 127.0.0.1, port \d+")


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

    def test_clients_that_close_right_after_their_data(self) -> None:
        """S6, S7: both end the stream as soon as their input ends, ncat without a close_notify."""
        server = self.serve("--listen", self.endpoint(), "--log-rate", "1000")
        for client in (
            f"{tool(self, 'socat')} -t 10 - OPENSSL:127.0.0.1:{server.port},verify=0",
            f"{tool(self, 'ncat')} --ssl 127.0.0.1 {server.port}",
        ):
            for _ in range(10):
                answer = self.run_to_end("sh", "-c", f"printf hello | {client}")
                self.assertEqual(answer.stdout, "Hello\nhello", f"{client}: {answer.stderr}")
        server.wait_for("closed by peer, without the end of TLS")

    def test_openssl(self) -> None:
        """It leaves at the end of its input without waiting for an answer, so its input is left open."""
        server = self.serve("--listen", self.endpoint())
        see_and_type(
            self,
            [tool(self, "openssl"), "s_client", "-quiet", "-connect", f"127.0.0.1:{server.port}"],
            [(b"Hello\n", b"how are you\n"), (b"how are you\n", b"")],
        )


class ClientsTests(TwistdCase):
    """The programs that people type first."""

    def test_ncat(self) -> None:
        """T6: none of 60 short echoes is lost; of stock Twisted, most are."""
        ncat = tool(self, "ncat")
        server = self.serve("--log-connections", "off")
        lost = []
        for number in range(60):
            answer = self.run_to_end("sh", "-c", f"printf hello{number} | {ncat} 127.0.0.1 {server.port}")
            if answer.stdout != f"Hello\nhello{number}":
                lost.append((number, answer.stdout, answer.stderr))
        self.assertEqual(lost, [])

    def test_socat(self) -> None:
        socat = tool(self, "socat")
        server = self.serve()
        answer = self.run_to_end("sh", "-c", f"printf hello | {socat} -t 10 - TCP:127.0.0.1:{server.port}")
        self.assertEqual(answer.stdout, "Hello\nhello")

    def test_telnet(self) -> None:
        """The client that the seed uses; it has no end of input, and leaves when it is told to."""
        server = self.serve()
        see_and_type(
            self,
            [tool(self, "telnet"), "127.0.0.1", str(server.port)],
            [(b"Hello\n", b"how are you\n"), (b"how are you\n", b"")],
        )
        server.wait_for("Host disconnected")


def see_and_type(case: TwistdCase, command: list[str], dialogue: list[tuple[bytes, bytes]]) -> None:
    """Run a client; whenever it has shown what is expected, type the next line; then end it."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        seen = b""
        for expected, typed in dialogue:
            while expected not in seen:
                readable, _, _ = select.select([client.stdout], [], [], PATIENCE)
                chunk = os.read(client.stdout.fileno(), 65536) if readable else b""
                case.assertTrue(chunk, f"{command[0]} shows only {seen!r}")
                seen += chunk.replace(b"\r\n", b"\n")
            client.stdin.write(typed)
            client.stdin.flush()
        client.terminate()
