"""
The command ``echoproto compare``: its options, and the run that they ask for.

Imports only the modules that --help needs; the work is done by `echoproto.compare.session`.
"""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from textwrap import fill
from typing import Any

import click

from echoproto.cli.command import INTERNAL_ERROR, Command
from echoproto.cli.report import REGRESSION_HELP
from echoproto.cli.types import (
    FLAG_OF_ITS_OWN,
    POSITIVE,
    TIME,
    Parsed,
    Word,
    against_options,
    churn_option,
    option,
    overwrite_option,
    parse_whole,
    quiet_option,
    rate_option,
    require,
    schema_option,
    seed_option,
)
from echoproto.compare.folder import NAMES as FILES
from echoproto.compare.plan.presets import DESCRIPTIONS
from echoproto.errors import ConfigurationError, as_given
from echoproto.host.files import check_kept, unused
from echoproto.units import parse_size, parse_time

DEFAULT_PRESET = "quick"

NAME_WIDTH = 24
"""Columns of a contestant's name in the list."""

EXAMPLES = {
    "echoproto compare": "The preset quick, in less than 2 minutes.",
    "echoproto compare --preset c10k --output c10k": "10,000 idle connections; results in the folder c10k.",
    "echoproto compare --reactors epoll,poll --idle 0,1000": "This service on two reactors, under two loads.",
    "echoproto compare --contestant mine='./server {port}'": "The preset's contestants, and your own server.",
    "echoproto compare --plan mine.toml --budget 10m": "Your own plan, in 10 minutes.",
    "echoproto compare --against old/results.json": "Improvements and regressions since an earlier run.",
}

EXIT_STATUS = {
    0: "measured; contestants that failed have a verdict",
    1: REGRESSION_HELP,
    2: "invalid option, file or value; a file can't be read; a file or standard output can't be written",
    3: "no contestant could be measured under any load",
    4: "client limit: too few descriptors or ports for the generator",
    **INTERNAL_ERROR,
    130: "interrupted (Ctrl-C, SIGTERM); the results so far are kept, and marked as partial",
}


def _list_of(name: str, parse: Callable[[str], Any], example: str) -> Parsed:
    """Make the type of an option that takes several values, separated by commas."""

    def parse_all(text: str) -> tuple[Any, ...]:
        parts = [part.strip() for part in text.split(",")]
        if not all(parts):
            raise ConfigurationError(f"{as_given(text)}: must be values separated by commas, for example {example}")
        return tuple(map(parse, parts))

    return Parsed(f"{name},…", parse_all)


def _positive(parse: Callable[[str], float]) -> Callable[[str], float]:
    def parsed(text: str) -> float:
        if not (number := parse(text)):
            raise ConfigurationError(f"{text}: must be greater than 0")
        return number

    return parsed


def _print_contestants(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from echoproto.compare.plan.contestants import catalogue
        from echoproto.terminal import MIN_PROSE_WIDTH, console

        width = max(console().width, NAME_WIDTH + MIN_PROSE_WIDTH)
        for entry in catalogue().values():
            why = f" (not possible: {entry.why_not})" if entry.why_not else ""
            click.echo(
                fill(
                    f"{entry.description}{why}",
                    width,
                    initial_indent=entry.name.ljust(NAME_WIDTH),
                    subsequent_indent=" " * NAME_WIDTH,
                    break_on_hyphens=False,
                )
            )
        context.exit()


NAMES = _list_of("name", str, "epoll,poll")
COUNTS = _list_of("n", partial(parse_whole, minimum=0), "0,1000")
POSITIVE_COUNTS = _list_of("n", partial(parse_whole, minimum=1), "10,50")
SIZES = _list_of("size", _positive(parse_size), "64,10KiB")
POSITIVE_TIME = Parsed("time", _positive(parse_time))


@click.command(cls=Command, lists={"Presets": DESCRIPTIONS}, examples=EXAMPLES, exit_status=EXIT_STATUS)
@option("--preset", type=Word(list(DESCRIPTIONS)), metavar="NAME", help=f"Preset plan.  [default: {DEFAULT_PRESET}]")
@option("--plan", "file", metavar="FILE", help="Plan of your own (TOML), instead of a preset.")
@option("--reactors", type=NAMES, help="Compare this service on these reactors.")
@option("--contestants", type=NAMES, help="Compare these contestants; --list shows their names.")
@option("--contestant", multiple=True, metavar="NAME=COMMAND", help="Add a server that listens on 127.0.0.1:{port}.")
@option("--baseline", metavar="NAME", help="Contestant to compare with.  [default: the plan's, or the first]")
@option("--connections", "-c", type=POSITIVE_COUNTS, help="Concurrent connections.")
@option("--idle", type=COUNTS, help="Additional connections that stay idle.")
@option("--sizes", type=SIZES, help="Message sizes, such as 64,10KiB.")
@rate_option()
@churn_option
@option("--transport", type=Word(["tcp", "tls", "udp"]), help="Transport of all loads.  [default: the plan's]")
@option("--rounds", type=POSITIVE, help="Samples per contestant and load.  [default: the plan's]")
@option("--duration", "-d", type=POSITIVE_TIME, help="Measuring time per sample.  [default: the plan's]")
@option("--warmup", type=TIME, help="Warm-up time before each sample.  [default: the plan's]")
@option("--budget", type=POSITIVE_TIME, help="Total time limit; rounds that do not fit are skipped.")
@option("--calls/--no-calls", default=None, help="Count system calls with strace.  [default: the plan's]")
@seed_option
@option("--output", "-o", metavar="DIR", help="Folder for the results.  [default: a new one]")
@overwrite_option
@option("--list", **FLAG_OF_ITS_OWN, callback=_print_contestants, help="List the contestants and exit.")
@schema_option("echoproto.compare.report", "schema/compare-2.json", "Print the schema of results.json and exit.")
@against_options
@quiet_option
def compare(
    *,
    preset: str | None,
    file: str | None,
    seed: int | None,
    output: str | None,
    overwrite: bool,
    quiet: bool,
    against: str | None,
    tolerance: float,
    different_environments: bool,
    **given: Any,
) -> None:
    """
    Compare event loops: run echo servers in turns under the same load, and report which is best, with intervals.

    The contestants are this service on each reactor, Twisted's own echo, threads, processes, asyncio, uvloop, and any
    command. Servers and clients run on this machine, one server at a time.
    """
    require("compare", "hdrh", "psutil")
    if preset is not None and file is not None:
        raise ConfigurationError("--preset and --plan exclude each other")
    if output is not None and not overwrite:
        check_kept(output, FILES)
    from echoproto.compare import session
    from echoproto.compare.plan.options import Options
    from echoproto.compare.run.comparison import Task

    task = Task(
        preset=preset or DEFAULT_PRESET,
        file=file,
        options=Options(**{name: value for name, value in given.items() if value is not None}),
        seed=secrets.randbits(31) if seed is None else seed,
        command=shlex.join(["echoproto", *sys.argv[1:]]),
    )
    outputs = session.Outputs(
        folder=unused(f"echoproto-compare-{datetime.now():%Y%m%d-%H%M%S}") if output is None else output,
        quiet=quiet,
        against=against,
        tolerance=tolerance / 100,
        different_environments=different_environments,
    )
    sys.exit(session.run(task, outputs))
