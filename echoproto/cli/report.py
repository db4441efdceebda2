"""
The command ``echoproto report``.

Imports only the modules that --help needs.
"""

from __future__ import annotations

import sys

import click

from echoproto.cli.command import INTERNAL_ERROR, Command
from echoproto.cli.types import against_options, option, overwrite_option

EXAMPLES = {
    "echoproto report results.json --output report": "Print tables and summary, and write the page and charts.",
    "echoproto report monday.json tuesday.json --output both": "Join the rounds of two runs in one report.",
    "echoproto report new.json --against old.json --tolerance 3": "Report improvements and regressions.",
}

REGRESSION_HELP = "--against: a regression of more than --tolerance"

EXIT_STATUS = {
    0: "the report is printed",
    1: REGRESSION_HELP,
    2: "invalid option, file or value, or runs that can't be joined; a file can't be read; a file or standard output "
    "can't be written",
    **INTERNAL_ERROR,
}


@click.command(cls=Command, examples=EXAMPLES, exit_status=EXIT_STATUS)
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@option("--output", "-o", metavar="DIR", help="Folder for results, HTML page and charts.")
@overwrite_option
@option("--different-plans", is_flag=True, help="Join runs even if their loads or contestants differ.")
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
    Report the results of an earlier 'echoproto compare' again.

    FILES are results.json files, or their folders. Several runs are joined into one report.
    """
    from echoproto.compare.analysis.comparability import join
    from echoproto.compare.analysis.figures import judge
    from echoproto.compare.analysis.regression import changes, exit_status
    from echoproto.compare.folder import NAMES
    from echoproto.compare.report import write
    from echoproto.host.files import check_folder, check_kept
    from echoproto.terminal import console

    if output is not None and not overwrite:
        check_kept(output, NAMES)
    results = join(
        [write.read_file(file) for file in files],
        different_environments=different_environments,
        different_plans=different_plans,
    )
    figures, changed = judge(results), None
    if against is not None:
        old = judge(write.read_file(against))
        changed = changes(figures, old, tolerance=tolerance / 100, different_environments=different_environments)
    if output is not None:
        check_folder(output)
    write.write(figures, output, console(), changed)
    sys.exit(exit_status(changed or ()))
