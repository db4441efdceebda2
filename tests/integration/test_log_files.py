"""Files, pipes and devices that the log of the installed ``twistd`` goes to."""

import json
import os
import pwd
import select
import signal
import stat
import subprocess
import time
from pathlib import Path

from tests.integration.twistd import PATIENCE, REACTOR, Child, script
from tests.integration.unheard import UnheardCase

HEAD = 'sh -c \'{{ "$@"; echo "status $?" >&2; }} | head -n 1\' - {}'
"""A reader that goes away after a line; then, the exit status is printed."""


LOG_MUCH = """
import sys
from echoproto.protocol import EchoFactory
from twisted.python import log

add = EchoFactory.add

def add_and_log(self, connection):
    add(self, connection)
    log.msg(f"a line of another package about {id(connection)}", isError=True)
    print("printed by another package", file=sys.stderr)
    try:
        raise ValueError("no good")
    except ValueError:
        log.err()

EchoFactory.add = add_and_log
"""
"""A module that Python imports at its start: of each connection, it has others log something."""


class LogFilesTests(UnheardCase):
    def logged(self, path: Path, pattern: str, count: int = 1) -> str:
        """Wait for a text in a file; all that is in it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            text = path.read_text() if path.exists() else ""
            if text.count(pattern) >= count:
                return text
            self.assertLess(time.monotonic(), deadline, f"no {pattern!r} in {path}")
            time.sleep(0.01)

    def signals(self, child: Child, port: int) -> None:
        """Have it rotate and reopen its log, and serve on; a turn that serves comes after those that do so."""
        for number in (signal.SIGUSR1, signal.SIGHUP):
            child.process.send_signal(number)
            self.served(port, 3)

    def test_what_is_no_regular_file_stays(self) -> None:
        """E1: a pipe, and, for root, a device, as /dev/null is one: neither is renamed, nor replaced."""
        folder = Path(self.folder())
        os.mkfifo(folder / "pipe")
        if os.geteuid() == 0:
            os.mknod(folder / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        before = {path.name: path.stat().st_ino for path in folder.iterdir()}
        for name, log_format in zip(before, ("text", "json"), strict=False):
            words = ("-n", "--pidfile=", "--logfile", name)
            child, port = self.unheard(*words, folder=str(folder), echo=f"--log-format {log_format}")
            self.signals(child, port)
            self.assertEqual(child.stop(), 0)
            self.assertEqual({path.name: path.stat().st_ino for path in folder.iterdir()}, before)

    def test_a_pipe_that_nobody_reads(self) -> None:
        """E1: the echo goes on, whether it is full from the start or not, and a stop stops."""
        for words, command in ((("--logfile", "pipe"), "{}"), ((), "{} >pipe")):
            folder = self.folder()
            os.mkfifo(path := os.path.join(folder, "pipe"))
            sleeping = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            try:
                while select.select([], [sleeping], [], 0)[1]:
                    os.write(sleeping, b"x" * 4096)
                child, port = self.unheard("-n", *words, command=command, folder=folder, echo="--log-rate 1000")
                self.served(port)
                self.signals(child, port)
                os.read(sleeping, 1 << 20)
                self.assertEqual(child.stop(), 0)
                received = os.read(sleeping, 1 << 20).decode()
            finally:
                os.close(sleeping)
            self.assertIn("lines of the log are lost, which could not be written", received)
            self.assertIn("Received SIGTERM", received)

    def test_a_reader_that_is_gone(self) -> None:
        """E1: ``| head``: no traceback, the echo goes on, and a stop is no error."""
        for words, echo in ((("--logfile", "/dev/stdout"), ""), ((), "--log-format json")):
            child, port = self.unheard("-n", *words, command=HEAD, echo=echo)
            self.served(port, 50)
            os.kill(self.pid_of_daemon(child.cwd), signal.SIGTERM)
            child.end()
            self.assertEqual(child.lines[1:], ["status 0"], child.lines)

    def test_cut_off_while_it_is_written(self) -> None:
        """E1: as logrotate's copytruncate does it: what follows is at the beginning, without NULs."""
        for words, command in ((("--logfile", "echo.log"), "{}"), ((), "{} >echo.log 2>&1")):
            child, port = self.unheard("-n", *words, command=command)
            path = Path(child.cwd, "echo.log")
            self.logged(path, "Host disconnected")  # of who has looked whether it listens
            os.truncate(path, 0)
            self.served(port, 1)
            self.logged(path, "Host disconnected")
            self.assertEqual(child.stop(), 0)
            text = path.read_text()
            self.assertNotIn("\0", text)
            self.assertIn("New connection", text.splitlines()[0])

    def test_a_daemon(self) -> None:
        """O8: its umask is 077; the log has the same permissions and owner before and after; also as another user."""
        for workers in ("1", "2"):
            folder = Path(self.folder())
            words: list[str] = []
            if os.geteuid() == 0 and workers == "1":
                user = pwd.getpwnam("nobody")
                os.chown(folder, user.pw_uid, user.pw_gid)
                folder.chmod(0o755)
                words = ["--uid", str(user.pw_uid)]
            (folder / "link.log").symlink_to("echo.log")
            log = folder / "echo.log"
            echo = ("echo", "--port", "0", "--reactor", REACTOR, "--workers", workers)
            subprocess.run(
                [script("twistd"), *words, "--logfile", "link.log", *echo], cwd=folder, check=True, umask=0o027
            )
            pid = self.pid_of_daemon(str(folder))
            try:
                self.logged(log, "Worker 1 serves" if workers == "2" else "Listening")
                before = log.stat()
                os.kill(pid, signal.SIGUSR1)
                self.exists(folder / "echo.log.1")
                os.rename(log, folder / "moved.log")
                os.kill(pid, signal.SIGHUP)
                self.logged(log, "Received SIGHUP, reloaded")
            finally:
                os.kill(pid, signal.SIGTERM)
            self.logged(log, "Server Shut Down")
            self.assertEqual(stat.S_IMODE(before.st_mode), 0o640)
            self.assertEqual(before.st_uid, user.pw_uid if words else os.geteuid())
            for path in (log, folder / "echo.log.1", folder / "moved.log"):
                found = path.stat()
                self.assertEqual(
                    (found.st_mode, found.st_uid, found.st_gid), (before.st_mode, before.st_uid, before.st_gid), path
                )
            self.assertTrue((folder / "link.log").is_symlink())

    def exists(self, path: Path) -> None:
        deadline = time.monotonic() + PATIENCE
        while not path.exists():
            self.assertLess(time.monotonic(), deadline, path)
            time.sleep(0.01)

    def test_rotation_under_twist(self) -> None:
        folder = Path(self.folder())
        log = folder / "echo.log"
        options = ("--log-file", "echo.log", "--log-format", "text", "echo", "--port", "0", "--reactor", REACTOR)
        child = Child(script("twist"), *options, cwd=str(folder))
        self.addCleanup(child.stop)
        self.logged(log, "Starting reactor")
        child.process.send_signal(signal.SIGUSR1)
        self.exists(folder / "echo.log.1")
        self.assertEqual(child.stop(), 0)
        self.logged(log, "Received SIGTERM, stopping")

    def test_a_log_that_can_not_be_opened(self) -> None:
        """O4, O5: one line that says which and why, in the foreground and as a daemon."""
        folder = Path(self.folder())
        (folder / "folder").mkdir()
        for mode, name, problem in (
            (("-n",), "folder", "Is a directory"),
            ((), "none/log", "No such file or directory"),
        ):
            for check in ((), ("--check",)):
                words = (*mode, "--logfile", name, "echo", "--port", "0", *check)
                ended = self.run_to_end(script("twistd"), *words, cwd=str(folder))
                expected = (1, "", f"echo: can't write the log to {name}: {problem}\n")
                self.assertEqual((ended.returncode, ended.stdout, ended.stderr), expected)

    def test_what_others_log(self) -> None:
        """E4: log lines that peers cause stay within log-rate, in each worker, too; here, one for each connection."""
        folder = self.folder()
        Path(folder, "sitecustomize.py").write_text(LOG_MUCH)
        for echo, pattern in (("", "Listening"), ("--workers 2", "Worker 1 serves")):
            child, port = self.unheard(
                "-n", "--logfile", "echo.log", echo=f"--log-connections off {echo}", env={"PYTHONPATH": folder}
            )
            path = Path(child.cwd, "echo.log")
            self.logged(path, pattern)
            begun = time.monotonic()
            self.served(port, 300)
            self.assertEqual(child.stop(), 0)
            seconds = time.monotonic() - begun + 1
            text = path.read_text()
            for said, burst in (("a line of another package", 20), ("printed by another package", 20), ("no good", 5)):
                # Each worker has a burst of its own, and a share of the rate.
                found = sum(said in line and not line.startswith("\t") for line in text.splitlines())
                self.assertTrue(1 <= found <= 2 * (burst + seconds), (said, found))
            self.assertRegex(text, r"\d+ more exceptions, ValueError at sitecustomize.py:\d+ \w+, not logged")
            self.assertTrue(1 <= text.count("Traceback") <= 2 * (1 + seconds / 5), text.count("Traceback"))

    def test_json_of_workers(self) -> None:
        """Each line is one flat object with a name, whoever has logged it."""
        child, port = self.unheard("-n", "--logfile", "echo.log", echo="--workers 2 --log-format json")
        path = Path(child.cwd, "echo.log")
        self.logged(path, '"worker-serves"', 2)
        self.served(port, 1)
        self.logged(path, '"disconnected"')
        self.assertEqual(child.stop(), 0)
        for line in path.read_text().splitlines():
            event = json.loads(line)
            self.assertEqual(list(event)[:3], ["time", "level", "event"])
            self.assertFalse([value for value in event.values() if isinstance(value, dict | list)], line)
            self.assertLess(len(line), 400)
