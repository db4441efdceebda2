"""
The command ``echoproto report``.

Only what --help needs is imported here.
"""

from __future__ import annotations

import sys

import click

from echoproto.cli.types import CONTEXT, against_options, option, overwrite_option

WORSE = 1
"""Exit status: something has become worse by more than is tolerated."""

EPILOG = """\b
Examples:
  echoproto report results.json --output report
      tables and summary, and the page and its pictures anew
  echoproto report monday.json tuesday.json --output both
      one report of all rounds
  echoproto report new.json --against old.json --tolerance 3
      what has become better or worse

\b
Exit status:
    0  reported
    1  --against: something has become worse by more than --tolerance
    2  invalid option, file or value, such as runs of different environments to join; a file can't be read; a file or
       standard output can't be written
"""


@click.command(epilog=EPILOG, context_settings=CONTEXT)
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@option("--output", "-o", metavar="DIR", help="Write results, page and pictures there.")
@overwrite_option
@option("--different-plans", is_flag=True, help="Also join runs whose loads or contestants differ.")
@against_options
def report(
    files: tuple[str, ...],
    *,
    output: str | None,
    overwrite: bool,
    against: str | None,
    tolerance: float,
    different_environments: bool,
    different_plans: bool,
) -> None:
    """
    Report again what 'echoproto compare' has measured.

    FILES are its results.json, or the folders that they are in; those of several runs are joined.
    """
    from echoproto.compare.analysis.joining import join
    from echoproto.compare.analysis.regression import changes
    from echoproto.compare.folder import check_kept, check_writable
    from echoproto.compare.report import write

    if output is not None and not overwrite:
        check_kept(output)
    results = join(
        [write.read_file(file) for file in files],
        different_environments=different_environments,
        different_plans=different_plans,
    )
    changed = None
    if against is not None:
        old = write.read_file(against)
        changed = changes(results, old, tolerance=tolerance / 100, different_environments=different_environments)
    if output is not None:
        check_writable(output)
    write.write(results, output, write.console(), changed)
    sys.exit(WORSE if any(change.regression for change in changed or ()) else 0)
