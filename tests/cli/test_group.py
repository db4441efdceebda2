import pickle
import subprocess
import sys
from unittest.mock import patch

import click
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from echoproto.cli.group import Commands, main
from echoproto.errors import InternalError, OutputError, UnavailableError


def ending_with(error: BaseException, env: dict[str, str] | None = None) -> Result:
    """Return the result of a command that ends with an error."""

    @click.command()
    def broken() -> None:
        raise error

    group = Commands(commands={"broken": broken})
    with patch("echoproto.cli.group.run", lambda command: command()):
        return CliRunner(env={"ECHOPROTO_DEBUG": None, **(env or {})}).invoke(group, ["broken"])


class FaultTests(SynchronousTestCase):
    """A command's own faults have a status that no verdict uses."""

    def test_one_line(self) -> None:
        ended = ending_with(ValueError("no\nsense"))
        self.assertEqual((ended.exit_code, ended.stdout), (70, ""))
        [line] = ended.stderr.splitlines()
        self.assertRegex(
            line, r"^Error: internal error at test_group.py:\d+: ValueError: no\\nsense; ECHOPROTO_DEBUG=1 "
        )

    def test_a_traceback_on_demand(self) -> None:
        ended = ending_with(RecursionError("deep"), {"ECHOPROTO_DEBUG": "1"})
        self.assertEqual(ended.exit_code, 70)
        self.assertTrue(ended.stderr.startswith("Traceback (most recent call last):\n"))
        self.assertRegex(
            ended.stderr.splitlines()[-1], r"^Error: internal error at test_group.py:\d+: RecursionError: deep$"
        )

    def test_one_of_another_process(self) -> None:
        """As it was told, not as of where it was raised again."""
        fault = pickle.loads(pickle.dumps(InternalError("internal error at x.py:1: E: e", "Traceback of x\n")))
        ended = ending_with(fault, {"ECHOPROTO_DEBUG": "1"})
        self.assertEqual(ended.stderr, "Traceback of x\nError: internal error at x.py:1: E: e\n")

    def test_ends_that_are_no_faults(self) -> None:
        self.assertEqual(ending_with(KeyboardInterrupt()).exit_code, 130)
        self.assertEqual(ending_with(SystemExit(9)).exit_code, 9)
        self.assertEqual(ending_with(click.ClickException("said")).stderr, "Error: said\n")
        self.assertIsInstance(ending_with(OutputError("for run")).exception, OutputError)

    def test_an_error_of_ours(self) -> None:
        ended = ending_with(UnavailableError("two\nlines"))
        self.assertEqual((ended.exit_code, ended.stdout, ended.stderr), (1, "", "Error: two\\nlines\n"))


class UsageTests(SynchronousTestCase):
    def complaint(self, *words: str) -> str:
        """Exit status 2 and exactly one line."""
        ended = CliRunner().invoke(main, words, prog_name="echoproto")
        self.assertEqual((ended.exit_code, ended.stdout), (2, ""))
        [line] = ended.stderr.splitlines()
        return line

    def test_one_line(self) -> None:
        for words, expected in (
            (["laod"], r"^Error: No such command 'laod'.*; see 'echoproto --help'$"),
            (["--x\n"], r"^Error: No such option.* '?--x\\n'?; see 'echoproto --help'$"),
            (["reactors", "x"], r"^Error: Got unexpected extra argument .*; see 'echoproto reactors --help'$"),
        ):
            self.assertRegex(self.complaint(*words), expected)

    def test_bytes_that_are_no_text(self) -> None:
        """Shown as their escapes, by click, too."""
        for words in (
            ["compare", "--contestant", "\udcff=x"],
            ["compare", "--contestants", "\udcff"],
            ["compare", "--baseline", "\udcff"],
            ["compare", "--preset", "\udcff"],
            ["compare", "--sizes", "\udcff"],
            ["compare", "--rounds", "\udcff"],
            ["load", "\udcff"],
            ["load", "--connections", "\udcff", "tcp:h:1"],
            ["load", "--ca", "/\udcff", "tls:h:1"],
            ["load", "--find-rate", "\udcff", "tcp:h:1"],
            ["report", "\udcff"],
            ["\udcff"],
            ["load", "--\udcff"],
        ):
            line = self.complaint(*words)
            self.assertNotIn("udc", line)
            self.assertIn("\\xff", line)

    def test_no_command_is_help(self) -> None:
        ended = CliRunner().invoke(main, [], prog_name="echoproto")
        self.assertEqual(ended.exit_code, 2)
        self.assertIn("Usage: echoproto [OPTIONS] COMMAND", ended.stderr)


WITHOUT_EXTRAS = """
import sys
from click.testing import CliRunner

for name in ("OpenSSL", "altair", "cryptography", "hdrh", "jinja2", "psutil", "trustme", "uvloop", "vl_convert"):
    sys.modules[name] = None

from echoproto.cli.group import main

for line in sys.argv[1:]:
    ended = CliRunner().invoke(main, line.split())
    print(ended.exit_code, (ended.stderr or "-").splitlines()[-1])
"""


class WithoutExtrasTests(SynchronousTestCase):
    def test_each_command(self) -> None:
        """It works, or says in one line what it needs."""
        expected = {
            "load --help": "0 -",
            "load --json-schema": "0 -",
            "load tcp:127.0.0.1:1": "2 Error: this command needs the extra 'load': pip install 'echoproto[load]'",
            "compare --help": "0 -",
            "compare --list": "0 -",
            "compare --json-schema": "0 -",
            "compare": "2 Error: this command needs the extra 'compare': pip install 'echoproto[compare]'",
            "report --help": "0 -",
            "report /nowhere": "2 Error: /nowhere: No such file or directory",
            "reactors": "0 -",
        }
        run = (sys.executable, "-c", WITHOUT_EXTRAS, *expected)
        done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual(dict(zip(expected, done.stdout.splitlines(), strict=True)), expected)
