"""The command, on a module whose tests catch some mutants, and not others."""

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

import checks

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(checks.__file__)))


class MutationTests(SynchronousTestCase):
    def mutate(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "checks.mutation", *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)

    def test_what_is_caught_and_what_survives(self) -> None:
        """A comparison turned round is caught, a loop without an end by time; a boundary that moves by one is not."""
        ended = self.mutate("tests/checks/sample.py", "--tests", "tests.checks.sampletests", "--spare", "3")
        survivors, _, summary = ended.stdout.rpartition("\n\n")
        self.assertEqual(
            survivors.split("\n\n"),
            [
                f"tests/checks/sample.py:7 in over: survived\n- return number > 10\n+ return number {rest}"
                for rest in (">= 10", "> 11", "> 9")
            ],
            ended.stderr,
        )
        self.assertRegex(
            summary,
            r"^BAD  tests/checks/sample +57\.1 % of +7 caught \(1 by time\), 3 survived, 0 equivalent, \d+ s\n$",
        )
        self.assertEqual(ended.returncode, 1)

    def test_tests_that_fail_without_any_change(self) -> None:
        ended = self.mutate("tests/checks/sample.py", "--tests", "tests.checks.there_is_none")
        self.assertIn("BAD  tests/checks/sample  its tests fail on epoll without any change", ended.stdout)
        self.assertEqual(ended.returncode, 1)

    def test_a_module_that_there_is_not(self) -> None:
        ended = self.mutate("server/nothing")
        self.assertIn("unknown module 'server/nothing', expected one of protocol, datagram", ended.stderr)
        self.assertEqual(ended.returncode, 2)
