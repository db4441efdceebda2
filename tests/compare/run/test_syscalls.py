import os
import shlex
import shutil
import sys

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.plan.contestants import catalogue, of_command
from echoproto.compare.results import Cell
from echoproto.compare.run import syscalls
from echoproto.compare.run.sample import Conditions
from echoproto.compare.run.syscalls import count, difference, read_table
from echoproto.host.signals import Interruption
from tests.integration.twistd import tool

TABLE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 37.50    0.000060           4        15           epoll_wait
 25.00    0.000040          10         4         2 accept4
  0.00    0.000000           0         1           _llseek
------ ----------- ----------- --------- --------- ----------------
100.00    0.000160           8        20         2 total
"""

counted = strategies.dictionaries(strategies.sampled_from("abcde"), strategies.integers(0, 10**6))


def executable(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o755)


class TableTests(SynchronousTestCase):
    def test_calls_by_name(self) -> None:
        self.assertEqual(read_table(TABLE), {"epoll_wait": 15, "accept4": 4, "_llseek": 1})
        self.assertEqual(read_table("strace: Process 5 attached"), {})


class DifferenceTests(SynchronousTestCase):
    def test_what_is_of_the_start_is_left_out(self) -> None:
        one, two = {"read": 600, "open": 70}, {"read": 1_600, "send": 2_000, "open": 71, "brk": 4}
        self.assertEqual(list(difference(one, two, 1_000).items()), [("send", 2.0), ("read", 1.0)])

    @given(counted, counted, strategies.integers(1, 10**6))
    def test_the_most_frequent_first(self, one: dict[str, int], two: dict[str, int], echoes: int) -> None:
        found = list(difference(one, two, echoes).values())
        self.assertEqual(found, sorted(found, reverse=True))
        self.assertTrue(all(value > 0 for value in found))


class CountTests(SynchronousTestCase):
    def setUp(self) -> None:
        tool(self, "strace")
        self.patch(syscalls, "MESSAGES_OF_RUNS", ((100, 10), (600, 40)))

    def test_a_real_server(self) -> None:
        found = count(catalogue()["threads"].contestant("tcp"), Cell(connections=5), Conditions(), Interruption())
        assert found is not None
        self.assertEqual(found.why, "")
        self.assertEqual(found.per_echo["sendto"], 1.0)
        # Of each connection, the server also reads the end, unless it is stopped before it gets to that.
        self.assertLessEqual(abs(found.per_echo["recvfrom"] - 1.0), 5 / 500)
        self.assertNotIn("openat", found.per_echo)

    def test_a_server_that_fails(self) -> None:
        command = f"bad={shlex.quote(sys.executable)} -c 'raise SystemExit(\"no {{port}}\")'"
        found = count(of_command(command).contestant("tcp"), Cell(), Conditions(), Interruption())
        assert found is not None
        self.assertEqual(found.per_echo, {})
        self.assertIn("no ", found.why)

    def test_no_strace(self) -> None:
        self.patch(shutil, "which", lambda name: None)
        found = count(catalogue()["threads"].contestant("tcp"), Cell(), Conditions(), Interruption())
        assert found is not None
        self.assertEqual((found.per_echo, found.why), ({}, "strace is not installed"))

    def test_no_time_left(self) -> None:
        contestant = catalogue()["threads"].contestant("tcp")
        found = count(contestant, Cell(connections=2), Conditions(), Interruption(), most=0.0)
        assert found is not None
        self.assertEqual(found.per_echo, {})
        self.assertIn("0 s", found.why)

    def test_it_does_not_trace(self) -> None:
        """As if strace is killed before it has written what it has counted, or all of it."""
        folder = os.path.abspath(self.mktemp())
        os.makedirs(folder)
        path = os.path.join(folder, "strace")
        self.patch(os, "environ", {**os.environ, "PATH": os.pathsep.join([folder, os.environ["PATH"]])})
        contestant = catalogue()["threads"].contestant("tcp")
        for begun in ("", ': > "$4"\n'):
            with open(path, "w", encoding="ascii", opener=executable) as file:
                file.write(f'#!/bin/sh\n{begun}shift 4\nexec "$@"\n')
            found = count(contestant, Cell(connections=2), Conditions(), Interruption())
            assert found is not None
            self.assertEqual((found.per_echo, found.why), ({}, "strace reported no system calls"))

    def test_interrupted(self) -> None:
        interruption = Interruption()
        interruption.requested = True
        contestant = catalogue()["threads"].contestant("tcp")
        self.assertIsNone(count(contestant, Cell(connections=2), Conditions(), interruption))
