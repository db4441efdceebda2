"""What takes a process of its own stands in tests/integration."""

import io
import sys
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, UnavailableError
from echoproto.server.runner.process import StartFailed, print_error


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
