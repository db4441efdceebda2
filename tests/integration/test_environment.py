"""What the machine around the service may be like: a full disk, no standard streams, a storm of clients."""

import os
import subprocess
import sys
import time

from echoproto.host.serving import free_port
from tests.integration.twistd import PATIENCE, REACTOR, Server, script
from tests.integration.unheard import UnheardCase
from tests.support.clients import exchange, receive, reset

LINUX = None if sys.platform.startswith("linux") else "/dev/full and /proc are Linux's"


class EnvironmentTests(UnheardCase):
    def test_the_disk_of_the_log_is_full(self) -> None:
        """E1: the echo goes on, and stops in order."""
        if LINUX:
            self.skipTest(LINUX)
        for words, command in (
            (("-n", "--logfile", "/dev/full"), "{}"),
            (("-n",), "{} >/dev/full"),
            (("-n",), "{} --log-format json >/dev/full"),
        ):
            child, port = self.unheard(*words, command=command)
            self.served(port)
            self.assertEqual(child.stop(), 0)
            self.assertEqual(child.lines, [])

    def test_without_standard_streams(self) -> None:
        """E8: /dev/null is put in their place, so that no socket is."""
        if LINUX:
            self.skipTest(LINUX)
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            child, port = self.unheard("-n", command=f"{{}} {closed}")
            for number in range(3):
                link = os.readlink(f"/proc/{child.pid}/fd/{number}")
                self.assertTrue(link == "/dev/null" or link.startswith("pipe:"), link)
            self.served(port)
            self.assertEqual(child.stop(), 0)

    def test_a_daemon_without_standard_streams(self) -> None:
        """E8: also as a daemon, which closes whatever has taken their places."""
        folder = self.folder()
        port = free_port()
        words = f"echo --port {port} --interface 127.0.0.1 --reactor {REACTOR} --greeting ''"
        subprocess.run(["sh", "-c", f"{script('twistd')} {words} <&- >&- 2>&-"], cwd=folder, check=True)
        pid = self.pid_of_daemon(folder)
        try:
            self.served(port)
        finally:
            os.kill(pid, 15)
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(os.path.join(folder, "twistd.pid")):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        with open(os.path.join(folder, "twistd.log"), encoding="utf-8") as file:
            self.assertNotIn("Traceback", file.read())

    def test_what_a_peer_sends_is_not_in_the_log(self) -> None:
        """E3: it can't write lines of its own."""
        server = self.serve("--greeting", "")
        attack = b"\n2026-01-01T00:00:00+0000 [echoproto#info] \x1b[31mforged\x1b[0m\r\n"
        with server.connect() as client:
            self.assertEqual(exchange(client, attack), attack)
        server.stop()
        self.assertFalse(any("forged" in line for line in server.lines))
        self.assertEqual(sum("Host disconnected" in line for line in server.lines), 1)

    def test_the_log_under_a_storm(self) -> None:
        """E4, T10: 2,000 connections that are reset: a line a second of each kind after the first 20, no error."""
        server = self.serve("--max-connections", "1000")
        begun = time.monotonic()
        for _ in range(20):
            for _ in range(100):
                reset(server.connect())
            with server.connect() as client:  # served after all of them: a full backlog would lose some, unaccepted
                self.assertEqual(receive(client, 6), b"Hello\n")
        counters = server.counters()
        self.assertEqual(counters["accepted"], 2020)
        server.stop()
        lines = [line for line in server.lines if "onnection" in line]
        self.assertLessEqual(len(lines), 2 * (20 + time.monotonic() - begun + 2))
        self.assertTrue(any("more new connections, not logged one by one" in line for line in server.lines))
        self.assertFalse(any("rror" in line.replace('"errors"', "") for line in server.lines), server.lines)

    def test_a_busy_neighbour(self) -> None:
        """E10, T9: what happens to one connection is nothing to the others."""
        server: Server = self.serve("--greeting", "")
        with server.connect() as client:
            for number in range(100):
                other = server.connect()
                other.sendall(b"x" * 100_000)
                reset(other)
                client.sendall(b"%03d" % number)
                self.assertEqual(receive(client, 3), b"%03d" % number)
        self.assertEqual(server.counters()["accepted"], 101)
