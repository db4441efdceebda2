import contextlib
import errno
import io
import json
import os
import sys
from typing import Any
from unittest.mock import patch

from attrs import fields
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from echoproto.cli import types
from echoproto.cli.group import main
from echoproto.errors import ConfigurationError
from echoproto.load import session
from echoproto.load.errors import Unreachable
from echoproto.load.options import Options
from echoproto.load.session import Outputs
from tests.load.report.reports import report


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, ["load", *words])


class CommandTests(SynchronousTestCase):
    def asked(self, *words: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What a session would be asked to do."""
        calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

        def run(*given: object, **named: object) -> int:
            calls.append((given, named))
            return 7

        self.patch(session, "run", run)
        result = invoke(*words)
        self.assertEqual((result.exit_code, result.output), (7, ""))
        return calls[0]

    def complaint(self, *words: str, status: int = 2) -> str:
        """The one line with which it ends."""
        result = invoke(*words)
        self.assertEqual(result.exit_code, status, result.output)
        [line] = result.stderr.splitlines()
        self.assertEqual(result.stdout, "")
        self.assertTrue(line.startswith("Error: "), line)
        return line

    def test_defaults(self) -> None:
        (target, server, options, outputs), named = self.asked("tcp:localhost:7", "--seed", "5")
        self.assertEqual((target, server, named), ("tcp:localhost:7", None, {"own_host": False}))
        self.assertEqual((options, outputs), (Options(seed=5), Outputs(None, None, None, quiet=False)))

    def test_all_options(self) -> None:
        words = (
            "-c 3 -s 1-2KiB -d 500ms -n 9 --warmup 0 --idle 4 -w 2 -r 10.5 --arrivals poisson --churn=reset "
            "--half-close -p 2 --greeting hi --proxy v2 --seed 8 --insecure --ca /dev/null --server-pid 99 "
            "--find-rate p50<1ms --json - --html a.html --hgrm b.hgrm -q --i-own-this-host --server echo tls:h:1"
        )
        (target, server, options, outputs), named = self.asked(*words.split())
        self.assertEqual((target, server, named), ("tls:h:1", "echo", {"own_host": True}))
        self.assertEqual(outputs, Outputs("-", "a.html", "b.hgrm", quiet=True))
        left = {field.name for field in fields(Options) if getattr(options, field.name) == field.default}
        self.assertEqual(left, set(), "each has been given")
        self.assertEqual((options.size, options.duration, options.rate, options.churn), ((1, 2048), 0.5, 10.5, "reset"))
        self.assertEqual((options.find_rate.percent, options.warmup), (50, 0))

    def test_churn_is_by_fin(self) -> None:
        (_, _, options, _), _ = self.asked("tcp:localhost:7", "--churn")
        self.assertEqual(options.churn, "fin")

    def test_each_run_has_another_seed(self) -> None:
        seeds = {self.asked("tcp:localhost:7")[0][2].seed for _ in range(3)}
        self.assertEqual(len(seeds), 3)

    def test_what_can_not_be_meant_is_one_line(self) -> None:
        for words, part in (
            ((), "Error: missing TARGET, for example tcp:127.0.0.1:8888"),
            (("tcp:h",), "Error: TARGET tcp:h: missing port, for example tcp:h:8888; expected tcp:HOST:PORT, "),
            (("tcp:h:1", "--size", "0"), "Error: --size 0: must be at least 1 byte, for example 64 or 64-1KiB"),
            (("tcp:h:1", "-s", "9-8"), "Error: --size 9-8: must begin with the smaller size, for example 64-1KiB"),
            (("tcp:h:1", "--size", "x\ny"), "Error: --size 'x\\ny': must be a whole number of bytes"),
            (
                ("tcp:h:1", "--duration", "soon"),
                "Error: --duration soon: must be a number of us, ms, s, m or h, for example 500ms",
            ),
            (("tcp:h:1", "--find-rate", "fast"), "Error: --find-rate fast: expected PERCENTILE<TIME, such as p99<2ms"),
            (("tcp:h:1", "-c", "0"), "Error: --connections 0: must be a whole number from 1 to 1000000"),
            (("tcp:h:1", "--count", "x"), "Error: --count x: must be a whole number, at least 1"),
            (("tcp:h:1", "--rate", "x"), "Error: --rate x: must be a number, for example 5000 or 0.5"),
            (("tcp:h:1", "--rate", ""), "Error: --rate '': must be a number"),
            (("tcp:h:1", "--proxy", "v3"), "Error: --proxy v3: must be one of v1, v2"),
            (("tcp:h:1", "--prossy", "v1"), "--prossy"),
            (("tcp:h:1", "--rate"), "--rate"),
            (("tcp:h:1", "--seed", "-1"), "Error: --seed -1: must be a whole number from 0 to "),
            (("tcp:h:1", "--seed", "9007199254740992"), "number from 0 to 9007199254740991"),  # as JSON tools keep them
            (("tcp:h:1", "--churn", "--window", "2"), "--window"),
            (("tcp:h:1", "tcp:h:2"), "tcp:h:2"),
            (("tcp:h:1", "--json", "/no/such/folder/x"), "--json /no/such/folder/x"),
            (("tcp:h:1", "--html", "/"), "--html /"),
            (("udp:h:1", "--server", "x"), "tcp: or tls:"),
            (("--server", "x", "--server-pid", "1"), "--server-pid"),
            (("tcp:h:1", "--server-pid", "999999999"), "no such process"),
            (("tls:h:1", "--ca", "/no/such/file"), "Error: --ca /no/such/file: no such file"),
            (("tls:h:1", "--ca", "/dev/zero"), "Error: --ca /dev/zero: must be a regular file"),
        ):
            self.assertIn(part, self.complaint(*words))

    def test_others_are_not_flooded(self) -> None:
        """L5"""
        line = self.complaint("tcp:192.0.2.1:7")
        self.assertIn("--i-own-this-host", line)
        self.assertIn("--rate", line)

    def test_no_such_host(self) -> None:
        self.assertIn("tcp:no.such.invalid:7", self.complaint("tcp:no.such.invalid:7", status=3))
        self.complaint(f"tcp:{'x' * 64}.invalid:7", status=3)

    def test_its_own_server_does_not_start(self) -> None:
        self.assertIn("--server", self.complaint("--server", "/no/such/program", status=3))
        self.assertIn("status 3: oh no", self.complaint("--server", "sh -c 'echo oh no >&2; exit 3'", status=3))

    def test_an_error_is_one_line(self) -> None:
        def run(*given: object, **named: object) -> int:
            raise Unreachable("two\nlines")

        self.patch(session, "run", run)
        self.assertEqual(self.complaint("tcp:h:1", status=3), "Error: two\\nlines")

    def test_a_missing_extra(self) -> None:
        for missing, words, extra in (
            ("hdrh", (), "echoproto[load]"),
            *((name, ("--html", "x"), "echoproto[html]") for name in ("altair", "jinja2", "vl_convert")),
        ):
            with patch.object(types, "find_spec", lambda name, missing=missing: None if name == missing else object()):
                self.assertIn(f"pip install '{extra}'", self.complaint("tcp:h:1", *words))

    def test_help(self) -> None:
        """Every option, examples, and each exit status."""
        text = invoke("--help").stdout
        for part in (
            "--find-rate",
            "Examples:",
            "Exit status:",
            "    0  every byte",
            "    4  client limit",
            "  130  interrupted",
        ):
            self.assertIn(part, text)

    def test_the_schema(self) -> None:
        result = invoke("--json-schema")
        self.assertEqual((result.exit_code, json.loads(result.stdout)["type"]), (0, "object"))

    def test_it_is_in_the_list_of_commands(self) -> None:
        self.assertRegex(CliRunner().invoke(main, ["--help"]).output, r"(?m)^  load +Load an echo service")


class WriteTests(SynchronousTestCase):
    def written(self, outputs: Outputs) -> tuple[str, str]:
        """What is printed, and the complaint."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            error = self.assertRaises(ConfigurationError, session.write, report(), outputs)
        return printed.getvalue(), str(error)

    def test_what_can_not_be_written_leaves_the_rest(self) -> None:
        """A run of an hour is not thrown away since a disk is full."""
        path = str(self.mktemp())
        printed, complaint = self.written(Outputs(f"{path}/a", None, path, quiet=False))
        self.assertTrue(printed.startswith("good: tcp:127.0.0.1:8888, "), printed)
        self.assertEqual(complaint, f"--json {path}/a: can't be written: No such file or directory")
        self.assertTrue(os.path.exists(path))

    def test_standard_output(self) -> None:
        class Full(io.StringIO):
            def flush(self) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(sys, "stdout", Full())
        error = self.assertRaises(ConfigurationError, session.write, report(), Outputs("-", None, None, quiet=True))
        self.assertEqual(str(error), "--json -: can't be written: No space left on device")

        class Closed(io.StringIO):
            def flush(self) -> None:
                raise BrokenPipeError

        self.patch(sys, "stdout", Closed())
        self.assertRaises(BrokenPipeError, session.write, report(), Outputs("-", None, None, quiet=True))


class WritableTests(SynchronousTestCase):
    def test_a_file_that_is_new_or_there(self) -> None:
        path = str(self.mktemp())
        session.check_writable(Outputs("-", path, path, quiet=False))
        self.assertFalse(os.path.exists(path))
        with open(path, "w", encoding="ascii"):
            pass
        session.check_writable(Outputs(path, path, path, quiet=False))
