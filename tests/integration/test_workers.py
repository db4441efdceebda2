"""Several processes on one port: the bytes, the death of one of them, and the end of all."""

import contextlib
import os
import re
import signal
import socket
import sys
import threading

from echoproto.server.workers.handover import kernel_balances
from tests.integration.test_stopping import read_to_the_end, send_until_stuck
from tests.integration.test_unix_stop import ACTIVATED
from tests.integration.twistd import LISTENING, PATIENCE, REACTOR, Server, script
from tests.integration.workers import WorkersCase
from tests.support.clients import TLSClient, exchange, payload, receive

UDP = r"Listening for UDP, socket fd is \d+, address 127.0.0.1, port (\d+)"


class WorkersTests(WorkersCase):
    def test_all_kinds_of_listeners(self) -> None:
        """T1, X6: whoever of them has taken a connection or a datagram, all of its bytes come back."""
        path = os.path.join(self.folder(), "s")
        tls, places = self.tls_endpoint(), ["--port", "0", "--udp", "0", "--listen", f"unix:{path}"]
        server = self.serve_with(2, "--greeting", "", *places, "--listen", tls)
        log = "\n".join(server.lines)
        tls_port = int(re.findall(LISTENING, log)[-1][2])
        data = payload(1 << 18)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(24)]
            for client in clients:
                self.assertTrue(exchange(client, data) == data)
            for _ in range(6):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.connect(path)
                self.assertTrue(exchange(client, data) == data)
            for _ in range(4):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", tls_port), PATIENCE))
                session = TLSClient(client)
                sealed = session.seal(data)
                self.assertEqual(session.unseal(exchange(client, sealed, half_close=False)), (data, True))
            self.datagrams(int(re.findall(UDP, log)[0]), 24)
        counters = server.counters()
        self.assertEqual((counters["accepted"], counters["datagrams_echoed"]), (34, 24))
        self.assertEqual((counters["closed"], counters["errors"]), ({"peer": 34}, {}))
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(path))
        if kernel_balances():
            lines = "\n".join(server.lines)
            self.assertEqual(set(re.findall(r"worker (\d)\] New connection, .* port [1-9]", lines)), {"0", "1"})
            received = re.findall(r"UDP port closed: (\d+) datagrams? received", lines)
            self.assertEqual((len(received), sum(map(int, received))), (2, 24))
            self.assertNotIn("0", received)

    def datagrams(self, port: int, count: int) -> None:
        for number in range(count):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(PATIENCE)
                client.sendto(b"%d" % number, ("127.0.0.1", port))
                self.assertEqual(client.recv(100), b"%d" % number)

    def test_the_death_of_one(self) -> None:
        """O11: connections of the others are untouched, it is replaced, and what it had counted is not forgotten."""
        server = self.serve_with(2, "--greeting", "")
        data = payload(8 << 20)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(20)]
            for client in clients:
                client.sendall(b"x")
                self.assertEqual(receive(client, 1), b"x")
            owners = {client: self.worker_of(server, client.getsockname()[1]) for client in clients}
            victim = owners[clients[0]]
            lost = [client for client in clients if owners[client] == victim]
            kept = [client for client in clients if owners[client] != victim]
            echoes: list[bool] = []
            threads = [
                threading.Thread(target=lambda client=client: echoes.append(exchange(client, data) == data))
                for client in kept[:4]
            ]
            for thread in threads:
                thread.start()
            killed = self.pids[victim]
            os.kill(killed, signal.SIGKILL)
            server.wait_for(f"Worker {victim} has ended: killed by SIGKILL; a new one starts")
            self.assertEqual(self.next_one(server), victim)
            self.assertNotEqual(self.pids[victim], killed)
            before = len(server.lines)
            for thread in threads:
                thread.join(PATIENCE)
            self.assertEqual(echoes, [True] * len(threads))
            for client in kept[4:]:
                self.assertEqual(exchange(client, b"still here"), b"still here")
            for client in lost:
                client.settimeout(PATIENCE)
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(client.recv(1), b"")
        for _ in range(40):
            with server.connect() as client:
                self.assertEqual(exchange(client, b"x"), b"x")
        counters = server.counters()
        self.assertEqual((counters["accepted"], counters["closed"]["worker"]), (60, len(lost)))
        self.assertEqual(server.stop(), 0)
        if kernel_balances():
            self.assertIn(f"worker {victim}] New connection", "\n".join(server.lines[before:]))

    def test_stop(self) -> None:
        """O7: what is in flight comes back from all of them, an exact prefix; exit status 0."""
        server = self.serve_with(2, "--greeting", "", "--drain", "60")
        data = payload(32 << 20)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(4)]
            for client in clients:
                send_until_stuck(client, data)
            server.process.send_signal(signal.SIGTERM)
            server.wait_for("Received SIGTERM, stopping")
            for client in clients:
                received = read_to_the_end(client)
                self.assertGreater(len(received), 0)
                self.assertTrue(received == data[: len(received)])
        self.assertEqual(server.end(), 0)
        self.assertNotIn("drain", "\n".join(line for line in server.lines if "Counters" in line))

    def test_the_service_is_killed(self) -> None:
        """O11: they end by themselves, and the port is free at once."""
        server = self.serve_with(2)
        client = self.enterContext(server.connect())
        self.assertEqual(receive(client, 6), b"Hello\n")
        server.process.kill()
        self.assertEqual(server.end(), -signal.SIGKILL)
        self.assertEqual(receive(client, 1), b"")
        for pid in self.pids.values():
            self.wait_until_gone(pid)
        self.serve("--port", str(server.port))

    def test_socket_activation(self) -> None:
        """O12: the workers share what systemd has handed to the service."""
        path = os.path.join(self.folder(), "s")
        words = ("--listen", "systemd:domain=UNIX:index=0", "--workers", "2", "--reactor", REACTOR, "--greeting", "")
        command = (sys.executable, "-c", ACTIVATED, path, script("twistd"), "-n", "echo", *words)
        server = Server(*command, cwd=self.folder())
        self.addCleanup(self._end, server)
        server.listening()
        self.all_serve(server, 2)
        for _ in range(10):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                self.assertEqual(exchange(client, b"x"), b"x")
        self.assertEqual(server.counters()["accepted"], 10)
        self.assertEqual(server.stop(), 0)
        self.assertTrue(os.path.exists(path))
