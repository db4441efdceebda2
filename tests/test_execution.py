import io
import os
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from tests import execution
from tests.execution import OUTPUT, Ended, Part, report, run
from tests.load.test_processes import PATIENCE, is_running

CASES = """
from twisted.trial.unittest import SynchronousTestCase
class XTests(SynchronousTestCase):
    def test_good(self): pass
    def test_bad(self): self.fail("so bad")
    def test_left_out(self): self.skipTest("nothing to do")
"""

DIES = """
import os, signal
print("last words", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


TRIAL = Part("trial", "one", "-m twisted.trial --temp-directory=temporary test_cases")
PYTEST = Part("pytest", "two", "-m pytest -v -rs -p no:cacheprovider -p no:twisted test_cases.py")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ExecutionTests(SynchronousTestCase):
    def setUp(self) -> None:
        """In a folder of its own, where trial and pytest find what is written here."""
        self.addCleanup(os.chdir, os.getcwd())
        folder = self.mktemp()
        os.makedirs(folder)
        os.chdir(folder)
        os.mkdir(OUTPUT)
        for name, text in (("test_cases.py", CASES), ("dies.py", DIES)):
            with open(name, "w", encoding="ascii") as file:
                file.write(text)
        self.patch(execution, "LEAST", {"trial": 1, "pytest": 1})
        self.patch(execution, "LOOK_SECONDS", 0.01)
        self.patch(execution, "LOG_SECONDS", 0.0)
        self.patch(execution, "TERMINAL_SECONDS", 0.0)
        environment = {name: value for name, value in os.environ.items() if name != "CI"}
        self.patch(os, "environ", environment)

    def run_parts(self, *parts: Part, terminal: bool = False) -> tuple[list[Ended], str]:
        output = Terminal() if terminal else io.StringIO()
        self.patch(sys, "stdout", output)
        ended = list(run(list(parts), 2))
        report(ended)
        return ended, output.getvalue()

    def test_what_it_prints(self) -> None:
        """A line when each begins and ends, progress, and at the end what was skipped and failed, with tracebacks."""
        ended, output = self.run_parts(TRIAL, PYTEST)
        self.assertEqual([str(each.tally) for each in ended], ["1 passed, 1 failed, 1 skipped"] * 2)
        for part in ("trial one", "pytest two"):
            self.assertRegex(output, rf"(?m)^{part} +begins$")
            self.assertRegex(output, rf"(?m)^{part} +FAILED +\d+\.\d s  1 passed, 1 failed, 1 skipped$")
        self.assertRegex(output, r"(?m)^ +\d+ s  .*one \d.* tests; 0 parts wait$")
        progress, _, told = output.partition("skipped   2: nothing to do\n")
        self.assertNotIn("Traceback", progress)
        self.assertEqual(told.count("FailTest: so bad"), 2)
        self.assertIn(f"\ntrial one: 1 failed, all of its output is in {OUTPUT}/trial-one.txt\n", told)
        self.assertTrue(told.endswith((" test_cases.XTests.test_bad\n", " XTests.test_bad\n")), told)

    def test_a_terminal(self) -> None:
        """One line of progress replaces the other."""
        _, output = self.run_parts(TRIAL, terminal=True)
        self.assertRegex(output, r"\r\x1b\[2K +\d+ s  [^\r\n]*trial one \d")

    def test_what_is_skipped_fails_in_ci(self) -> None:
        os.environ["CI"] = "true"
        [ended], output = self.run_parts(TRIAL)
        self.assertEqual(ended.tally.failed, 2)
        self.assertEqual(output.count("It may not be skipped in CI: nothing to do"), 1)

    def test_a_process_that_dies(self) -> None:
        [ended], output = self.run_parts(Part("trial", "dies", "dies.py"))
        self.assertEqual(ended.tally.failed, 1)
        self.assertIn("FAILED trial dies: trial dies\n", output)
        self.assertIn("last words", output)

    def test_told_to_end(self) -> None:
        """A running part is ended together with the processes that it started."""
        with open("starts.py", "w", encoding="ascii") as file:
            file.write("import os, time\nif child := os.fork(): print(os.getpid(), child, flush=True)\ntime.sleep(600)")
        part = Part("trial", "starts", "starts.py")

        def begun(*_: object) -> None:
            if part.output().endswith("\n"):
                raise KeyboardInterrupt

        self.patch(execution.Board, "show", begun)
        self.assertRaises(KeyboardInterrupt, self.run_parts, part)
        deadline = time.monotonic() + PATIENCE
        while any(is_running(int(pid)) for pid in part.output().split()):
            self.assertLess(time.monotonic(), deadline)

    def test_too_few_tests(self) -> None:
        self.patch(execution, "LEAST", {"trial": 2})
        path = "test_cases.XTests.test_good"
        [ended], output = self.run_parts(Part("trial", "few", f"-m twisted.trial --temp-directory=temporary {path}"))
        self.assertEqual((ended.tally.passed, ended.tally.failed), (1, 1))
        self.assertIn("1 tests are too few", output)
