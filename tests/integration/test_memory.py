"""A limit of memory (RLIMIT_AS) that peers which send and do not read bring the service up to."""

import resource
import select
import socket
import sys
from pathlib import Path

from tests.integration.twistd import PATIENCE, TwistdCase
from tests.support.clients import STALL, exchange, payload, receive

PEERS = 60
"""Each is about to cost 128 KiB, 7.5 MiB in all."""

ROOM = 2 << 20
"""Bytes that the service may take beyond those that it has."""


def flood(peers: list[socket.socket]) -> None:
    """Send to all of them until each takes no more, or was ended."""
    data = payload(1 << 16)
    for peer in peers:
        peer.setblocking(False)
    going = [*peers]
    while ready := select.select([], going, [], STALL)[1]:
        for peer in ready:
            try:
                peer.send(data)
            except OSError:  # it was ended
                going.remove(peer)


class MemoryTests(TwistdCase):
    def test_peers_that_do_not_read(self) -> None:
        """E10, E4: connections without memory end, are counted, and are a line a second in the log."""
        if not sys.platform.startswith("linux"):
            self.skipTest("prlimit and /proc are Linux's")
        for writes in ("at-once", "buffered"):
            path = Path(self.folder(), "s")
            words = ("--greeting", "", "--log-connections", "off", "--writes", writes)
            server = self.serve("--listen", f"unix:{path}", *words)
            peers = [self.peer(path) for _ in range(PEERS)]
            soft, hard = resource.prlimit(server.pid, resource.RLIMIT_AS)
            resource.prlimit(server.pid, resource.RLIMIT_AS, (server.status("VmSize") * 1024 + ROOM, hard))
            flood(peers)
            resource.prlimit(server.pid, resource.RLIMIT_AS, (soft, hard))
            for peer in peers:
                peer.close()
            with self.peer(path) as other:
                self.assertEqual(exchange(other, b"still here"), b"still here")
            counters = server.counters()
            self.assertGreater(counters["errors"]["MemoryError"], 0)
            self.assertEqual(counters["errors"]["MemoryError"], counters["closed"]["error"])
            self.assertEqual(server.stop(), 0)
            faults = [line for line in server.lines if "Fault in a connection: MemoryError, at " in line]
            self.assertTrue(1 <= len(faults) < counters["errors"]["MemoryError"], server.lines)
            self.assertFalse([line for line in server.lines if "Unhandled" in line or line.startswith("\t")])

    def peer(self, path: Path) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(PATIENCE)
        client.connect(str(path))
        client.sendall(b"x")
        self.assertEqual(receive(client, 1), b"x")
        return client
