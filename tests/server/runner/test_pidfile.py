import builtins
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any
from unittest import mock

from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, UnavailableError
from echoproto.server.runner import pidfile
from tests.support.logs import record_log


class PidFileCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
        self.path = f"{self.folder}/twistd.pid"

    def write(self, content: object) -> None:
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(str(content))

    def process(self, *words: str, cwd: str = "/") -> int:
        """The number of a process that runs until the test ends."""
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd)
        self.addCleanup(process.communicate)
        assert process.stdout is not None
        process.stdout.readline()
        return process.pid

    def python(self, *words: str, cwd: str = "/") -> int:
        """The same, of Python; it has begun to run."""
        return self.process(sys.executable, "-c", "print(flush=True); input()", *words, cwd=cwd)

    def ended(self) -> int:
        process = subprocess.Popen(["true"])
        process.wait()
        return process.pid


class ClearTests(PidFileCase):
    def assert_cleared(self, pid: object, reason: str, content: str = "") -> None:
        self.write(content or pid)
        logged = record_log(self)
        pidfile.clear(self.path, keep=True)
        self.assertEqual((os.listdir(self.folder), logged), (["twistd.pid"], []))
        pidfile.clear(self.path)
        self.assertEqual(os.listdir(self.folder), [])
        [event] = logged
        self.assertEqual(formatEvent(event), f"Removed {self.path}, left by process {pid}: {reason}")
        self.assertEqual((event["log_namespace"], event["event"]), ("echoproto", "stale-pid-file-removed"))

    def assert_refused(self, content: object, expected: str) -> None:
        self.write(content)
        for keep in (False, True):
            error = self.assertRaises(UnavailableError, pidfile.clear, self.path, keep=keep)
            self.assertEqual(str(error), expected)
        with open(self.path, encoding="utf-8") as file:
            self.assertEqual(file.read(), str(content))

    def assert_taken_for_an_instance(self, pid: int) -> None:
        self.assert_refused(
            pid,
            f"process {pid} runs; stop it, or name another file, or none (--pidfile=); "
            "if that is a different program, remove the file",
        )

    def test_none(self) -> None:
        pidfile.clear(self.path)

    def test_a_process_that_is_gone(self) -> None:
        self.assert_cleared(pid := self.ended(), "no such process runs")
        self.assert_cleared(pid, "no such process runs", f" 00{pid}\n")
        self.assert_cleared(2**31 - 1, "no such process runs")

    def test_this_process(self) -> None:
        """As number 1 in a container that was started again."""
        self.assert_cleared(os.getpid(), "that is this process itself")

    def test_a_process_that_runs_something_else(self) -> None:
        if not os.path.exists("/proc/self/cmdline"):
            self.skipTest("this system does not tell what a process runs")
        shell = os.path.basename(os.path.realpath(shutil.which("sh") or ""))
        self.assert_cleared(self.process("sh", "-c", "echo; read line"), f"that is {shell}")
        self.assert_cleared(self.process("sh", "-c", "echo; read line", "twistd", cwd=self.folder), f"that is {shell}")
        name = os.path.basename(sys.executable)
        self.assert_cleared(self.python("x"), f"that is {name} -c")

    def test_a_process_that_nobody_has_waited_for(self) -> None:
        if not os.path.exists("/proc/self/cmdline"):
            self.skipTest("this system does not tell what a process runs")
        process = subprocess.Popen(["true"])
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assert_cleared(process.pid, "that is one that has ended")
        process.wait()

    def test_a_process_that_may_have_written_it(self) -> None:
        """Of twistd, wherever it runs; or of another program of Python's that runs in that folder."""
        for words in (["/usr/bin/twistd"], ["twistd3", "-n"], ["twisted.scripts.twistd"]):
            self.assert_taken_for_an_instance(self.python(*words))
        self.assert_taken_for_an_instance(self.python(cwd=self.folder))

    def test_a_process_of_another_user(self) -> None:
        """Of which less is told."""
        pid = self.python("/usr/bin/twistd")
        with (
            mock.patch.object(os, "kill", side_effect=PermissionError),
            mock.patch.object(os, "readlink", side_effect=PermissionError),
        ):
            self.assert_taken_for_an_instance(pid)
            self.assert_taken_for_an_instance(self.python())
            if os.path.exists("/proc/self/cmdline"):
                self.assert_cleared(self.process("sh", "-c", "echo; read line"), "that is sh")

    def test_where_the_system_does_not_tell(self) -> None:
        before = open

        def without_proc(path: str, *arguments: Any, **options: Any) -> Any:
            if path.startswith("/proc"):
                raise FileNotFoundError(errno.ENOENT, "")
            return before(path, *arguments, **options)

        with mock.patch.object(builtins, "open", without_proc):
            self.assert_taken_for_an_instance(self.process("sh", "-c", "echo; read line"))

    def test_what_is_no_number_of_a_process(self) -> None:
        for content in ("", "x", "0", "-1", "1.5", "1 2", "2147483648", "9" * 30, "9" * 10_000, "\0"):
            self.assert_refused(content, "holds no process ID; remove it, or name another file, or none (--pidfile=)")

    def test_what_is_no_file(self) -> None:
        os.mkfifo(self.path)  # which nobody writes to: it is not waited for
        error = self.assertRaises(ConfigurationError, pidfile.clear, self.path)
        self.assertEqual(str(error), "is not a regular file; name another, or none (--pidfile=)")
        self.assertRaises(IsADirectoryError, pidfile.clear, self.folder)

    def test_a_folder_that_may_not_be_written_to(self) -> None:
        self.write(self.ended())
        with mock.patch.object(os, "access", return_value=False) as access:
            error: Any = self.assertRaises(PermissionError, pidfile.clear, self.path, keep=True)
        self.assertEqual(error.errno, errno.EACCES)
        access.assert_called_once_with(self.folder, os.W_OK | os.X_OK)


class TryWriteTests(PidFileCase):
    def test_leaves_nothing(self) -> None:
        pidfile.try_write(self.path)
        self.assertEqual(os.listdir(self.folder), [])

    def test_leaves_what_is_there(self) -> None:
        self.write("1")
        pidfile.try_write(self.path)
        with open(self.path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "1")

    def test_leaves_a_link(self) -> None:
        os.symlink("elsewhere", self.path)
        pidfile.try_write(self.path)
        self.assertEqual(os.listdir(self.folder), ["twistd.pid"])

    def test_a_start_at_the_same_time(self) -> None:
        """It is about to make the file, or has just done so: that is not touched."""
        write = os.write

        def written_by_another(descriptor: int, data: bytes) -> int:
            self.write("1")
            return write(descriptor, data)

        with mock.patch.object(os, "write", written_by_another):
            pidfile.try_write(self.path)
        with open(self.path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "1")
        self.assertEqual(os.listdir(self.folder), ["twistd.pid"])

    def test_a_full_disk(self) -> None:
        """Nothing is left of it, no descriptor either."""
        before = os.listdir("/dev/fd")
        with mock.patch.object(os, "write", side_effect=OSError(errno.ENOSPC, "")) as write:
            self.assertRaises(OSError, pidfile.try_write, self.path)
        write.assert_called_once_with(mock.ANY, b"%d" % os.getpid())
        self.assertEqual((os.listdir(self.folder), os.listdir("/dev/fd")), ([], before))

    def test_what_can_not_be_written(self) -> None:
        self.assertRaises(FileNotFoundError, pidfile.try_write, f"{self.folder}/missing/pid")
        self.assertRaises(IsADirectoryError, pidfile.try_write, self.folder)
        error: Any = self.assertRaises(OSError, pidfile.try_write, f"{self.folder}/{'x' * 300}")
        self.assertEqual((error.errno, os.listdir(self.folder)), (errno.ENAMETOOLONG, []))
