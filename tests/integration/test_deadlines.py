"""How long a connection may do nothing, last, and be stuck: against the installed ``twistd``, on a real clock."""

import select
import shutil
import signal
import socket
import time
from datetime import datetime, timedelta

from tests.integration.twistd import Server, TwistdCase, tool
from tests.support.clients import payload, receive

LATE = 10.0
"""
Seconds that a cut may come late: half a second of ours, and what a machine takes that is busy with something else. How
late it is by a clock that nothing else moves is seen in tests/server/limits/test_deadlines.py.
None may ever come early.
"""


class StuckCase(TwistdCase):
    def until_cut(self, server: Server, deadline: float) -> None:
        """Wait until nobody is connected any more."""
        while server.tell()["active"]:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def stick(self, client: socket.socket) -> None:
        """Send without reading, until nothing more is taken."""
        client.settimeout(0.3)
        try:
            while True:
                client.sendall(b"x" * 65536)
        except TimeoutError:
            pass


class DeadlinesTests(StuckCase):
    def test_idle(self) -> None:
        """B4, T13: cut at ``idle``, with FIN; a neighbour who does something is not touched."""
        server = self.serve("--idle", "2", "--greeting", "")
        busy = self.enterContext(server.connect())
        connected_after: dict[socket.socket, float] = {}
        for _ in range(50):
            begun = time.monotonic()
            connected_after[self.enterContext(server.connect())] = begun
        while connected_after:
            busy.sendall(b"x")
            self.assertEqual(receive(busy, 1), b"x")
            for client in select.select([*connected_after], [], [], 0.1)[0]:
                self.assertEqual(client.recv(1), b"")
                self.assertGreaterEqual(time.monotonic() - connected_after.pop(client), 2)
            self.assertLess(time.monotonic() - begun, 2 + LATE)
        busy.close()
        self.assertEqual(server.counters()["closed"], {"idle": 50, "peer": 1})
        self.assertTrue(any("closed here, idle for too long" in line for line in server.lines))

    def test_lifetime_gives_back_what_is_in_flight(self) -> None:
        """B7: all of it, to a peer that reads."""
        server = self.serve("--lifetime", "2", "--greeting", "")
        with server.connect() as client:
            data = payload(1 << 20)
            client.sendall(data[:100_000])
            received = receive(client, len(data))
            self.assertEqual(received, data[:100_000])
        self.assertEqual(server.counters()["closed"], {"lifetime": 1})

    def test_write_stall(self) -> None:
        """B2: a peer that takes nothing is aborted."""
        server = self.serve("--write-stall", "1", "--greeting", "")
        with server.connect() as client:
            self.stick(client)
            begun = time.monotonic()
            self.until_cut(server, begun + 1 + LATE)
        self.assertEqual(server.counters()["closed"], {"write-stall": 1})
        self.assertTrue(any("nothing could be sent for too long" in line for line in server.lines))

    def test_the_wall_clock_steps(self) -> None:
        """E5: deadlines follow the monotonic clock, whether the time of day is set an hour on or back."""
        faketime = tool(self, "faketime")
        library = shutil.which("faketime") and _library(faketime)
        for step in ("+1h", "-1h"):
            folder = self.folder()
            rc = f"{folder}/now"
            with open(rc, "w", encoding="ascii") as file:
                file.write("+0")
            env = {
                "LD_PRELOAD": library,
                "FAKETIME_TIMESTAMP_FILE": rc,
                "DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_CACHE_DURATION": "0",
                "FAKETIME_NO_CACHE": "1",
            }
            server = self.serve("--idle", "2", "--greeting", "", env=env)
            with server.connect() as client:
                begun = time.monotonic()
                client.sendall(b"x")
                self.assertEqual(receive(client, 1), b"x")
                with open(rc, "w", encoding="ascii") as file:
                    file.write(step)
                self.assertEqual(receive(client, 1), b"")
                self.assertTrue(2 <= time.monotonic() - begun <= 2 + LATE, (step, time.monotonic() - begun))
            server.stop(signal.SIGTERM)
            first, [ended] = server.lines[0], [line for line in server.lines if "Host disconnected" in line]
            moved = datetime.fromisoformat(ended.split()[0]) - datetime.fromisoformat(first.split()[0])
            self.assertGreater(abs(moved), timedelta(minutes=30), "the clock was not set at all")


def _library(faketime: str) -> str:
    """The library that ``faketime`` has loaded."""
    import subprocess

    shown = subprocess.run([faketime, "-f", "+0", "env"], capture_output=True, text=True, check=True).stdout
    [line] = [line for line in shown.splitlines() if line.startswith("LD_PRELOAD=")]
    return line.partition("=")[2]
