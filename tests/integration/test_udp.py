"""The echo over UDP: what comes back, who gets no reply, and the clients that people use."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from itertools import chain

from echoproto.host.serving import free_port
from tests.integration.twistd import REACTOR, FailingCase, Server, TwistdCase, script, tool
from tests.support.clients import PATIENCE, exchange, payload
from tests.support.namespace import Namespace, Sniffer

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

    def test_none_by_default(self) -> None:
        server = self.serve("--interface", "127.0.0.1")
        client = self.client("127.0.0.1", server.port)
        client.send(b"x")
        self.assertRaises(ConnectionRefusedError, client.recv, 1)

    def test_loopback_by_default(self) -> None:
        self.serve_udp()
        self.assertEqual(self.udp_host, "127.0.0.1")

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

    def test_a_budget(self) -> None:
        """U4."""
        server = self.serve_udp("--udp-rate", "3")
        client = self.client()
        for number in range(50):
            client.send(bytes([number]))
        for number in range(3):
            self.assertEqual(client.recv(10), bytes([number]))
        client.settimeout(0.05)
        sent, reply = 50, b""
        while reply != b"%d" % sent:  # once there is room for the last one, all before it were handled
            sent += 1
            client.send(b"%d" % sent)
            with contextlib.suppress(TimeoutError):
                reply = client.recv(10)
        received, echoed, refused, failed = self.counted(server)
        self.assertEqual((received, failed), (sent, {}))
        self.assertLess(echoed, 50)
        self.assertEqual(refused, {"total rate": sent - echoed})

    def test_the_limits_change_while_it_runs(self) -> None:
        """U4, O8: SIGHUP has them read anew."""
        path = os.path.join(self.folder(), "echo.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("udp-rate = 1")
        server = self.serve_udp("--config", path, "--port", "0")
        client = self.client()
        self.assertEqual(self.ask(client, b"x"), b"x")
        with open(path, "w", encoding="utf-8") as file:
            file.write("udp-rate = 0")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("Received SIGHUP, reloaded")
        for _ in range(20):
            self.assertEqual(self.ask(client, b"x"), b"x")
        self.assertEqual(self.counted(server), (21, 21, {}, {}))

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


class ForgedTests(UDPCase):
    """In a network of their own, where sources can be forged, and all that is sent can be seen."""

    def setUp(self) -> None:
        self.namespace = Namespace(self)

    def serve_udp(self, *words: str, **options: object) -> Server:
        with self.namespace:
            return super().serve_udp(*words, **options)

    def client(self, host: str = "", port: int = 0) -> socket.socket:
        with self.namespace:
            return super().client(host, port)

    def test_who_gets_no_reply(self) -> None:
        """U1, U3: nothing is sent to any of them, and each is counted under its reason."""
        server = self.serve_udp()
        here = (self.udp_host, self.udp_port)
        forged = {
            "source port 0": [("127.0.0.9", 0)],
            "own port": [here, ("127.0.0.9", self.udp_port)],
            "service port": [("127.0.0.9", port) for port in (7, 9, 13, 17, 19, 37, 2049)],
            "privileged port": [("127.0.0.9", port) for port in (1, 53, 1023)],
            "multicast source": [("224.0.0.1", 40000), ("239.1.2.3", 40000)],
            "reserved source": [(host, 40000) for host in ("0.1.2.3", "240.0.0.1", "255.255.255.255")],
        }
        sniffer = Sniffer(self, self.namespace)
        for source in chain.from_iterable(forged.values()):
            self.namespace.forge(source, here, b"x")
        client = self.client()
        self.assertEqual(self.ask(client, b"last"), b"last")
        self.assertEqual(self.replies(sniffer, self.udp_port, of=client), 1)
        expected = {why: len(sources) for why, sources in forged.items()}
        self.assertEqual(self.counted(server), (sum(expected.values()) + 1, 1, expected, {}))

    def replies(self, sniffer: Sniffer, port: int, *, of: socket.socket) -> int:
        """How many datagrams a server has sent; those that were forged to look like its own are not counted."""
        sent = sniffer.sent()
        self.assertIn((port, of.getsockname()[1]), sent)
        return sum(source == port and target != port for source, target in sent)

    def test_privileged_sources(self) -> None:
        """U1: they can be allowed; the others can't."""
        server = self.serve_udp("--udp-privileged-sources", "on")
        for port in (0, 7, 53, 1023):
            self.namespace.forge(("127.0.0.9", port), (self.udp_host, self.udp_port), b"x")
        self.assertEqual(self.ask(self.client(), b"last"), b"last")
        self.assertEqual(self.counted(server), (5, 3, {"service port": 1, "source port 0": 1}, {}))

    def meet(self, one: tuple[str, int], other: tuple[str, int]) -> list[tuple[int, int]]:
        """Forge one datagram from one server to another; what is sent before both reply to a client that asks later."""
        sniffer = Sniffer(self, self.namespace)
        self.namespace.forge(one, other, b"forged")
        clients = []
        for address in (other, one, other):  # a reply to a reply would have been sent by the time
            clients.append(self.client(*address))
            self.assertEqual(self.ask(clients[-1], b"later"), b"later")
        numbers = {client.getsockname()[1] for client in clients}
        sent = sniffer.sent()
        self.assertEqual(sum(bool(numbers & set(ports)) for ports in sent), 6)
        return [ports for ports in sent if not numbers & set(ports)]

    def test_two_servers_on_one_port(self) -> None:
        """U2: one forged datagram, and no reply."""
        first = self.serve_udp("--udp-interface", "127.0.0.1")
        port = self.udp_port
        second = self.serve_udp("--udp-interface", "127.0.0.2", "--udp", str(port))
        self.assertEqual(self.meet(("127.0.0.1", port), ("127.0.0.2", port)), [(port, port)])
        self.assertEqual(self.counted(second)[2], {"own port": 1})
        self.assertEqual(self.counted(first)[2], {})

    def test_two_servers_on_two_ports(self) -> None:
        """U2: one forged datagram, one reply, and none to that."""
        for interface, hosts in (("127.0.0.1", ("127.0.0.1",) * 2), ("", ("127.0.0.1", "127.0.0.2"))):
            first = self.serve_udp("--udp-interface", interface)
            one = hosts[0], self.udp_port
            second = self.serve_udp("--udp-interface", interface)
            other = hosts[1], self.udp_port
            self.assertEqual(self.meet(one, other), [(one[1], other[1]), (other[1], one[1])])
            self.assertEqual(self.counted(first)[2], {"echoed already": 1})
            self.assertEqual(self.counted(second)[2], {})

    def test_a_client_that_always_sends_the_same(self) -> None:
        """U2: it is no loop, and is served in full, however fast it is."""
        server = self.serve_udp()
        client = self.client()
        for _ in range(5000):
            self.assertEqual(self.ask(client, b"ping"), b"ping")
        self.assertEqual(self.counted(server), (5000, 5000, {}, {}))

    def test_replies_that_can_not_be_sent(self) -> None:
        """U6: real errors, a line for none of them, and the port stays open."""
        self.namespace.run("ip", "route", "add", "prohibit", "10.0.0.1")
        self.namespace.run("ip", "route", "add", "default", "dev", "lo")
        self.namespace.run("ip", "route", "add", "unreachable", "10.0.0.2")
        server = self.serve_udp("--udp-interface", "")
        for number in range(200):  # as many as fit into any receive buffer
            self.namespace.forge((f"10.0.0.{1 + number % 2}", 40000), ("127.0.0.1", self.udp_port), b"x")
        self.assertEqual(self.ask(self.client("127.0.0.1"), b"last"), b"last")
        received, echoed, refused, failed = self.counted(server)
        self.assertEqual((received, echoed, refused), (201, 1, {}))
        self.assertEqual(failed, {"EACCES": 100, "EHOSTUNREACH": 100})
        self.assertLess(len(server.lines), 30)


class InjectedTests(UDPCase):
    def test_errors_that_only_a_system_in_distress_gives(self) -> None:
        """U6: each costs one reply."""
        if not sys.platform.startswith("linux"):
            self.skipTest("strace is Linux's")
        for name in ("EAGAIN", "ENOBUFS", "ECONNREFUSED"):
            inject = (tool(self, "strace"), "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=sendto")
            server = Server(
                *(*inject, "-e", f"inject=sendto:error={name}:when=1", script("twistd"), "-n", "echo"),
                *("--port", "0", "--interface", "127.0.0.1", "--udp", "0", "--reactor", REACTOR),
                cwd=self.folder(),
            )
            self.addCleanup(self._end, server)
            server.listening()
            found = server.wait_for(r"Listening for UDP, .* address (\S+), port (\d+)$")
            client = self.client(found[1], int(found[2]))
            client.send(b"first")
            self.assertEqual(self.ask(client, b"second"), b"second")
            self.assertEqual(self.counted(server), (2, 1, {}, {name: 1}))


class StartingTests(FailingCase):
    def test_udp_port_in_use(self) -> None:
        """O1, O4: one line, and TCP is not served, either."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            number = other.getsockname()[1]
            for check in ((), ("--check",)):
                line = self.complaint("--port", "0", "--udp", str(number), *check, status=1)
                self.assertIn(f"echo: can't listen on UDP port {number} on 127.0.0.1: Address already in use; ", line)

    def test_tcp_port_in_use(self) -> None:
        """O1, O4: UDP is not served, either."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            self.complaint("--port", str(other.getsockname()[1]), "--udp", "0", status=1)

    def test_privileged_udp_port(self) -> None:
        """O2."""
        if not sys.platform.startswith("linux"):
            self.skipTest("setpriv is Linux's")
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            if int(file.read()) <= 53:
                self.skipTest("this system has no privileged ports")
        prefix = (tool(self, "setpriv"), "--bounding-set=-net_bind_service")
        line = self.complaint("--port", "0", "--udp", "53", status=1, prefix=prefix)
        self.assertIn("can't listen on UDP port 53 on 127.0.0.1: Permission denied; ports below 1024 need root", line)

    def test_check(self) -> None:
        """O5: it opens the port, and names it."""
        ended = self.run_to_end(script("twistd"), "-n", "echo", "--port", "0", "--udp", "0", "--check")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("  UDP port 0 on 127.0.0.1\n", ended.stdout)
