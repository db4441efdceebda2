import json
import os
from typing import Any
from unittest.mock import patch

from attrs import fields
from click.testing import CliRunner, Result
from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from echoproto.cli import types
from echoproto.cli.group import main
from echoproto.compare import session
from echoproto.compare.plan.options import Options
from echoproto.compare.plan.presets import DESCRIPTIONS
from echoproto.compare.run.comparison import Task
from echoproto.compare.session import Outputs
from echoproto.errors import ConfigurationError, UnavailableError
from echoproto.host import limits
from echoproto.host.files import check_folder


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, ["compare", *words])


class CommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())

    def asked(self, *words: str) -> tuple[Task, Outputs]:
        """What a session would be asked to do."""
        calls: list[tuple[Task, Outputs]] = []

        def run(*given: Any) -> int:
            calls.append(given)
            return 7

        self.patch(session, "run", run)
        result = invoke(*words)
        self.assertEqual((result.exit_code, result.output), (7, ""))
        return calls[0]

    def complaint(self, *words: str, status: int = 2) -> str:
        """The one line with which it ends, before it measures anything."""
        result = invoke("--output", self.folder, *words)
        self.assertEqual(result.exit_code, status, result.output)
        [line] = result.stderr.splitlines()
        self.assertEqual(result.stdout, "")
        self.assertTrue(line.startswith("Error: "), line)
        return line

    def test_defaults(self) -> None:
        task, outputs = self.asked()
        self.assertEqual((task.preset, task.file, task.options), ("quick", None, Options()))
        self.assertTrue(task.command.startswith("echoproto "))
        self.assertRegex(outputs.folder, r"^echoproto-compare-\d{8}-\d{6}$")
        self.assertEqual((outputs.quiet, outputs.against, outputs.tolerance), (False, None, 0.05))
        self.assertNotEqual(self.asked()[0].seed, task.seed)

    def test_a_preset(self) -> None:
        self.assertEqual(self.asked("--preset", "c10k")[0].preset, "c10k")

    def test_all_options(self) -> None:
        words = (
            "--plan p.toml --reactors epoll,poll --contestants threads --baseline threads "
            "-c 10,50 --idle 0,100 --sizes 64,10KiB --rate 5.5 --churn=reset --transport tls --rounds 3 -d 500ms "
            "--warmup 0 --budget 2m --no-calls --seed 8 -o out -q --against old --tolerance 3 --different-environments"
        )
        task, outputs = self.asked(*words.split(), "--contestant", "a=./a {port}", "--contestant", "b=./b {port}")
        self.assertEqual((task.file, task.seed), ("p.toml", 8))
        self.assertEqual(
            outputs,
            Outputs(folder="out", quiet=True, against="old", tolerance=0.03, different_environments=True),
        )
        options = task.options
        left = {each.name for each in fields(Options) if getattr(options, each.name) == each.default}
        self.assertEqual(left, set(), "each has been given")
        self.assertEqual((options.reactors, options.contestants), (("epoll", "poll"), ("threads",)))
        self.assertEqual((options.connections, options.idle, options.sizes), ((10, 50), (0, 100), (64, 10 << 10)))
        self.assertEqual((options.duration, options.budget, options.calls), (0.5, 120.0, False))
        self.assertEqual(options.contestant, ("a=./a {port}", "b=./b {port}"))

    def test_what_can_not_be_meant_is_one_line(self) -> None:
        path = str(self.mktemp())
        with open(path, "w", encoding="ascii") as file:
            file.write("contestants = ['a']\nround = 5")
        for words, part in (
            (("--preset", "fast"), "Error: --preset fast: must be one of quick, standard, "),
            (("--prest", "quick"), "--prest"),
            (("--preset", "quick", "--plan", "p.toml"), "Error: --preset and --plan exclude each other"),
            (("--plan", "/no/such/file"), "/no/such/file: can't be read"),
            (("--plan", path), f"{path}: round: unknown key"),
            (
                ("--reactors", "poll,epol"),
                "--reactors epol: no such reactor (did you mean 'epoll'?); must be one of auto, ",
            ),
            (
                ("--contestants", "threads,,processes"),
                "Error: --contestants threads,,processes: must be values separated by commas, for example",
            ),
            (("--contestants", "nobody\x1b"), "nobody\\x1b"),
            (("--contestant", "a=b"), "{port}"),
            (("--baseline", "nobody"), "--baseline nobody"),
            (("--connections", "10,0"), "Error: --connections 0: must be a whole number, at least 1"),
            (("--connections", "-1"), "Error: --connections -1: must be a whole number, at least 1"),
            (("--idle", "x"), "Error: --idle x: must be a whole number, at least 0"),
            (("--idle", "9" * 5000), "must be a whole number, at least 0"),
            (
                ("--sizes", "big"),
                "Error: --sizes big: must be a whole number of bytes, kB, KiB, MB or MiB, for example 10KiB",
            ),
            (("--rate", "0"), "rate 0: must be from 0.001 to 1,000,000,000 messages per second, for example 5000"),
            (("--rate", "1e99"), "rate 1e+99: must be from 0.001 to"),
            (("--churn=rst",), "Error: --churn rst: must be one of fin, reset"),
            (("--transport", "udp", "--idle", "5"), "UDP"),
            (("--transport", "udp", "--preset", "churn"), "--transport udp"),
            (("--rounds", "0"), "--rounds"),
            (("--duration", "0"), "Error: --duration 0: must be greater than 0"),
            (("--budget", "10s"), "--budget"),
            (("--tolerance", "-1"), "--tolerance"),
            (("--tolerance", "nan"), "Error: --tolerance nan: must be a percentage from 0 to 100, for example 3"),
            (("--tolerance", "101"), "--tolerance"),
            (("--against", "/no/such/file"), "/no/such/file"),
            (("--output", ""), "--output '': names no folder"),
            (("extra",), "extra"),
        ):
            self.assertIn(part, self.complaint(*words))
        self.assertFalse(os.path.exists(self.folder), "nothing is left behind")

    def test_too_many_connections_for_this_machine(self) -> None:
        self.patch(limits, "_limit", lambda kind: 500)
        self.assertIn("ulimit -Hn", self.complaint("--idle", "1000", status=4))

    def test_an_error_is_one_line(self) -> None:
        def run(*given: object) -> int:
            raise UnavailableError("two\nlines")

        self.patch(session, "run", run)
        self.assertEqual(self.complaint(status=1), "Error: two\\nlines")

    def test_a_missing_extra(self) -> None:
        for missing in ("hdrh", "psutil"):
            with patch.object(types, "find_spec", lambda name, missing=missing: None if name == missing else object()):
                self.assertIn("pip install 'echoproto[compare]'", self.complaint())

    def test_help(self) -> None:
        """Every preset, examples, and each exit status."""
        text = invoke("--help").stdout
        for part in (
            *(
                "--against",
                "Examples:",
                "Exit status:",
                "    0  measured",
                "    4  client limit",
                "  130  interrupted",
            ),
            *(f"  {name}  " for name in DESCRIPTIONS),
        ):
            self.assertIn(part, text)

    def test_the_list_of_contestants(self) -> None:
        result = invoke("--list")
        self.assertEqual(result.exit_code, 0)
        self.assertRegex(result.stdout, r"(?m)^threads +a thread for each connection$")
        self.assertRegex(result.stdout, r"(?m)^echo-lean-epoll ")

    def test_the_list_at_a_narrow_terminal(self) -> None:
        """It wraps between words, beside the names."""
        for columns, first in ((60, "our service on poll, writing as"), (20, "our service on poll,")):
            with patch.object(Console, "is_terminal", True), patch.dict(os.environ, {"COLUMNS": str(columns)}):
                lines = invoke("--list").stdout.splitlines()
            self.assertLessEqual(max(map(len, lines)), max(columns, 48))
            start = lines.index(f"{'echo-poll-buffered':<24}{first}")
            self.assertRegex(lines[start + 1], "^ {24}(writing as )?Twisted does")

    def test_the_schema(self) -> None:
        result = invoke("--json-schema")
        self.assertEqual((result.exit_code, json.loads(result.stdout)["type"]), (0, "object"))

    def test_it_is_in_the_list_of_commands(self) -> None:
        self.assertRegex(CliRunner().invoke(main, ["--help"]).output, r"(?m)^  compare +Compare event loops")


class WritableTests(SynchronousTestCase):
    def test_a_folder_that_is_new_or_there(self) -> None:
        path = os.path.join(self.mktemp(), "new")
        for _ in range(2):
            check_folder(path)
            self.assertTrue(os.path.isdir(path))

    def test_what_can_not_be_one(self) -> None:
        path = str(self.mktemp())
        with open(path, "w", encoding="ascii"):
            pass
        for wrong in (path, os.path.join(path, "x")):
            with self.assertRaises(ConfigurationError) as caught:
                check_folder(wrong)
            self.assertIn(f"--output {wrong}: can't be made", str(caught.exception))
        with patch.object(os, "access", lambda path, mode: False), self.assertRaises(ConfigurationError) as caught:
            check_folder(os.path.dirname(path) or ".")
        self.assertIn("can't be written to", str(caught.exception))
