import io
import os
import sys
from collections.abc import Sequence
from unittest.mock import patch

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from twisted.trial.unittest import SynchronousTestCase

from echoproto.console import PIPE_WIDTH
from echoproto.terminal import Column, Row, console, print_table

FIGURES = [Column(""), *(Column(f"p{number}", right=True) for number in range(8))]
ROWS = [
    ["service time", *(f"{number}.25 ms" for number in range(8))],
    ["response time", *(f"{number} µs" for number in range(8))],
]


def printed(width: int, columns: Sequence[Column], rows: Sequence[Row], **options: int) -> list[str]:
    file = io.StringIO()
    print_table(Console(file=file, width=width, highlight=False), columns, rows, **options)
    return [line.rstrip() for line in file.getvalue().splitlines()]


class TableTests(SynchronousTestCase):
    def test_room_for_all_of_it(self) -> None:
        lines = printed(100, FIGURES, ROWS, indent=2)
        self.assertEqual(len(lines), 3)
        self.assertEqual(lines[1].split(maxsplit=2)[:2], ["service", "time"])
        self.assertTrue(lines[1].startswith("  service time   0.25 ms  1.25 ms"), lines[1])
        self.assertTrue(lines[2].endswith("     7 µs"), lines[2])

    def test_what_does_not_fit_goes_below(self) -> None:
        """Beside the names of the rows; no unit and no name is cut, at any width that a terminal has."""
        for width in (30, 40, 60, 80):
            lines = printed(width, FIGURES, ROWS, indent=2)
            self.assertLessEqual(max(map(cell_len, lines)), width)
            text = " ".join(" ".join(lines).split())
            for name, *values in ROWS:
                self.assertEqual(text.count(name), len(lines) // 3)
                for value in values:
                    self.assertEqual(text.count(f" {value}"), 1, (value, width))
            self.assertNotIn("…", text)

    def test_words_wrap_beside_figures_or_go_below(self) -> None:
        columns = [Column(""), Column("p50", right=True), Column("verdict", wraps=True)]
        rows = [["echo-epoll", "7 µs", "not possible, because of a reason of many words"]]
        self.assertEqual(len(printed(80, columns, rows)), 2)
        narrow = printed(44, columns, rows)
        self.assertEqual(narrow[1], "echo-epoll  7 µs  not possible, because of a")
        below = printed(40, [*columns[:2], Column("p99", right=True), columns[2]], [[*rows[0][:2], "9 µs", rows[0][2]]])
        self.assertEqual([line.split()[0] for line in below if line.startswith("echo")], ["echo-epoll"] * 2)

    def test_a_name_that_is_wider_than_the_terminal(self) -> None:
        name = "x" * 70
        lines = printed(40, FIGURES[:2], [[name, "1.25 ms"]])
        self.assertLessEqual(max(map(cell_len, lines)), 40)
        self.assertEqual("".join(lines).count("x"), 70)
        self.assertIn("1.25 ms", lines[1])

    def test_text_is_no_markup(self) -> None:
        nasty = "[bold]x[/nope] :smile: \x1b[31m"
        [title, row] = printed(200, [Column(""), Column(nasty, right=True)], [[nasty, Text("[red]")]])
        shown = "[bold]x[/nope] :smile: \\x1b[31m"
        self.assertEqual((title.strip(), row.split("  ")[0]), (shown, shown))
        self.assertTrue(row.endswith("[red]"))


class ConsoleTests(SynchronousTestCase):
    def test_streams(self) -> None:
        """Room for whole rows, and no markup."""
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            self.patch(sys, "stderr", nowhere)
            self.assertEqual(console(stderr=True).width, PIPE_WIDTH)
        printed = io.StringIO()
        self.patch(sys, "stdout", printed)
        console().print("[bold]x[/nope] :smile:")
        self.assertEqual(printed.getvalue(), "[bold]x[/nope] :smile:\n")

    def test_a_terminal_has_its_own(self) -> None:
        self.patch(Console, "is_terminal", True)
        with patch.dict(os.environ, {"COLUMNS": "160"}):
            self.assertEqual(console().width, 160)
