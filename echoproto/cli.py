"""
The command ``echoproto``, for what is not the service itself.
"""

from __future__ import annotations

import click

from echoproto import __version__
from echoproto.reactors.choice import auto_name, candidates

PIPE_WIDTH = 500
"""Columns: whoever reads a table through a pipe wants each row whole, on one line."""


@click.group()
@click.version_option(__version__, prog_name="echoproto")
def main() -> None:
    """Tools around the echo service, which itself is run by 'twistd -n echo'."""


@main.command()
def reactors() -> None:
    """List the reactors that 'twistd echo --reactor' takes, and why this platform lacks some."""
    # Only this command draws a table, and it is not worth the time of loading rich for --help.
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "default", "available, or why not", "class"):
        table.add_column(title, overflow="fold")
    for candidate in candidates():
        table.add_row(
            candidate.name,
            "auto" if candidate.name == auto_name() else "",
            f"no: {candidate.why_not}" if candidate.why_not else "yes",
            candidate.class_name,
            style="dim" if candidate.why_not else None,
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(table)
