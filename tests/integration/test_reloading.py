"""Settings and log files that SIGHUP has read and opened anew."""

import os
import re
import shutil
import signal
import time
from typing import Any

from tests.integration.test_signals import ConfiguredCase
from tests.integration.twistd import LISTENING, PATIENCE, REACTOR, Server, script
from tests.support.clients import exchange, receive


class ReloadingTests(ConfiguredCase):
    def test_rates(self) -> None:
        """O8: how many are accepted, and how many lines are logged, a second."""
        server = self.configured("greeting = 'x'\naccept-rate = 1000000\nlog-rate = 1000")
        self.write("greeting = 'x'\naccept-rate = 10\nlog-rate = 1\nmax-connections = 15")
        self.reload(server)
        begun = time.monotonic()
        clients = [self.enterContext(server.connect()) for _ in range(15)]
        for client in clients:
            self.assertEqual(receive(client, 1), b"x")
        self.assertGreaterEqual(time.monotonic() - begun, 0.5, "10 at once, and 5 in half a second")
        self.write("greeting = 'x'\nlog-rate = 1\nmax-connections = 15")
        self.reload(server)
        begun = time.monotonic()
        for _ in range(100):
            with server.connect() as client:
                self.assertEqual(receive(client, 1), b"")
        most = 2 + time.monotonic() - begun
        self.assertEqual(server.tell()["refused"], {"max-connections": 100})
        refused = [line for line in server.lines if "Refused a connection" in line]
        self.assertTrue(1 <= len(refused) <= most, len(refused))

    def test_bad_input(self) -> None:
        """O8: the old settings are kept, and a line says what is wrong where."""
        server = self.configured("max-connections = 1")
        with server.connect() as inside:
            for text, problem in (
                ("max-connections = 5\nidle = -1", r"echo.toml:2: idle: -1: must be a whole number"),
                ("max-connections = ", "echo.toml:1: not TOML"),
                ("", "echo.toml: is empty"),
                ("max-connection = 5", "unknown key .did you mean 'max-connections'"),
            ):
                self.write(text)
                server.process.send_signal(signal.SIGHUP)
                server.wait_for(f"Reload failed: .*{problem}.*; keeping the previous settings")
                with server.connect() as client:
                    self.assertEqual(receive(client, 1), b"")
            os.unlink(self.path)
            server.process.send_signal(signal.SIGHUP)
            server.wait_for("can't be read: No such file or directory; keeping the previous settings")
            self.assertEqual(exchange(inside, b"x"), b"Hello\nx")

    def test_what_can_not_change(self) -> None:
        """O8: is named, and the rest is taken over."""
        server = self.configured("greeting = 'One'\nbacklog = 100")
        self.write("greeting = 'Two'\nbacklog = 200\nreactor = 'auto'")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("backlog can't change while the service runs; restart it")
        server.wait_for("Received SIGHUP, reloaded")
        with server.connect() as client:
            self.assertEqual(receive(client, 3), b"Two")

    def test_a_folder_that_was_left(self) -> None:
        """O8: the file is found again, though twistd has changed to another folder, and its name was relative."""
        folder = self.folder()
        self.path = os.path.join(folder, "echo.toml")
        self.write("greeting = 'One'")
        words = ("echo", "--config", "echo.toml", "--port", "0", "--reactor", REACTOR)
        server = Server(script("twistd"), "-n", "--rundir", self.folder(), *words, cwd=folder)
        self.addCleanup(self._end, server)
        server.listening()
        self.write("greeting = 'Two'")
        self.reload(server)
        with server.connect() as client:
            self.assertEqual(receive(client, 3), b"Two")

    def reopens(self, log: str, *twistd: str, program: str = "twistd", words: tuple[str, ...] = ()) -> None:
        """Move the log away, as logrotate does, and see where the next line goes."""
        folder = self.folder()
        log = os.path.join(folder, log)
        options = (*twistd, log, "echo", "--port", "0", "--greeting", "", "--reactor", REACTOR, *words)
        server = Server(script(program), *options, cwd=folder)
        self.addCleanup(self._end, server)
        [found] = self.logged(log, LISTENING)
        server.port = int(found[2])
        with server.connect() as client:
            client.sendall(b"x")
            self.assertEqual(receive(client, 1), b"x")
            os.rename(log, f"{log}.old")
            server.process.send_signal(signal.SIGHUP)
            self.logged(log, "(reloaded)")
            self.assertEqual(exchange(client, b"y"), b"y")
        self.logged(log, "(disconnected)")
        with open(f"{log}.old", encoding="utf-8") as file:
            self.assertNotIn("disconnected", file.read())
        self.assertEqual(server.stop(), 0)

    def logged(self, path: str, pattern: str) -> list[Any]:
        """Wait for a line of a log file."""
        deadline = time.monotonic() + PATIENCE
        while True:
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    if found := re.findall(pattern, file.read()):
                        return found[:1]
            self.assertLess(time.monotonic(), deadline, f"no {pattern!r} in {path}")
            time.sleep(0.01)

    def test_the_log_file(self) -> None:
        """O8: it is opened anew."""
        self.reopens("echo.log", "-n", "--logfile")

    def test_the_log_file_as_json(self) -> None:
        """O8."""
        self.reopens("echo.log", "-n", "--logfile", words=("--log-format", "json"))

    def test_the_log_file_of_twist(self) -> None:
        """O8."""
        self.reopens("echo.log", "--log-format=text", "--log-file", program="twist")

    def test_a_log_file_that_can_not_be_opened(self) -> None:
        """O8: the one that is open is kept, and says so."""
        folder, logs = self.folder(), os.path.join(self.folder(), "logs")
        os.mkdir(logs)
        log = os.path.join(logs, "echo.log")
        words = ("--logfile", log, "echo", "--port", "0", "--reactor", REACTOR)
        server = Server(script("twistd"), "-n", *words, cwd=folder)
        self.addCleanup(self._end, server)
        self.logged(log, "(Listening)")
        os.rename(log, moved := os.path.join(folder, "moved.log"))
        shutil.rmtree(logs)
        server.process.send_signal(signal.SIGHUP)
        self.logged(
            moved, "(can't open the log .*/echo.log anew: No such file or directory; keeping the previous log file)"
        )
        self.assertEqual(server.stop(), 0)
        self.logged(moved, "(Server Shut Down)")
