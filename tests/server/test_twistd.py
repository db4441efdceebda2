"""What takes a process of its own stands in tests/integration."""

import contextlib
import io
import os
import subprocess
import sys
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, UnavailableError
from echoproto.server.twistd import StartFailed, fill_standard_streams, print_error, print_out


class StartFailedTests(SynchronousTestCase):
    def test_ends_the_process_without_a_traceback(self) -> None:
        failed = StartFailed(ConfigurationError("no\ngood"))
        self.assertIsInstance(failed, SystemExit)
        self.assertEqual(failed.code, 2)
        self.assertEqual(str(failed), "no\\ngood")

    def test_twistd_cleans_up_for_it(self) -> None:
        """It removes its pid file, and tells a daemon's parent, for an `Exception` only."""
        self.assertIsInstance(StartFailed(UnavailableError("busy")), Exception)


class PrintTests(SynchronousTestCase):
    def test_errors_are_one_line(self) -> None:
        with mock.patch.object(sys, "__stderr__", io.StringIO()) as err:
            print_error("a\nb")
        self.assertEqual(err.getvalue(), "echo: a\\nb\n")

    def test_errors_without_standard_error(self) -> None:
        """E8."""
        with mock.patch.object(sys, "__stderr__", None):
            print_error("nobody sees it")

    def test_output(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            print_out("a", "b")
        self.assertEqual(out.getvalue(), "a\nb\n")

    def test_output_that_can_not_be_written(self) -> None:
        """As when a pipe has nobody who reads from it, or a disk is full."""
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w", encoding="utf-8") as broken, contextlib.redirect_stdout(broken):
            error: Any = self.assertRaises(UnavailableError, print_out, "a")
        self.assertEqual(str(error), "can't write to standard output: Broken pipe")


class StandardStreamsTests(SynchronousTestCase):
    def test_those_that_are_open_stay(self) -> None:
        before = (sys.stdin, sys.stdout, sys.stderr)
        fill_standard_streams()
        self.assertEqual((sys.stdin, sys.stdout, sys.stderr), before)

    def test_one_that_is_missing(self) -> None:
        """E8: in an interpreter that was started without them."""
        script = (
            "import os, sys; from echoproto.server.twistd import fill_standard_streams\n"
            "assert sys.stdout is None and sys.stdin is None\n"
            "fill_standard_streams()\n"
            "print('into nothing', flush=True); assert sys.stdin.read() == '' and sys.__stdout__ is sys.stdout\n"
            "null = os.stat(os.devnull)\n"
            "assert all(os.path.samestat(os.fstat(number), null) for number in (0, 1))\n"
            "assert os.open(os.devnull, os.O_RDONLY) > 2"
        )
        command = ["sh", "-c", 'exec "$0" -c "$1" <&- >&-', sys.executable, script]
        ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
