"""
The whole ``--help`` of each command, at a width of 80 columns, as files in ``tests/cli/snapshots``.

Write them anew with ``python -m tests.cli.test_help`` after a change of a help text, and read the difference.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from echoproto.cli.group import main
from echoproto.server.settings.table import table
from echoproto.server.tap import Options

SNAPSHOTS = Path(__file__).parent / "snapshots"

OUR_COMMANDS = ("load", "compare", "report", "reactors")

WIDTH = 80

WIDTHS = (60, WIDTH, 120)


def _click_help(*words: str) -> Callable[[int], str]:
    def text(width: int) -> str:
        ended = CliRunner().invoke(main, [*words, "--help"], prog_name="echoproto", terminal_width=width)
        assert ended.exit_code == 0, ended.output
        return ended.stdout

    return text


def _service_help(width: int) -> str:
    """Return the options of ``twistd echo``; the usage line and the layout are Twisted's."""
    with patch.dict(os.environ, {"COLUMNS": str(width)}):
        return Options().getUsage(width)


HELP: dict[str, Callable[[int], str]] = {
    "echoproto": _click_help(),
    **{f"echoproto-{name}": _click_help(name) for name in OUR_COMMANDS},
    "twistd-echo": _service_help,
}


class SnapshotTests(SynchronousTestCase):
    maxDiff = None

    def test_each_command(self) -> None:
        """Fails for any other text; `python -m tests.cli.test_help` accepts it."""
        for name, text in HELP.items():
            self.assertEqual(text(WIDTH), (SNAPSHOTS / f"{name}.txt").read_text("utf-8"), name)

    def test_no_other_snapshots(self) -> None:
        self.assertEqual({path.stem for path in SNAPSHOTS.iterdir()}, set(HELP))


class TextTests(SynchronousTestCase):
    def test_no_option_is_split_between_lines(self) -> None:
        """A name such as ``--i-own-this-host`` must be found and copied whole."""
        for name, text in HELP.items():
            for width in WIDTHS:
                for line in text(width).splitlines():
                    self.assertNotRegex(line, r"(^|\s)--[a-z-]+-$", f"{name} at {width}")

    def test_lines_fit(self) -> None:
        """Examples stay whole, so that they can be copied; all else is wrapped."""
        for name, text in HELP.items():
            for width in WIDTHS:
                for line in text(width).splitlines():
                    if not line.lstrip().startswith("echoproto "):
                        self.assertLessEqual(len(line), width, f"{name}: {line}")

    def test_noun_phrases_and_imperatives(self) -> None:
        """No help text is half a sentence that only its option's name completes."""
        texts = [parameter.help for command in main.commands.values() for parameter in _options(command.name or "")]
        for text in (*filter(None, texts), *(setting.help for setting in table())):
            self.assertNotRegex(text, r"^(Of|That|What|Whom?|How|Whether|Where|Also|Before|To)\b")
            self.assertRegex(re.sub(r"  \[default: .*\]$", "", text), r"^[A-Z].*\.$")


def _options(name: str) -> list[click.Option]:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    with click.Context(main) as parent:
        context = command.make_context(name, [], parent, resilient_parsing=True)
    return [each for each in context.command.params if isinstance(each, click.Option)]


if __name__ == "__main__":
    SNAPSHOTS.mkdir(exist_ok=True)
    for name, text in HELP.items():
        (SNAPSHOTS / f"{name}.txt").write_text(text(WIDTH), "utf-8")
