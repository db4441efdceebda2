import io
import os
import sys
from typing import IO

from twisted.trial.unittest import SynchronousTestCase

from echoproto.console import Substitute
from echoproto.server.runner.daemon import StartErrors


class StartErrorsTests(SynchronousTestCase):
    def setUp(self) -> None:
        reading, writing = os.pipe()
        self.terminal = self.enterContext(open(reading, encoding="utf-8"))
        self.stream: IO[str] = self.enterContext(open(writing, "w", encoding="ascii", buffering=1))
        self.patch(sys, "__stderr__", self.stream)

    def read(self) -> str:
        self.stream.close()
        return self.terminal.read()

    def test_tells(self) -> None:
        """Also when the daemon has put something else in the place of standard error."""
        errors = StartErrors("told")
        number = self.stream.fileno()
        self.stream.flush()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)
        errors.tell("a\nb \xe9")
        errors.close()
        self.assertEqual(self.read(), "a\\nb \\xe9\n")

    def test_leaves_out_what_was_told(self) -> None:
        errors = StartErrors("Failed: ")
        assert sys.__stderr__ is not None
        sys.__stderr__.write("An error has occurred: b'Failed: a'\n")
        sys.__stderr__.write("An error has occurred: b''\nPlease look")
        sys.__stderr__.write("other\n")
        sys.__stderr__.flush()
        self.assertEqual(sys.__stderr__.fileno(), self.stream.fileno())
        errors.close()
        self.assertEqual(self.read(), "echo: the daemon has ended before it served; its log may say why\nother\n")

    def test_closed(self) -> None:
        errors = StartErrors("told")
        errors.close()
        errors.close()
        errors.tell("nothing")
        self.assertEqual(self.read(), "")

    def test_without_standard_error(self) -> None:
        """E8."""
        for stream in (None, self.enterContext(Substitute(io.BytesIO(), encoding="utf-8"))):
            self.patch(sys, "__stderr__", stream)
            errors = StartErrors("told")
            errors.tell("nothing")
            errors.close()
            self.assertIs(sys.__stderr__, stream)

    def test_standard_error_that_can_not_be_written(self) -> None:
        self.terminal.close()
        errors = StartErrors("told")
        errors.tell("nothing")
        errors.close()
