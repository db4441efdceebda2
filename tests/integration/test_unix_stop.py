"""The file of a Unix socket after its server has stopped."""

import os
import signal
import socket
import stat
import sys

from tests.integration.test_unix import UnixCase
from tests.integration.twistd import REACTOR, Server, script
from tests.support.clients import exchange, receive

ACTIVATED = """
import os, socket, sys
given = socket.socket(socket.AF_UNIX)
given.bind(sys.argv[1])
given.listen(5)
os.dup2(given.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "echo", "LISTEN_PID": str(os.getpid())}
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Hands a listening socket over, as systemd does, and becomes the command that is given."""


class StopTests(UnixCase):
    def test_a_successor(self) -> None:
        """X6: it serves on when its predecessor stops."""
        first = self.serve(*self.listen)
        self.echo()
        os.unlink(self.path)
        second = self.serve(*self.listen)
        self.assertEqual(first.stop(), 0)
        self.echo()
        self.assertEqual(second.stop(), 0)
        self.assertEqual(os.listdir(self.where), [])

    def test_a_regular_file_in_its_place(self) -> None:
        """X6."""
        server = self.serve(*self.listen)
        self.echo()
        os.unlink(self.path)
        os.close(os.open(self.path, os.O_CREAT))
        self.assertEqual(server.stop(), 0)
        self.assertTrue(stat.S_ISREG(os.lstat(self.path).st_mode))

    def test_nothing_in_its_place(self) -> None:
        """X6: neither the file nor its folder; no traceback, which the end of each test looks for."""
        for folder_too in (False, True):
            server = self.serve(*self.listen)
            self.echo()
            os.unlink(self.path)
            if folder_too:
                os.rmdir(self.where)
            self.assertEqual(server.stop(), 0)
            self.assertFalse(any("Left behind" in line for line in server.lines), server.lines)
        os.mkdir(self.where)  # for its removal at the end of the test

    def test_during_a_drain(self) -> None:
        """X6, O7: it is gone at the signal, not when the last connection is."""
        server = self.serve(*self.listen, "--drain", "600")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)
            self.assertEqual(receive(client, 6), b"Hello\n")
            client.settimeout(5)
            server.process.send_signal(signal.SIGSTOP)
            client.setblocking(False)
            sent = self.fill(client)
            server.process.send_signal(signal.SIGTERM)
            server.process.send_signal(signal.SIGCONT)
            server.wait_for("Waiting up to 600 s for 1 connection to end")
            self.assertEqual(os.listdir(self.where), [])
            self.assertEqual(len(exchange(client, b"", half_close=False)), sent)
        self.assertEqual(server.end(), 0)

    def fill(self, client: socket.socket) -> int:
        sent = 0
        try:
            while True:
                sent += client.send(b"x" * 65536)
        except BlockingIOError:
            return sent

    def test_without_the_right_to(self) -> None:
        """X6: who has dropped privileges may not remove what root made; exit status 0, and one line."""
        if os.geteuid() != 0:
            self.skipTest("only root has privileges to drop")
        server = self.serve(*self.listen, twistd=("-n", "--uid", "65534", "--gid", "65534"))
        self.echo()
        self.assertEqual(server.stop(), 0)
        [line] = [line for line in server.lines if "Left behind" in line]
        self.assertIn(f"Left behind {self.path}: Permission denied; the next start removes it", line)
        self.serve(*self.listen)
        self.echo()

    def test_socket_that_was_handed_over(self) -> None:
        """O12: its file is not ours, and stays as it is."""
        command = (script("twistd"), "-n", "echo", "--listen", "systemd:domain=UNIX:index=0", "--reactor", REACTOR)
        server = Server(sys.executable, "-c", ACTIVATED, self.path, *command, cwd=self.folder())
        self.addCleanup(self._end, server)
        server.listening()
        before = os.lstat(self.path)
        self.assertNotEqual(stat.S_IMODE(before.st_mode), 0o660)
        self.echo()
        self.assertEqual(server.stop(), 0)
        after = os.lstat(self.path)
        self.assertEqual((after.st_ino, after.st_mode), (before.st_ino, before.st_mode))
