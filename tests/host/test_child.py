import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import psutil
from twisted.trial.unittest import SynchronousTestCase

from echoproto.host import child, linux, watcher
from echoproto.host.child import CannotStart, Child
from echoproto.host.serving import free_port
from echoproto.host.watcher import Process, members, processes
from tests.host import servers
from tests.host.servers import ALL, DAEMON, FORKING, HONEST, PATIENCE, STUBBORN, begun, left, running, wait_for, words

STARTS = """
import os, sys
from echoproto.host.child import Child
child = Child([sys.executable, "-c", *sys.argv[1:]], 1, seconds=600)
sys.stdin.read()
"""

ELSEWHERE = child.WATCH.replace("from", "from echoproto.host import linux; linux.LINUX = False; from", 1)
"""Has a watcher do without what only Linux has."""


class ChildCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.output = self.enterContext(tempfile.TemporaryFile())

    def folder(self) -> str:
        return self.enterContext(tempfile.TemporaryDirectory(prefix="child-"))

    def start(self, script: str, folder: str, seconds: float = 0.2) -> Child:
        started = Child(words(script, free_port(), folder), self.output.fileno(), seconds=seconds)
        self.addCleanup(started.end)
        return started

    def said(self) -> bytes:
        self.output.seek(0)
        return self.output.read()


class ChildTests(ChildCase):
    def test_the_whole_tree_is_ended(self) -> None:
        for script, count in ALL.items():
            if script == DAEMON and not linux.LINUX:
                continue  # nothing else follows one that leaves its group, session and parent
            folder = self.folder()
            with self.start(script, folder) as started:
                found = begun(folder, count)
            self.assertEqual(running(found), [])
            self.assertFalse(psutil.pid_exists(started.pid))

    def test_it_is_told_to_end_before_it_is_killed(self) -> None:
        script = f"{servers.BEGIN}\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit('told'))\nserve()"
        folder = self.folder()
        with self.start(script, folder, seconds=PATIENCE):
            begun(folder, 1)
        self.assertIn(b"told", self.said())

    def test_the_tree_is_ended_when_the_command_is_killed(self) -> None:
        for script, count in ALL.items():
            if script == DAEMON and not linux.LINUX:
                continue
            folder = self.folder()
            starter = subprocess.Popen(
                [sys.executable, "-c", STARTS, script, str(free_port()), folder], stdin=subprocess.PIPE
            )
            with starter:
                found = begun(folder, count)
                helpers = psutil.Process(starter.pid).children(recursive=True)
                starter.kill()
            self.assertEqual(left([*found, *helpers]), [])

    def test_the_command_is_killed_while_it_waits_for_the_end(self) -> None:
        folder = self.folder()
        tells = "signal.signal(signal.SIGTERM, lambda *_: open(os.path.join(sys.argv[2], '0'), 'w').close())"
        script = STARTS.replace("sys.stdin.read()", "sys.stdin.readline()\nchild.end()")
        command = [sys.executable, "-c", script, f"{servers.BEGIN}\n{tells}\nserve()", str(free_port()), folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0) as starter:
            found = begun(folder, 1)
            assert starter.stdin is not None
            starter.stdin.write(b"\n")
            wait_for(folder, 2)
            starter.kill()
        self.assertEqual(left(found), [])

    def test_an_interrupt_while_it_waits_for_the_end(self) -> None:
        """Has it hurry, and leaves nothing."""
        folder = self.folder()
        started = self.start(STUBBORN, folder, seconds=600)
        found = begun(folder, 1)
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        self.addCleanup(timer.join)
        self.assertRaises(KeyboardInterrupt, started.end)
        self.assertEqual(running(found), [])

    def test_the_watcher_is_told_to_end(self) -> None:
        """As by an administrator who ends all processes of this name."""
        folder = self.folder()
        started = self.start(STUBBORN, folder)
        found = begun(folder, 1)
        psutil.Process(found[0].ppid()).terminate()
        self.assertEqual(left(found), [])
        self.assertEqual(started.wait(PATIENCE), -signal.SIGKILL)

    def test_the_watcher_is_killed(self) -> None:
        """The kernel ends the command then."""
        if not linux.LINUX:
            self.skipTest("only Linux ends a process with its parent")
        folder = self.folder()
        started = self.start(STUBBORN, folder)
        found = begun(folder, 1)
        psutil.Process(found[0].ppid()).kill()
        self.assertEqual(started.wait(PATIENCE), -signal.SIGKILL)
        self.assertEqual(left(found), [])

    def test_out_of_reach_of_the_terminal(self) -> None:
        folder = self.folder()
        started = self.start(HONEST, folder)
        begun(folder, 1)
        self.assertNotIn(os.getpgid(started.pid), (os.getpgrp(), os.getpgid(os.getppid())))

    def test_its_status(self) -> None:
        for script, status in (("", 0), ("raise SystemExit(3)", 3), ("import os\nos.abort()", -signal.SIGABRT)):
            started = self.start(script, self.folder())
            self.assertEqual(started.wait(PATIENCE), status)
            self.assertEqual(started.wait(0), status)
        self.assertIs(self.start(HONEST, self.folder()).wait(0.01), None)

    def test_what_cannot_be_started(self) -> None:
        for command, why in (
            (["/no/such/program"], "/no/such/program: No such file or directory"),
            (["/etc/passwd"], "/etc/passwd: Permission denied"),
            (["nul\0"], "embedded null byte"),
        ):
            error = self.assertRaises(CannotStart, Child, command, self.output.fileno(), seconds=1)
            self.assertEqual(str(error), why)

    def test_words_that_are_no_text(self) -> None:
        name = os.fsdecode(b"\xff \x1b")
        script = "import os, sys\nos.write(1, os.fsencode(sys.argv[1]))"
        with Child([sys.executable, "-c", script, name], self.output.fileno(), seconds=1) as started:
            self.assertEqual(started.wait(PATIENCE), 0)
        self.assertEqual(self.said(), b"\xff \x1b")

    def test_the_environment_is_left_alone(self) -> None:
        """A command of the user's has the path that the user has set, and the current folder in it."""
        before = os.environ.get("PYTHONPATH")
        self.addCleanup(
            lambda: os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)
        )
        os.environ["PYTHONPATH"] = "/one"
        script = "import json, os, sys\njson.dump([dict(os.environ), sys.path[0], os.getcwd()], sys.stdout)"
        with Child([sys.executable, "-c", script], self.output.fileno(), seconds=1) as started:
            started.wait(PATIENCE)
        environment, first, folder = json.loads(self.said())
        self.assertEqual((environment["PYTHONPATH"], first, folder), ("/one", "", os.getcwd()))
        self.assertEqual("PYTHONSAFEPATH" in environment, "PYTHONSAFEPATH" in os.environ)


class ElsewhereTests(ChildCase):
    """On systems other than Linux: a process group, and all whose parents lead there."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(child, "WATCH", ELSEWHERE)

    def test_the_tree_is_ended(self) -> None:
        script = FORKING.replace("if not os.fork() and not os.fork():", "if not os.fork():")
        for server, count in ((HONEST, 1), (STUBBORN, 1), (script, 4)):
            folder = self.folder()
            with self.start(server, folder):
                found = begun(folder, count)
            self.assertEqual(running(found), [])

    def test_all_processes(self) -> None:
        """The two ways to list them tell the same."""
        if not linux.LINUX:
            self.skipTest("there is but one way here")
        script = f"{servers.BEGIN}\nif not os.fork(): os._exit(0)\nlinger()"
        folder = self.folder()
        started = self.start(script, folder)
        begun(folder, 1)

        def ours() -> list[Process]:
            return sorted(each for each in processes() if started.pid in (each.pid, each.parent))

        deadline = time.monotonic() + PATIENCE
        while not any(process.ended for process in ours()):
            self.assertLess(time.monotonic(), deadline)
        here = ours()
        self.patch(watcher, "LINUX", False)
        self.assertEqual(ours(), here)
        self.assertEqual([process.parent == started.pid for process in here], [False, True])


class MembersTests(SynchronousTestCase):
    def test_by_parent_and_by_group(self) -> None:
        found = [
            Process(1, 0, 1, ended=False),
            Process(10, 1, 10, ended=False),  # the watcher
            Process(11, 10, 11, ended=False),
            Process(12, 11, 12, ended=False),  # another group
            Process(13, 1, 11, ended=False),  # lost its parent
            Process(14, 13, 14, ended=False),
            Process(15, 11, 11, ended=True),
            Process(16, 15, 16, ended=False),
            Process(20, 1, 20, ended=False),
        ]
        self.assertEqual(members(10, 11, found), {11, 12, 13, 14, 16})
