import subprocess
import sys
import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from echoproto.host import usage
from echoproto.host.usage import Server, Use

PATIENCE = 30.0

WORK = "import os, subprocess, sys, threading, time\nwhile time.process_time() < 0.1: pass\n"

CHILD = f"child = subprocess.Popen([sys.executable, '-c', {WORK + 'sys.stdin.read()'!r}])\n"

THREAD = """
def wait():
    while True:
        time.sleep(0.0001)
threading.Thread(target=wait, daemon=True).start()
"""


class ServerTests(SynchronousTestCase):
    def watched(self, script: str, until: Callable[[Use], bool]) -> tuple[subprocess.Popen[bytes], Server, Use]:
        """A process that has used something by now."""
        process = subprocess.Popen([sys.executable, "-c", f"{WORK}{script}sys.stdin.read()"], stdin=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        watched = Server(process.pid)
        deadline = time.monotonic() + PATIENCE
        while not until(use := watched.use()):
            self.assertLess(time.monotonic(), deadline, use)
        return process, watched, use

    def test_a_process_and_its_children(self) -> None:
        """Also after they have ended."""
        process, watched, use = self.watched(CHILD, lambda use: use.seconds >= 0.2)
        self.assertTrue(0.2 <= use.seconds < 10, use)
        self.assertEqual(use.ended, 0)
        self.assertTrue(4 << 20 < use.memory < 200 << 20, use)
        process.kill()
        process.wait()
        self.assertEqual(watched.use(), use)

    def test_children_that_have_ended(self) -> None:
        """Their time is not lost."""
        script = f"subprocess.run([sys.executable, '-c', {WORK!r}])\n"
        _, _, use = self.watched(script, lambda use: use.ended > 0.08)
        self.assertTrue(0.18 <= use.seconds < 10, use)

    def test_all_threads(self) -> None:
        _, _, use = self.watched(THREAD, lambda use: use.voluntary >= 300)
        self.assertGreaterEqual(use.involuntary, 0)

    def test_other_systems(self) -> None:
        """psutil has it all, if not as exactly."""
        self.patch(usage, "LINUX", False)
        _, _, use = self.watched("", lambda use: use.seconds >= 0.09)
        self.assertGreater(use.memory, 4 << 20)
