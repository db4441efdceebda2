"""How much it holds: memory of a greedy peer, descriptors, many connections."""

import contextlib
import sys

from tests.integration.twistd import REACTOR, Server, TwistdCase, many_descriptors, script
from tests.support.clients import exchange, payload, receive

LINUX = None if sys.platform.startswith("linux") else "/proc is Linux's"


class LoadTests(TwistdCase):
    if LINUX is not None:
        skip = LINUX

    def test_memory_of_a_peer_that_never_reads(self) -> None:
        """B1: 32 MiB offered cost at most 256 KiB."""
        server = self.serve()
        with server.connect() as client:  # what the first connection costs once and for all
            exchange(client, payload(1 << 20))
        before = server.status("RssAnon")  # without the files of programs, whose pages come as they are needed
        with server.connect() as client:
            client.settimeout(1)
            sent = 0
            try:
                while sent < 32 << 20:
                    sent += client.send(b"x" * 65536)
            except TimeoutError:
                pass
            self.assertLess(sent, 32 << 20)
            self.assertLessEqual(server.status("RssAnon") - before, 256)

    def limited(self, soft: int) -> Server:
        """A server whose soft limit of descriptors was set by a shell."""
        options = f"--port 0 --log-connections off --reactor {REACTOR}"
        command = f"ulimit -S -n {soft}; exec {script('twistd')} -n echo {options}"
        server = Server("sh", "-c", command, cwd=self.folder())
        self.addCleanup(self._end, server)
        server.listening()
        return server

    def test_more_connections_than_the_soft_limit(self) -> None:
        if REACTOR == "select":
            return  # which has a test of its own
        server = self.limited(64)
        clients = [server.connect() for _ in range(200)]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(b"x")
        for client in clients:
            self.assertEqual(receive(client, 7), b"Hello\nx")

    def test_more_connections_than_select_can_hold(self) -> None:
        """C8 (select): those inside are served on, the excess is closed at once."""
        if REACTOR != "select":
            return  # the limit is select's
        server = self.limited(4096)
        self.assertTrue(any("select can watch 1024 descriptors" in line for line in server.lines))
        served = []
        with many_descriptors(1300):
            clients = [server.connect() for _ in range(1200)]
            for client in clients:
                self.addCleanup(client.close)
                with contextlib.suppress(ConnectionError):
                    client.sendall(b"x")
            for client in clients:
                with contextlib.suppress(ConnectionError):
                    if receive(client, 7) == b"Hello\nx":
                        served.append(client)
            self.assertTrue(950 < len(served) < 1024, len(served))
            for client in served:
                client.sendall(b"y")
                self.assertEqual(receive(client, 1), b"y")
        server.stop()
        self.assertFalse(any("Preening" in line or "bad descriptor" in line for line in server.lines))

    def test_10_000_connections(self) -> None:
        """10,000 at once, each of which gets its echo."""
        # select can't hold more than 1,024, and poll's time grows with their number.
        needed = 200 if REACTOR in {"select", "poll"} else 10_000
        server = self.serve("--log-connections", "off")
        with many_descriptors(needed + 100):
            clients = []
            try:
                for _ in range(needed):
                    clients.append(server.connect())  # noqa: PERF401 - what is open has to be closed if one fails
                for number, client in enumerate(clients):
                    client.sendall(number.to_bytes(4))
                for number, client in enumerate(clients):
                    self.assertEqual(receive(client, 10), b"Hello\n" + number.to_bytes(4))
                self.assertEqual(server.sockets(), needed + 1)
            finally:
                for client in clients:
                    client.close()
