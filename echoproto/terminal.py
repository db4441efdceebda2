"""
Tables that fit a terminal of any width, with all text shown literally, never as markup.
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
"""Distance between two columns of a table, rich's own."""

MIN_NAME_WIDTH = 8
"""Minimum width of wrapped text."""

MIN_PROSE_WIDTH = 24
"""Minimum width of wrapped words beside figures; with less room, they go into the next block."""


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Return a standard stream; one that is no terminal has room for whole rows."""
    made = Console(stderr=stderr, quiet=quiet, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = PIPE_WIDTH
    return made


@frozen
class Column:
    """
    One column of a table.

    :ivar right: true for figures, which are aligned to the right.
    :ivar wraps: true for words, which may wrap; other text stays on one line.
    """

    title: str
    right: bool = False
    wraps: bool = False


Row = Sequence[str | Text]


def print_table(console: Console, columns: Sequence[Column], rows: Sequence[Row], *, indent: int = 0) -> None:
    """
    Print a table; columns without room go into further blocks below, which repeat the row names.

    :param columns: the first one contains the row names.
    :param rows: plain text, shown literally, or styled text.
    :param indent: indentation of the table, in columns.
    """
    texts = [[_text(each) for each in row] for row in rows]
    room = console.width - indent
    widths = [
        max([_text(column.title).cell_len, *(row[index].cell_len for row in texts)])
        for index, column in enumerate(columns)
    ]
    # A name without room beside the widest figure wraps; words can be narrow.
    widest = max(
        min(MIN_NAME_WIDTH, width) if column.wraps else width
        for column, width in zip(columns[1:], widths[1:], strict=True)
    )
    widths[0] = min(widths[0], max(MIN_NAME_WIDTH, room - GAP - widest))
    for block in _blocks(columns, widths, room):
        console.print(Padding(_table(columns, texts, block, widths[0]), (0, 0, 0, indent), expand=False))


def _text(given: str | Text) -> Text:
    return Text(one_line(given)) if isinstance(given, str) else given


def _blocks(columns: Sequence[Column], widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Split the columns, without the first, into blocks that fit side by side with it."""
    block: list[int] = []
    used = widths[0]
    for index, column in list(enumerate(columns))[1:]:
        needed = GAP + (min(MIN_PROSE_WIDTH, widths[index]) if column.wraps else widths[index])
        if block and used + needed > room:
            yield block
            block, used = [], widths[0]
        block.append(index)
        used += needed
    yield block


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Text]], block: Sequence[int], named: int) -> Table:
    """
    Make the table of one block.
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
