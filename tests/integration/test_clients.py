"""The programs that people type first, as clients of the installed ``twistd``."""

import os
import select
import subprocess

from tests.integration.test_udp import UDPCase
from tests.integration.twistd import PATIENCE, TwistdCase, tool
from tests.support.clients import payload


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


class StreamTests(TwistdCase):
    def round_trips(self, client: str, times: int) -> None:
        """T6: none of them is lost; of stock Twisted, most are."""
        for number in range(times):
            answer = self.run_to_end("sh", "-c", f"printf hello{number} | {client}")
            self.assertEqual(answer.stdout, f"Hello\nhello{number}", answer.stderr)

    def test_ncat_and_socat(self) -> None:
        """T6: over TCP and over a Unix socket."""
        ncat, socat = tool(self, "ncat"), tool(self, "socat")
        path = f"{self.folder()}/s"
        server = self.serve("--log-connections", "off", "--port", "0", "--listen", f"unix:{path}")
        port = server.port or int(server.listening()[3])
        self.round_trips(f"{ncat} 127.0.0.1 {port}", 60)
        self.round_trips(f"{ncat} -U {path}", 20)
        self.round_trips(f"{socat} -t 10 - TCP:127.0.0.1:{port}", 5)
        self.round_trips(f"{socat} -t 10 - UNIX-CONNECT:{path}", 20)

    def test_telnet(self) -> None:
        """The client that the seed uses; it has no end of input, and leaves when it is told to."""
        server = self.serve()
        see_and_type(
            self,
            [tool(self, "telnet"), "127.0.0.1", str(server.port)],
            [(b"Hello\n", b"how are you\n"), (b"how are you\n", b"")],
        )
        server.wait_for("Host disconnected")

    def test_clients_that_close_right_after_their_data(self) -> None:
        """S6, S7: both end the stream as soon as their input ends, ncat without a close_notify."""
        server = self.serve("--listen", self.tls_endpoint(), "--log-rate", "1000")
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
        server = self.serve("--listen", self.tls_endpoint())
        see_and_type(
            self,
            [tool(self, "openssl"), "s_client", "-quiet", "-connect", f"127.0.0.1:{server.port}"],
            [(b"Hello\n", b"how are you\n"), (b"how are you\n", b"")],
        )


class DatagramTests(UDPCase):
    def test_ncat(self) -> None:
        self.serve_udp()
        with subprocess.Popen(
            [tool(self, "ncat"), "-u", self.udp_host, str(self.udp_port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as ncat:
            try:
                assert ncat.stdin is not None
                assert ncat.stdout is not None
                for line in (b"typed\n", b"and again\n"):
                    ncat.stdin.write(line)
                    ncat.stdin.flush()
                    self.assertEqual(ncat.stdout.readline(), line)
            finally:
                ncat.kill()

    def test_socat(self) -> None:
        for interface, address in (("127.0.0.1", "UDP:{}:{}"), ("::1", "UDP6:[{}]:{}")):
            self.serve_udp("--udp-interface", interface)
            words = (tool(self, "socat"), "-b", "65507", "-", address.format(self.udp_host, self.udp_port))
            with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as socat:
                try:
                    assert socat.stdin is not None
                    assert socat.stdout is not None
                    socat.stdin.write(payload(8193))
                    socat.stdin.flush()
                    self.assertEqual(socat.stdout.read(8193), payload(8193))
                finally:
                    socat.kill()
