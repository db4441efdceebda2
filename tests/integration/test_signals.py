"""Signals while it serves, on each reactor, beside those that stop it."""

import os
import signal
import sys
import time

from tests.integration.twistd import PATIENCE, Server, TwistdCase
from tests.support.clients import exchange, payload, receive


class ConfiguredCase(TwistdCase):
    """A server with a file of settings, which SIGHUP has it read anew."""

    def configured(self, text: str, *twistd: str, program: str = "twistd") -> Server:
        self.path = os.path.join(self.folder(), "echo.toml")
        self.write(text)
        words = ("--config", self.path, "--port", "0")
        return self.serve(*words, twistd=twistd or ("-n",), program=program)

    def write(self, text: str) -> None:
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def reload(self, server: Server) -> None:
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("Received SIGHUP, reloaded")


class SignalTests(ConfiguredCase):
    def test_other_signals(self) -> None:
        """O9: SIGPIPE, SIGUSR1 (there is no log file to rotate) and SIGUSR2: nothing lost; nor by those of a child."""
        server = self.serve("--greeting", "")
        data = payload(1 << 20)
        with server.connect() as client:
            for number in (signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGWINCH):
                client.sendall(data[:5000])
                server.process.send_signal(number)
                self.assertEqual(receive(client, 5000), data[:5000])
            self.assertEqual(exchange(client, data), data)
        self.assertEqual(server.counters()["closed"], {"peer": 1})

    def test_suspended(self) -> None:
        """E7, O9: stopped for longer than ``idle``, with bytes on their way: not one is lost, and nobody is cut."""
        if not sys.platform.startswith("linux"):
            self.skipTest("/proc is Linux's")
        server = self.serve("--greeting", "", "--idle", "2")
        data = payload(4 << 20)
        with server.connect() as client, server.connect() as other:
            server.process.send_signal(signal.SIGSTOP)
            self.suspended(server)
            other.sendall(b"while it is stopped")
            # Not to wait for a condition: what is to be seen is that this much time makes no difference.
            time.sleep(5)
            server.process.send_signal(signal.SIGCONT)
            self.assertEqual(receive(other, 19), b"while it is stopped")
            self.assertEqual(exchange(client, data), data)
        server.counters()

    def suspended(self, server: Server) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            with open(f"/proc/{server.pid}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "T":
                    return
            self.assertLess(time.monotonic(), deadline)

    def test_limits(self) -> None:
        """O8: those that can change do, and who is connected stays so."""
        server = self.configured("greeting = 'One'\nmax-connections = 1")
        with server.connect() as inside:
            self.assertEqual(receive(inside, 3), b"One")
            with server.connect() as client:
                self.assertEqual(receive(client, 1), b"")
            self.write("greeting = 'Two'\nmax-connections = 2")
            self.reload(server)
            with server.connect() as client:
                self.assertEqual(receive(client, 3), b"Two")
                self.assertEqual(exchange(client, b"x"), b"x")
            self.assertEqual(exchange(inside, b"still here"), b"still here")
        self.write("greeting = 'Two'\nidle = 1")
        self.reload(server)
        with server.connect() as client:
            self.assertEqual(receive(client, 4), b"Two", "idle is 1 now")
