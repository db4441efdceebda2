"""Sources that get no reply over UDP, and errors that cost one."""

import contextlib
import os
import signal
import socket
import sys
from itertools import chain

from tests.integration.test_udp import UDPCase
from tests.integration.twistd import REACTOR, Server, script, tool
from tests.support.namespace import Namespace, Sniffer


class LimitsTests(UDPCase):
    def test_none_by_default(self) -> None:
        server = self.serve("--interface", "127.0.0.1")
        client = self.client("127.0.0.1", server.port)
        client.send(b"x")
        self.assertRaises(ConnectionRefusedError, client.recv, 1)

    def test_loopback_by_default(self) -> None:
        self.serve_udp()
        self.assertEqual(self.udp_host, "127.0.0.1")

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
        """Number of datagrams that a server has sent, without those forged to look like its own."""
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
