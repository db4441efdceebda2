"""Peers that are idle, slow or stuck, and what their neighbours notice; on a real clock."""

import contextlib
import select
import socket
import time

from tests.integration.test_deadlines import LATE, StuckCase
from tests.integration.twistd import PATIENCE
from tests.support.clients import TLSClient, receive


class SlowPeersTests(StuckCase):
    def test_a_full_house_of_idlers(self) -> None:
        """B4: they never block a neighbour who is in already, and make room for the next."""
        server = self.serve("--idle", "2", "--max-connections", "20", "--greeting", "")
        inside = self.enterContext(server.connect())
        idlers = {self.enterContext(server.connect()) for _ in range(40)}
        deadline = time.monotonic() + 2 + LATE
        while idlers:
            inside.sendall(b"x")
            self.assertEqual(receive(inside, 1), b"x")
            for idler in select.select([*idlers], [], [], 0.1)[0]:
                self.assertEqual(idler.recv(1), b"")
                idlers.remove(idler)
            self.assertLess(time.monotonic(), deadline)
        with server.connect() as client:
            client.sendall(b"x")
            self.assertEqual(receive(client, 1), b"x")

    def test_idle_over_tls(self) -> None:
        """B4: also a peer that does not answer the end of the stream."""
        server = self.serve("--listen", self.tls_endpoint(), "--idle", "1")
        begun = time.monotonic()
        with server.connect() as client:
            TLSClient(client)
            with contextlib.suppress(ConnectionResetError):
                while client.recv(65536):
                    pass
            self.assertTrue(1 <= time.monotonic() - begun <= 1 + LATE)
        self.assertEqual(server.counters()["closed"], {"idle": 1})

    def test_slow_writers(self) -> None:
        """B3: one that writes before each end of ``idle`` is kept, and cut at ``lifetime``."""
        server = self.serve("--idle", "2", "--lifetime", "4", "--greeting", "")
        begun = time.monotonic()
        with server.connect() as client:
            client.settimeout(0.5)
            ended = False
            while not ended:
                client.sendall(b"x")
                self.assertLess(time.monotonic() - begun, 4 + LATE)
                try:
                    while data := client.recv(1):
                        self.assertEqual(data, b"x")
                    ended = True
                except TimeoutError:
                    pass
            self.assertGreaterEqual(time.monotonic() - begun, 4)
        self.assertEqual(server.counters()["closed"], {"lifetime": 1})

    def test_lifetime_of_a_peer_that_does_not_read(self) -> None:
        """B7: what is in flight has up to ``drain``, then it is aborted."""
        server = self.serve("--lifetime", "1", "--drain", "1", "--greeting", "")
        begun = time.monotonic()
        with server.connect() as client:
            self.stick(client)
            self.until_cut(server, begun + 2 + LATE)
            self.assertGreaterEqual(time.monotonic() - begun, 2)
        self.assertEqual(server.counters()["closed"], {"lifetime": 1})

    def test_a_slow_reader_is_not_stuck(self) -> None:
        """B2: as long as it takes something, even if the kernel has room for nothing more meanwhile."""
        server = self.serve("--write-stall", "2", "--greeting", "")
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
            client.connect((server.host, server.port))
            self.stick(client)
            client.settimeout(PATIENCE)
            begun = time.monotonic()
            taken = 0
            while (elapsed := time.monotonic() - begun) < 6:
                if taken < elapsed * 300_000:
                    taken += len(client.recv(10_000))
                else:
                    time.sleep(0.01)
            self.assertEqual(server.tell()["active"], 1)
        server.counters()
