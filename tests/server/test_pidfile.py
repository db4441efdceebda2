import os
import subprocess
import sys
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, UnavailableError
from echoproto.server import pidfile


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
    def assert_cleared(self, content: object) -> None:
        self.write(content)
        pidfile.clear(self.path, keep=True)
        self.assertEqual(os.listdir(self.folder), ["twistd.pid"])
        pidfile.clear(self.path)
        self.assertEqual(os.listdir(self.folder), [])

    def assert_refused(self, content: object, expected: str) -> None:
        self.write(content)
        for keep in (False, True):
            error = self.assertRaises(UnavailableError, pidfile.clear, self.path, keep=keep)
            self.assertIn(expected, str(error))
        with open(self.path, encoding="utf-8") as file:
            self.assertEqual(file.read(), str(content))

    def test_none(self) -> None:
        pidfile.clear(self.path)

    def test_a_process_that_is_gone(self) -> None:
        self.assert_cleared(self.ended())
        self.assert_cleared(f" 00{self.ended()}\n")

    def test_this_process(self) -> None:
        """As number 1 in a container that was started again."""
        self.assert_cleared(os.getpid())

    def test_a_process_that_runs_something_else(self) -> None:
        if not os.path.exists("/proc/self/cmdline"):
            self.skipTest("this system does not tell what a process runs")
        self.assert_cleared(self.process("sh", "-c", "echo; read line"))
        self.assert_cleared(self.process("sh", "-c", "echo; read line", "twistd", cwd=self.folder))
        self.assert_cleared(self.python())

    def test_a_process_that_may_have_written_it(self) -> None:
        """Of twistd, wherever it runs; or of another program of Python's that runs in that folder."""
        for pid in (self.python("/usr/bin/twistd"), self.python(cwd=self.folder)):
            self.assert_refused(pid, f"process {pid} runs; stop it, or name another file")

    def test_what_is_no_number_of_a_process(self) -> None:
        for content in ("", "x", "0", "-1", "1.5", "1 2", "2147483648", "9" * 30, "9" * 10_000, "\0"):
            self.assert_refused(content, "holds no process ID; remove it, or name another file")

    def test_what_is_no_file(self) -> None:
        os.mkfifo(self.path)  # which nobody writes to: it is not waited for
        error = self.assertRaises(ConfigurationError, pidfile.clear, self.path)
        self.assertIn("is not a regular file", str(error))
        self.assertRaises(IsADirectoryError, pidfile.clear, self.folder)


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

    def test_what_can_not_be_written(self) -> None:
        self.assertRaises(FileNotFoundError, pidfile.try_write, f"{self.folder}/missing/pid")
        self.assertRaises(IsADirectoryError, pidfile.try_write, self.folder)
