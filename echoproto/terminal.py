"""
Output for people: tables that fit a terminal of any width, and text that is never taken for markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from echoproto.console import PIPE_WIDTH
from echoproto.errors import one_line

GAP = 2
"""Columns between two of a table, as rich has it."""

NARROW = 8
"""Columns that anything which goes on in the next line has at least."""

WORDS = 24
"""Columns that words which wrap have at least, beside figures; with fewer, they go below them."""


def console(*, stderr: bool = False) -> Console:
    """A standard stream; one that is no terminal has room for whole rows."""
    return fitted(Console(stderr=stderr, highlight=False, markup=False, emoji=False))


def fitted(made: Console) -> Console:
    """The same with room for whole rows, if it is no terminal."""
    if not made.is_terminal:
        made.width = PIPE_WIDTH
    return made


@frozen
class Column:
    """
    One column of a table.

    :ivar right: whether it holds figures, which stand at its right.
    :ivar wraps: whether it holds words, which may go on in the next line; all else stays whole.
    """

    title: str
    right: bool = False
    wraps: bool = False


Row = Sequence[str | Text]


def print_table(console: Console, columns: Sequence[Column], rows: Sequence[Row], *, indent: int = 0) -> None:
    """
    Print a table; columns for which there is no room go below, each time beside the names of the rows.

    :param columns: the first one names the rows.
    :param rows: texts, which may be anything, or texts with a style.
    :param indent: columns that it is moved to the right.
    """
    texts = [[_text(each) for each in row] for row in rows]
    room = console.width - indent
    widths = [
        max([_text(column.title).cell_len, *(row[index].cell_len for row in texts)])
        for index, column in enumerate(columns)
    ]
    # A name for which there is no room beside the widest figure goes on in the next line; words can be narrow.
    widest = max(
        min(NARROW, width) if column.wraps else width for column, width in zip(columns[1:], widths[1:], strict=True)
    )
    widths[0] = min(widths[0], max(NARROW, room - GAP - widest))
    for block in _blocks(columns, widths, room):
        console.print(Padding(_table(columns, texts, block, widths[0]), (0, 0, 0, indent), expand=False))


def _text(given: str | Text) -> Text:
    return Text(one_line(given)) if isinstance(given, str) else given


def _blocks(columns: Sequence[Column], widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Split the columns into blocks that fit side by side; each block repeats the first, which is left out here."""
    block: list[int] = []
    used = widths[0]
    for index, column in list(enumerate(columns))[1:]:
        needed = GAP + (min(WORDS, widths[index]) if column.wraps else widths[index])
        if block and used + needed > room:
            yield block
            block, used = [], widths[0]
        block.append(index)
        used += needed
    yield block


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Text]], block: Sequence[int], named: int) -> Table:
    """
    One block.

    :param named: width of the first column.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index in (0, *block):
        column = columns[index]
        table.add_column(
            _text(column.title),
            justify="right" if column.right else "left",
            width=None if index else named,
            no_wrap=bool(index) and not column.wraps,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(row[index] for index in (0, *block)))
    return table
