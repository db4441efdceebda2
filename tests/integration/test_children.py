"""Processes that the commands start end with them, and import nothing from the current folder."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time

import psutil

from echoproto.reactors.selection import auto_name
from tests.host import servers
from tests.host.servers import begun, left
from tests.integration.twistd import LOADED, PATIENCE, Child, Server, TwistdCase, script

HOSTILE = """
with open({mark!r}, "a") as file:
    file.write(__name__ + "\\n")
raise ImportError(f"{{__name__}} of the current folder")
"""

OTHERS = (
    "attr",
    "click",
    "coverage",
    "echoproto",
    "hdrh",
    "psutil",
    "rich",
    "sitecustomize",
    "twisted",
    "usercustomize",
)
"""Modules besides those of the standard library that may be looked for."""

SHORT = ("--connections", "2", "--duration", "100ms", "--warmup", "0")

FOREVER = ("--connections", "2", "--duration", "10m", "--warmup", "0")


class CurrentFolderTests(TwistdCase):
    """Anybody may have put a ``socket.py`` into the folder that a command is typed in."""

    def setUp(self) -> None:
        self.mark = os.path.join(self.folder(), "mark")
        self.hostile = self.folder()
        for name in (*sys.stdlib_module_names, *OTHERS):
            with open(os.path.join(self.hostile, f"{name}.py"), "w", encoding="ascii") as file:
                file.write(HOSTILE.format(mark=self.mark))

    def assert_nothing_imported(self, what: object) -> None:
        if os.path.exists(self.mark):
            with open(self.mark, encoding="ascii") as file:
                self.fail(f"{what} has imported {file.read().split()}")

    def run_there(self, *words: str) -> None:
        ended = self.run_to_end(*words, cwd=self.hostile, seconds=LOADED * PATIENCE)
        self.assertEqual(ended.returncode, 0, ended)
        self.assert_nothing_imported(words)

    def test_the_hostile_modules_would_tell(self) -> None:
        ended = self.run_to_end(sys.executable, "-c", "import socket", cwd=self.hostile)
        self.assertEqual(ended.returncode, 1, ended)
        with open(self.mark, encoding="ascii") as file:
            self.assertIn("socket\n", file.readlines())

    def test_the_service(self) -> None:
        for words in ((), ("--workers", "2"), ("--reactor", "asyncio", "--udp", "0")):
            server = Server(script("twistd"), "-n", "echo", "--port", "0", *words, cwd=self.hostile)
            self.addCleanup(server.stop)
            server.listening()
            for _ in range(2 if "--workers" in words else 0):
                server.wait_for("Worker . serves")
            with server.connect() as client:
                self.assertEqual(client.recv(9), b"Hello\n")
            self.assertEqual(server.stop(), 0)
            self.assert_nothing_imported(words)
        self.run_there(script("twistd"), "-n", "echo", "--check")

    def test_the_load_generator(self) -> None:
        command = f"{script('twistd')} -n --pidfile= echo --port {{port}}"
        words = ("--processes", "2", "--html", os.path.join(self.folder(), "report.html"))
        self.run_there(script("echoproto"), "load", "--server", command, *SHORT, *words)

    def test_the_comparison_and_its_report(self) -> None:
        """Of each kind of contestant one."""
        names = f"echo-{auto_name()},twisted-poll,asyncio-protocol,asyncio-streams,uvloop-protocol,threads,processes"
        output = self.folder()
        words = ("--contestants", names, "--connections", "2", "--duration", "50ms", "--warmup", "0", "--rounds", "1")
        self.run_there(script("echoproto"), "compare", *words, "--no-calls", "--output", output)
        self.run_there(script("echoproto"), "report", os.path.join(output, "results.json"))
        self.run_there(script("echoproto"), "reactors")


class ChildrenTests(TwistdCase):
    def started(self, *words: str) -> Child:
        """``echoproto``, which the test has to end."""
        child = Child(script("echoproto"), *words, cwd=self.folder())
        self.addCleanup(child.stop, signal.SIGKILL)
        return child

    def helpers(self, child: Child) -> list[psutil.Process]:
        return psutil.Process(child.pid).children(recursive=True)

    def test_a_load_that_is_killed(self) -> None:
        """Its server ends with it, of every kind, and so do its own processes."""
        for server, count in servers.ALL.items():
            folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
            child = self.started("load", "--server", servers.command(server, folder), "--greeting", "", *FOREVER)
            found = begun(folder, count)
            helpers = self.helpers(child)
            child.stop(signal.SIGKILL)
            self.assertEqual(left([*found, *helpers]), [], server)

    def test_a_comparison_that_is_killed(self) -> None:
        for server, count in servers.ALL.items():
            folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
            command = f"mine={servers.command(server, folder)}"
            words = ("--reactors", "poll", "--contestant", command, "--duration", "10m", "--budget", "2h", "--no-calls")
            child = self.started("compare", *words, "--rounds", "1", "--seed", "2")
            found = begun(folder, count)
            helpers = self.helpers(child)
            child.stop(signal.SIGKILL)
            self.assertEqual(left([*found, *helpers]), [], server)

    def test_a_load_that_ends(self) -> None:
        """Both a good server, and one whose first process is gone, end with the load."""
        for server in (servers.FORKING, servers.DAEMON):
            folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
            child = self.started("load", "--server", servers.command(server, folder), "--greeting", "", *SHORT)
            found = begun(folder, servers.ALL[server])
            self.assertIn(child.end(), (0, 3), child.lines)
            self.assertEqual(servers.running(found), [])

    def test_a_server_that_fails_to_start(self) -> None:
        """A daemon that it has started by then ends with it."""
        for end, why in (("sys.exit(7)", "ended with status 7"), ("sys.exit(0)", "stay in the foreground")):
            folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
            child = self.started("load", "--server", servers.command(f"{servers.FAILING}\n{end}", folder), *SHORT)
            self.assertEqual(child.end(), 3)
            self.assertIn(why, "\n".join(child.lines))
            pids = [int(name) for name in os.listdir(folder) if name.isdecimal()]
            self.assertEqual((len(pids), [pid for pid in pids if psutil.pid_exists(pid)]), (1, []))

    def test_a_load_that_is_interrupted_before_its_server_listens(self) -> None:
        """L6: by each signal; nothing is left of the server."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
            child = self.started("load", "--server", servers.command(f"{servers.FAILING}\nlinger()", folder), *SHORT)
            found = begun(folder, 2)
            child.process.send_signal(number)
            self.assertEqual(child.end(), 130)
            self.assertIn("Error: interrupted before the server listened", child.lines)
            self.assertEqual(servers.running(found), [])

    def test_a_load_that_is_interrupted_twice(self) -> None:
        """The second Ctrl-C means now, also for a server that ignores SIGTERM, and for its daemon."""
        for server in (servers.STUBBORN, servers.FORKING, servers.DAEMON):
            folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
            words = ("load", "--server", servers.command(server, folder), "--greeting", "", *FOREVER)
            child = self.started(*words)
            found = begun(folder, servers.ALL[server])
            begin = time.monotonic()
            while time.monotonic() - begin < 3 and child.process.poll() is None:  # earlier ones repeat the first
                child.process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.process.wait(1.1)
            self.assertIn(child.end(), (3, 130), server)
            self.assertEqual(left(found), [], server)

    def test_a_load_that_is_interrupted(self) -> None:
        """L6"""
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
        child = self.started("load", "--server", servers.command(servers.STUBBORN, folder), "--greeting", "", *FOREVER)
        found = begun(folder, 1)
        child.process.send_signal(signal.SIGINT)
        self.assertEqual(child.end(), 130)
        self.assertEqual(servers.running(found), [])
