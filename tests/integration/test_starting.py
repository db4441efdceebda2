"""The start, and the start as a daemon, on each reactor, in a folder of its own."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time

from tests.integration.twistd import LISTENING, PATIENCE, REACTOR, TwistdCase, script
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


class DaemonCase(TwistdCase):
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


class DaemonTests(DaemonCase):
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


class CommandTests(TwistdCase):
    def test_timers_follow_the_monotonic_clock(self) -> None:
        """E5: as soon as the options are parsed."""
        code = (
            "import sys, time; from echoproto.server.tap import Options; o = Options(); o.parseOptions(sys.argv[1:])\n"
        )
        code += "from twisted.internet import reactor; print(o.reactor_name, reactor.seconds is time.monotonic)"
        ended = self.run_to_end(sys.executable, "-c", code, "--reactor", REACTOR)
        self.assertEqual(ended.stdout, f"{REACTOR} True\n", ended.stderr)


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
