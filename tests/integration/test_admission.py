"""Who may come in, against the installed ``twistd``: real sockets, real limits, real errors of accept(2)."""

import contextlib
import os
import resource
import socket
import statistics
import sys
import time
from collections.abc import Iterator

from tests.integration.twistd import PATIENCE, REACTOR, Server, TwistdCase, script, tool
from tests.support.clients import exchange, receive

LINUX = None if sys.platform.startswith("linux") else "prlimit and strace are Linux's"


class AcceptErrorsTests(TwistdCase):
    errors: tuple[str, ...] = ("ENFILE",)

    def test_errors_of_accept(self) -> None:
        """C7: survived, counted, and no reason to turn in circles."""
        if LINUX:
            self.skipTest(LINUX)
        strace = tool(self, "strace")
        for name in self.errors:
            trace = os.path.join(self.folder(), "trace")
            words = ("-n", "echo", "--port", "0", "--greeting", "", "--reactor", REACTOR)
            inject = f"inject=accept4:error={name}:when=1..3"
            server = Server(
                *(strace, "-D", "-f", "--seccomp-bpf", "-qq", "-e", "trace=accept4", "-e", inject, "-o", trace),
                *(script("twistd"), *words),
                cwd=self.folder(),
            )
            self.addCleanup(self._end, server)
            server.listening()
            with server.connect() as client:
                self.assertEqual(exchange(client, b"x"), b"x", name)
            counters = server.counters()
            self.assertEqual(counters["errors"], {name: 3})
            self.assertEqual((counters["accepted"], counters["refused"]), (1, {}))
            with open(trace, encoding="ascii") as file:
                self.assertLess(len(file.readlines()), 20)


class AdmissionTests(TwistdCase):
    def ends(self, client: socket.socket) -> bool:
        """Whether it was closed, or reset, without a byte."""
        try:
            return receive(client, 1) == b""
        except ConnectionResetError:
            return True

    def test_more_than_the_most(self) -> None:
        """C3, T13: those inside are not touched, the excess is closed within a second, and counted exactly."""
        server = self.serve("--max-connections", "10", "--greeting", "")
        inside = [self.enterContext(server.connect()) for _ in range(10)]
        for client in inside:
            client.sendall(b"x")
            self.assertEqual(receive(client, 1), b"x")
        waits = []
        for _ in range(25):
            with server.connect() as client:
                begun = time.monotonic()
                self.assertTrue(self.ends(client))
                waits.append(time.monotonic() - begun)
        self.assertLess(statistics.median(waits), 1)
        for client in inside:
            self.assertEqual(exchange(client, b"y" * 100_000), b"y" * 100_000)
            client.close()
        counters = server.counters()
        self.assertEqual(counters["refused"], {"max-connections": 25})
        self.assertEqual((counters["accepted"], counters["active"], counters["closed"]), (10, 0, {"peer": 10}))
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), b"x")

    def test_over_tls(self) -> None:
        """C3: refused before there is any TLS."""
        server = self.serve("--listen", self.tls_endpoint(), "--max-connections", "0")
        for _ in range(3):
            self.assertTrue(self.ends(self.enterContext(server.connect())))
        self.assertEqual(server.counters()["refused"], {"max-connections": 3})

    def test_more_than_the_most_of_a_source(self) -> None:
        """C4: only that source is refused."""
        if not LINUX:
            server = self.serve("--max-per-source", "2", "--greeting", "")

            def come(host: str) -> socket.socket:
                client = socket.create_connection(("127.0.0.1", server.port), PATIENCE, source_address=(host, 0))
                return self.enterContext(client)

            inside = [come("127.0.0.2"), come("127.0.0.2")]
            self.assertTrue(self.ends(come("127.0.0.2")))
            for client in [*inside, come("127.0.0.3")]:
                self.assertEqual(exchange(client, b"x"), b"x")
            self.assertEqual(server.counters()["refused"], {"max-per-source": 1})

    def test_too_many_a_second_are_closed(self) -> None:
        """C5: as configured, and it recovers at once."""
        server = self.serve("--accept-rate", "5", "--over-accept-rate", "close", "--greeting", "Hi")
        begun = time.monotonic()
        clients = [self.enterContext(server.connect()) for _ in range(30)]
        served = sum(not self.ends(client) for client in clients)
        elapsed = time.monotonic() - begun
        for client in clients:
            client.close()
        self.assertTrue(5 <= served <= 5 * (1 + elapsed), (served, elapsed))
        self.assertEqual(server.counters()["refused"].get("accept-rate", 0), 30 - served)
        deadline = time.monotonic() + PATIENCE
        while self.ends(self.enterContext(server.connect())):
            self.assertLess(time.monotonic(), deadline)

    def test_what_is_more_than_the_descriptors(self) -> None:
        """C8: max-connections is lowered, aloud, and under select below FD_SETSIZE."""
        with self.few_descriptors(256):
            server = self.serve("--max-connections", "5000")
        server.tell()
        [line] = [line for line in server.lines if "max-connections is lowered from 5000 to" in line]
        self.assertTrue(200 <= int(line.split(" to ")[1].split(",")[0]) < 256, line)

    @contextlib.contextmanager
    def few_descriptors(self, hard: int) -> Iterator[None]:
        """A child that is started meanwhile may have no more than so many, and can't raise that."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        wrapped, Server.limits = Server.limits, {resource.RLIMIT_NOFILE: (hard, hard)}
        try:
            yield
        finally:
            Server.limits = wrapped
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), before)

    def test_no_descriptors(self) -> None:
        """C6: who comes when none is left is closed and counted; it recovers at once, and those inside are served."""
        if LINUX:
            self.skipTest(LINUX)
        server = self.serve("--greeting", "")
        with server.connect() as inside:
            inside.sendall(b"x")
            self.assertEqual(receive(inside, 1), b"x")
            most = max(map(int, os.listdir(f"/proc/{server.pid}/fd"))) + 1
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, most + 1000))
            begun = time.monotonic()
            for _ in range(20):
                with server.connect() as client:
                    self.assertTrue(self.ends(client))
            elapsed = time.monotonic() - begun
            inside.sendall(b"y")
            self.assertEqual(receive(inside, 1), b"y")
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most + 1000, most + 1000))
            with server.connect() as client:
                self.assertEqual(exchange(client, b"x"), b"x")
        counters = server.counters()
        self.assertEqual(counters["refused"], {"descriptors": 20})
        self.assertEqual(counters["accepted"], 2)
        lines = [line for line in server.lines if "descriptors" in line]
        self.assertLessEqual(len(lines), 5 + elapsed, "E4: not a line for each")
