"""Text that standard streams can't encode, and streams that can't be written."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from echoproto.console import escape_unencodable, fill_standard_streams, print_error, print_out, run
from echoproto.errors import ConfigurationError, OutputError

UNWRITABLE = {">&-": "it is closed"}
"""Redirections of a shell to output that can't be written, and the error message for each."""
if os.path.exists("/dev/full"):
    UNWRITABLE[">/dev/full"] = "No space left on device"


class EscapeTests(SynchronousTestCase):
    def written(self, errors: str) -> bytes:
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors=errors)
        escape_unencodable(stream)
        stream.write("h\xe9\u2713\udcff")
        stream.flush()
        return stream.buffer.getvalue()

    def test_those_that_raise(self) -> None:
        for errors in ("strict", "surrogateescape", "backslashreplace"):
            self.assertEqual(self.written(errors), rb"h\xe9\u2713\udcff")

    def test_signs_of_our_own(self) -> None:
        """They have a way to be written in ASCII, so that a unit can be read."""
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        escape_unencodable(stream)
        stream.write("12 µs … 1–2 ×")
        stream.flush()
        self.assertEqual(stream.buffer.getvalue(), b"12 us ... 1-2 x")

    def test_what_can_not_be_decoded(self) -> None:
        """The handler is for writing only."""
        self.assertRaises(UnicodeDecodeError, b"\xff".decode, "ascii", "echoproto.escape")

    def test_what_the_user_chose(self) -> None:
        self.assertEqual(self.written("replace"), b"h???")

    def test_what_has_no_encoding(self) -> None:
        escape_unencodable(io.StringIO())
        escape_unencodable(None)


class PrintTests(SynchronousTestCase):
    def test_errors_are_one_line(self) -> None:
        with mock.patch.object(sys, "__stderr__", io.StringIO()) as err:
            print_error("a\nb")
        self.assertEqual(err.getvalue(), "a\\nb\n")

    def test_errors_without_standard_error(self) -> None:
        """E8."""
        with mock.patch.object(sys, "__stderr__", None):
            print_error("nobody sees it")

    def test_errors_that_can_not_be_written(self) -> None:
        with self._broken() as broken, mock.patch.object(sys, "__stderr__", broken):
            print_error("nobody sees it")

    def test_output(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            print_out("a", "b")
        self.assertEqual(out.getvalue(), "a\nb\n")

    def test_output_that_can_not_be_encoded(self) -> None:
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="ascii")) as out:
            print_out("h\xe9")
        self.assertEqual(out.buffer.getvalue(), b"h\\xe9\n")

    def test_output_that_can_not_be_written(self) -> None:
        """For example, a pipe without a reader, or a full disk."""
        with self._broken() as broken, contextlib.redirect_stdout(broken):
            error: Any = self.assertRaises(OutputError, print_out, "a")
        self.assertEqual(str(error), "can't write to standard output: Broken pipe")

    def _broken(self) -> io.TextIOWrapper:
        reading, writing = os.pipe()
        os.close(reading)
        return open(writing, "w", encoding="utf-8")


class StandardStreamsTests(SynchronousTestCase):
    def test_those_that_are_open_stay(self) -> None:
        before = (sys.stdin, sys.stdout, sys.stderr)
        fill_standard_streams()
        self.assertEqual((sys.stdin, sys.stdout, sys.stderr), before)

    def test_one_that_is_missing(self) -> None:
        """E8: in an interpreter that was started without them."""
        script = (
            "import os, sys; from echoproto.console import fill_standard_streams, print_out\n"
            "assert sys.stdout is None and sys.stdin is None\n"
            "fill_standard_streams()\n"
            "print('into nothing', flush=True); assert sys.stdin.read() == '' and sys.__stdout__ is sys.stdout\n"
            "null = os.stat(os.devnull)\n"
            "assert all(os.path.samestat(os.fstat(number), null) for number in (0, 1))\n"
            "assert os.open(os.devnull, os.O_RDONLY) > 2\n"
            "try: print_out('a')\n"
            "except Exception as error: sys.exit(str(error))"
        )
        command = ["sh", "-c", 'exec "$0" -c "$1" <&- >&-', sys.executable, script]
        ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((ended.returncode, ended.stderr), (1, "can't write to standard output: it is closed\n"))


class RunTests(SynchronousTestCase):
    """In processes of their own, whose streams are real."""

    def run_code(self, code: str, streams: str = "", environment: Mapping[str, str] = {}) -> tuple[int, str, str]:
        """Run code as a command, with its streams redirected as a shell does; its status, output and error output."""
        script = (
            f"import os, sys, threading; from echoproto.console import run\ndef command():\n    {code}\nrun(command)"
        )
        words = ["sh", "-c", f'exec "$0" -c "$1" {streams}', sys.executable, script]
        ended = subprocess.run(
            words, capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=30
        )
        return ended.returncode, ended.stdout, ended.stderr

    def test_nothing_wrong(self) -> None:
        self.assertEqual(self.run_code("print('h\xe9'); print('e', file=sys.stderr)"), (0, "h\xe9\n", "e\n"))
        self.assertEqual(self.run_code("print('a'); sys.exit(3)"), (3, "a\n", ""))
        self.assertEqual(self.run_code("print('a')", environment={"PYTHONUNBUFFERED": "1"}), (0, "a\n", ""))

    def test_text_that_the_encoding_lacks(self) -> None:
        ascii_only = {"PYTHONIOENCODING": "ascii"}
        ended = self.run_code("print('h\\xe9'); print('h\\xe9', file=sys.stderr)", environment=ascii_only)
        self.assertEqual(ended, (0, "h\\xe9\n", "h\\xe9\n"))

    def test_output_that_can_not_be_written(self) -> None:
        """Status 2 takes precedence, even for an error that shows only at the end; once, and never 120."""
        for code in ("print('a')", "print('a'); sys.exit(1)", "print('a' * 100_000)", "print('a'); sys.stdout.flush()"):
            for environment in ({}, {"PYTHONUNBUFFERED": "1"}):
                for streams, reason in UNWRITABLE.items():
                    line = f"Error: can't write to standard output: {reason}\n"
                    self.assertEqual(self.run_code(code, streams, environment), (2, "", line), (code, streams))

    def test_a_reader_that_has_seen_enough(self) -> None:
        """As of head(1): the command ends as it would have."""
        gone = "reading, writing = os.pipe(); os.close(reading); os.dup2(writing, 1)"
        for code in ("print('a' * 100_000)", "print('a', flush=True); print('b' * 9_999)"):
            self.assertEqual(self.run_code(f"{gone}; {code}; sys.exit(3)"), (3, "", ""))

    def test_output_that_was_not_needed(self) -> None:
        for streams in (*UNWRITABLE, ">&- 2>&- <&-"):
            self.assertEqual(self.run_code("sys.exit(3)", streams), (3, "", ""))

    def test_errors_that_can_not_be_written(self) -> None:
        """A command goes on without them, and its status is what it is."""
        for streams in UNWRITABLE:
            errors = f"2{streams}"
            self.assertEqual(self.run_code("print('e', file=sys.stderr); print('a')", errors), (0, "a\n", ""))
            self.assertEqual(self.run_code("print('a')", f"{streams} {errors}"), (2, "", ""))

    def test_a_pipe_that_does_not_block(self) -> None:
        """All of it comes, when there is room."""
        code = "os.set_blocking(1, False); print('a' * 1_000_000)"
        self.assertEqual(self.run_code(code), (0, "a" * 1_000_000 + "\n", ""))

    def test_closed_streams_are_no_room_for_files(self) -> None:
        code = "assert os.open(os.devnull, os.O_RDONLY) > 2"
        self.assertEqual(self.run_code(code, "<&- >&- 2>&-"), (0, "", ""))

    def test_streams_that_a_caller_has_replaced(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            ended: SystemExit = self.assertRaises(SystemExit, run, lambda: print("a"))
        self.assertEqual((ended.code, out.getvalue()), (0, "a\n"))

    def test_other_errors_are_not_ours(self) -> None:
        def command() -> None:
            raise ConfigurationError("wrong")

        with tempfile.TemporaryFile("w") as out, contextlib.redirect_stdout(out):
            self.assertRaises(ConfigurationError, run, command)
