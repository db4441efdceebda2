from twisted.trial.unittest import SynchronousTestCase

from tests.tallies import (
    LAST_LINES,
    Problem,
    Tally,
    count_pytest,
    count_trial,
    last_lines,
    problems_of_pytest,
    problems_of_trial,
    read_pytest,
    read_trial,
)

RULE = "=" * 79

TRIAL = f"""tests.test_x
  XTests
    test_a ...                                                           [FAIL]
    test_b ...                                                        [SKIPPED]
    test_c ...                                                             [OK]
  YTests
    test_d ...                                                          [ERROR]

{RULE}
[SKIPPED]
nothing to do

tests.test_x.XTests.test_b
{RULE}
[FAIL]
Traceback (most recent call last):
  File "test_x.py", line 3, in test_a
    [OK]

twisted.trial.unittest.FailTest: 1 != 2

tests.test_x.XTests.test_a
{RULE}
[ERROR]
Traceback (most recent call last):
builtins.ValueError: x

tests.test_x.YTests.test_d
tests.test_x.YTests.test_e
-------------------------------------------------------------------------------
Ran 5 tests in 0.067s

FAILED (skips=1, failures=1, errors=2, successes=1)
"""

PYTEST = """============================= test session starts ==============================
collecting ... collected 5 items

test_x.py::XTests::test_a FAILED                                         [ 20%]
test_x.py::XTests::test_b SKIPPED (nothing to do)                        [ 40%]
test_x.py::XTests::test_c PASSED                                         [ 60%]
test_x.py::YTests::test_d FAILED                                         [ 80%]
test_x.py::YTests::test_d ERROR                                          [ 80%]

==================================== ERRORS ====================================
______________________ ERROR at teardown of YTests.test_d ______________________
logged

=================================== FAILURES ===================================
_________________________________ XTests.test_a ________________________________

self = <test_x.XTests testMethod=test_a>

_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _
E   1 != 2
_________________________________ YTests.test_d ________________________________
E   ValueError: x
=========================== short test summary info ============================
SKIPPED [1] test_x.py:6: nothing to do
=============== 2 failed, 1 passed, 1 skipped, 1 error in 6.24s ================
"""


class TrialTests(SynchronousTestCase):
    def test_its_count(self) -> None:
        self.assertEqual(read_trial(TRIAL), Tally(1, 3, 1))
        self.assertEqual(read_trial("PASSED (successes=7)\n"), Tally(7))
        self.assertEqual(read_trial("PASSED\n"), Tally())
        self.assertEqual(read_trial("Segmentation fault\n"), Tally())

    def test_until_now(self) -> None:
        """Half a line counts as nothing; nor does what the list of failures says."""
        self.assertEqual(count_trial(TRIAL), 4)
        self.assertEqual(count_trial(TRIAL[: TRIAL.index("[FAIL]") + 3]), 0)

    def test_its_problems(self) -> None:
        failed, skipped = problems_of_trial(TRIAL)
        self.assertEqual(skipped, [Problem("tests.test_x.XTests.test_b", "nothing to do")])
        names = ["tests.test_x.XTests.test_a", "tests.test_x.YTests.test_d", "tests.test_x.YTests.test_e"]
        self.assertEqual([problem.name for problem in failed], names)
        self.assertTrue(failed[0].text.startswith("Traceback (most recent call last):\n"), failed)
        self.assertTrue(failed[0].text.endswith("\n\ntwisted.trial.unittest.FailTest: 1 != 2"), failed)
        self.assertEqual(problems_of_trial("Segmentation fault\n"), ([], []))


class PytestTests(SynchronousTestCase):
    def test_its_count(self) -> None:
        self.assertEqual(read_pytest(PYTEST), Tally(1, 3, 1))
        self.assertEqual(read_pytest("=== 7 passed in 123.45s (0:02:03) ===\n"), Tally(7))
        self.assertEqual(read_pytest("2 errors in 1.0s\n"), Tally(0, 2))
        self.assertEqual(read_pytest("Segmentation fault\n"), Tally())

    def test_until_now(self) -> None:
        self.assertEqual(count_pytest(PYTEST), 4)

    def test_its_problems(self) -> None:
        failed, skipped = problems_of_pytest(PYTEST)
        self.assertEqual(skipped, [Problem("test_x.py:6", "nothing to do")])
        names = ["ERROR at teardown of YTests.test_d", "XTests.test_a", "YTests.test_d"]
        self.assertEqual([problem.name for problem in failed], names)
        self.assertEqual([problem.text for problem in failed[::2]], ["logged", "E   ValueError: x"])
        self.assertTrue(failed[1].text.endswith("E   1 != 2"), failed)
        self.assertEqual(problems_of_pytest("Segmentation fault\n"), ([], []))


class OthersTests(SynchronousTestCase):
    def test_sums(self) -> None:
        self.assertEqual(str(Tally(1, 2, 3) + Tally(10, 20, 30)), "11 passed, 22 failed, 33 skipped")

    def test_the_last_lines(self) -> None:
        lines = [str(number) for number in range(LAST_LINES + 1)]
        self.assertEqual(last_lines("\n".join(lines) + "\n").splitlines(), lines[1:])
        self.assertEqual(last_lines(""), "")
