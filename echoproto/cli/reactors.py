"""
The command ``echoproto reactors``.
"""

from __future__ import annotations

import click
from rich.text import Text

from echoproto.reactors.selection import auto_name, candidates
from echoproto.terminal import Column, console, print_table

COLUMNS = (Column("name"), Column("default"), Column("available, or why not", wraps=True), Column("class"))


@click.command()
def reactors() -> None:
    """
    List the reactors and their availability.

    Use their names with 'twistd echo --reactor' and 'echoproto compare --reactors'.
    """
    rows = [
        [
            Text(text, style="dim" if candidate.why_not else "")
            for text in (
                candidate.name,
                "auto" if candidate.name == auto_name() else "",
                f"no: {candidate.why_not}" if candidate.why_not else "yes",
                candidate.class_name,
            )
        ]
        for candidate in candidates()
    ]
    print_table(console(), COLUMNS, rows)
