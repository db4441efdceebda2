"""How it starts, fails to start, and becomes a daemon; each with the installed commands, in a folder of its own."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time

from tests.integration.twistd import LISTENING, PATIENCE, REACTOR, FailingCase, TwistdCase, script, tool
from tests.support.clients import exchange


def start_daemon(case: TwistdCase, folder: str, *words: str) -> tuple[subprocess.CompletedProcess[str], int]:
    """
    Run ``twistd`` without ``-n``, on the reactor of this run.

    :return: what the command has said, which ends before the daemon does, even of one that can't start; and a
        descriptor to wait for the end of the daemon with.
    """
    gone, alive = os.pipe()  # the daemon inherits the writing end, so its end is the end of this pipe
    case.addCleanup(os.close, gone)
    try:
        started = case.run_to_end(script("twistd"), *words, "--reactor", REACTOR, cwd=folder, pass_fds=[alive])
    finally:
        os.close(alive)
    return started, gone


def wait_until_gone(case: TwistdCase, gone: int) -> None:
    """Wait for the end of a daemon."""
    case.assertEqual(select.select([gone], [], [], PATIENCE)[0], [gone], "it does not end")


class FailingTests(FailingCase):
    def setUp(self) -> None:
        other = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        self.busy = other.getsockname()[1]

    def test_port_in_use(self) -> None:
        """O1."""
        line = self.complaint("--port", str(self.busy), "--reactor", REACTOR, status=1)
        self.assertIn(f"can't listen on port {self.busy} on all addresses: Address already in use", line)

    def test_port_in_use_under_check(self) -> None:
        """O5."""
        self.assertIn("Address already in use", self.complaint("--check", "--port", str(self.busy), status=1))

    def test_port_in_use_under_twist(self) -> None:
        ended = self.run_to_end(script("twist"), "echo", "--port", str(self.busy), "--reactor", REACTOR)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("Address already in use", ended.stderr)
        self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)

    def test_port_in_use_as_a_daemon(self) -> None:
        """O1: the command that starts a daemon fails, too; its log says why, and its pid file is gone."""
        folder = self.folder()
        ended, gone = start_daemon(self, folder, "echo", "--port", str(self.busy))
        self.assertEqual(ended.returncode, 1, ended)
        [line] = ended.stderr.splitlines()
        self.assertTrue(line.startswith(f"echo: can't listen on port {self.busy} on all addresses: Address alr"), line)
        wait_until_gone(self, gone)
        self.assertEqual(os.listdir(folder), ["twistd.log"])
        with open(f"{folder}/twistd.log", encoding="utf-8") as log:
            text = log.read()
        self.assertIn("[echoproto#critical] can't listen on port", text)
        self.assertNotIn("Traceback", text)

    def test_privileged_port(self) -> None:
        """O2."""
        if not sys.platform.startswith("linux"):
            self.skipTest("setpriv is Linux's")
        setpriv = tool(self, "setpriv")
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            if int(file.read()) <= 7:
                self.skipTest("this system has no privileged ports")
        line = self.complaint("--port", "7", status=1, prefix=(setpriv, "--bounding-set=-net_bind_service"))
        self.assertIn("can't listen on port 7 on all addresses: Permission denied; ports below 1024 need root", line)

    def test_unreadable_file(self) -> None:
        """O4; root reads everything, unless it gives that up."""
        if not sys.platform.startswith("linux"):
            self.skipTest("setpriv is Linux's")
        path = f"{self.folder()}/echo.toml"
        with open(path, "w", encoding="utf-8") as file:
            file.write("port = 0")
        os.chmod(path, 0)
        prefix = (tool(self, "setpriv"), "--bounding-set=-dac_override,-dac_read_search")
        self.assertEqual(
            self.complaint("--config", path, status=2, prefix=prefix), f"echo: {path}: can't be read: Permission denied"
        )

    def test_address_that_is_not_local(self) -> None:
        """O3."""
        self.assertIn("on 192.0.2.1: ", self.complaint("--interface", "192.0.2.1", "--port", "0", status=1))

    def test_what_was_written_wrong(self) -> None:
        """O4."""
        path = f"{self.folder()}/echo.toml"
        for content, expected in (
            (b"\nprot = 1", f"{path}:2: prot: unknown key (did you mean 'port'?)"),
            (b'port = "x"', f"{path}:1: port: 'x' is not a whole number from 0 to 65535"),
            (b"", f"{path}: is empty"),
            (b"\xff", f"{path}:1: is not UTF-8 text"),
        ):
            with open(path, "wb") as file:
                file.write(content)
            self.assertIn(expected, self.complaint("--config", path, status=2))
        self.assertIn("can't be read: Is a directory", self.complaint("--config", "/", status=2))
        self.assertIn("did you mean '--port'?", self.complaint("--prot", "1", status=2))

    def test_one_of_several_listeners_fails(self) -> None:
        """O4: nothing half-open stays, of files either."""
        folder = self.folder()
        listen = ("--listen", f"unix:{folder}/s", "--listen", f"tcp:{self.busy}:interface=127.0.0.1")
        self.complaint(*listen, "--reactor", REACTOR, status=1)
        self.assertEqual(os.listdir(folder), [])


class DaemonTests(TwistdCase):
    if not sys.platform.startswith("linux") and REACTOR in {"asyncio", "uvloop"}:
        skip = "this reactor's kqueue is not inherited by fork, and it makes no new one"

    def daemon(self, folder: str, *words: str) -> None:
        """Start a daemon; when the test ends, stop it, and wait until it is gone."""
        started, gone = start_daemon(self, folder, *words)
        self.assertEqual((started.returncode, started.stdout, started.stderr), (0, "", ""))
        with open(f"{folder}/twistd.pid", encoding="ascii") as file:
            self.addCleanup(self.stop, folder, int(file.read()), gone)

    def stop(self, folder: str, pid: int, gone: int) -> None:
        os.kill(pid, signal.SIGTERM)
        wait_until_gone(self, gone)
        [log] = os.listdir(folder)  # and no pid file
        with open(f"{folder}/{log}", encoding="utf-8") as file:
            self.assertNotIn("Traceback", file.read())

    def test_daemon(self) -> None:
        """It serves on this reactor after it has forked, writes its pid, and takes it away when it stops."""
        folder = self.folder()
        self.daemon(folder, "echo", "--port", "0")
        with open(f"{folder}/twistd.log", encoding="utf-8") as file:
            text = file.read()
        listening = re.search(LISTENING, text)
        assert listening is not None, text
        self.assertEqual(listening[4], REACTOR)
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", int(listening[3])), timeout=PATIENCE) as client:
                self.assertEqual(exchange(client, b"x" * 100_000), b"Hello\n" + b"x" * 100_000)

    def test_json_daemon(self) -> None:
        folder = self.folder()
        self.daemon(folder, "--logfile", "echo.json", "echo", "--port", "0", "--log-format", "json")
        with open(f"{folder}/echo.json", encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
        [listening] = [event for event in events if event["event"] == "listening"]
        self.assertEqual(listening["reactor"], REACTOR)


class CommandTests(TwistdCase):
    def test_timers_follow_the_monotonic_clock(self) -> None:
        """E5: as soon as the options are parsed."""
        code = (
            "import sys, time; from echoproto.server.tap import Options; o = Options(); o.parseOptions(sys.argv[1:])\n"
        )
        code += "from twisted.internet import reactor; print(o.reactor_name, reactor.seconds is time.monotonic)"
        ended = self.run_to_end(sys.executable, "-c", code, "--reactor", REACTOR)
        self.assertEqual(ended.stdout, f"{REACTOR} True\n", ended.stderr)

    def test_json_log_that_can_not_be_written(self) -> None:
        words = ("-n", "--logfile", "/nonexistent/log", "echo", "--port", "0", "--log-format", "json")
        ended = self.run_to_end(script("twistd"), *words)
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(ended.stderr, "echo: can't write the log to /nonexistent/log: No such file or directory\n")

    def test_reactors(self) -> None:
        ended = self.run_to_end(script("echoproto"), "reactors")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        rows = ended.stdout.splitlines()
        self.assertRegex(rows[0], r"^name +default +available, or why not +class")
        [row] = [row for row in rows if row.startswith(f"{REACTOR} ")]
        self.assertRegex(row, r" yes +\w+Reactor *$")
        self.assertEqual(len([row for row in rows if " auto " in row]), 1)

    def test_check_serves_nothing(self) -> None:
        ended = self.run_to_end(script("twistd"), "-n", "echo", "--check", "--port", "0")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertTrue(ended.stdout.startswith("echo: the settings are good; a start would listen on\n"))

    def test_python_m(self) -> None:
        ended = self.run_to_end(sys.executable, "-m", "echoproto", "--version")
        self.assertRegex(ended.stdout, r"^echoproto, version \d")


class NoConsoleTests(TwistdCase):
    def test_closed_standard_streams(self) -> None:
        """E8: started without input, output and error output, it serves, and its descriptors are not mixed up."""
        folder = self.folder()
        command = f"exec {script('twistd')} -n --logfile log echo --port 0 --reactor {REACTOR} <&- >&- 2>&-"
        with subprocess.Popen(["sh", "-c", command], cwd=folder) as process:
            try:
                deadline = time.monotonic() + PATIENCE
                listening = None
                while listening is None:
                    self.assertLess(time.monotonic(), deadline)
                    if os.path.exists(f"{folder}/log"):
                        with open(f"{folder}/log", encoding="utf-8") as file:
                            listening = re.search(LISTENING + r"\n", file.read())
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.fail(f"it ended with status {process.wait(0.02)}")
                with socket.create_connection(("127.0.0.1", int(listening[3])), timeout=PATIENCE) as client:
                    self.assertEqual(exchange(client, b"x"), b"Hello\nx")
            finally:
                process.terminate()
