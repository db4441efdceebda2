"""
The command ``echoproto compare``: its options, and what it does with them.

Only what --help needs is imported here; the rest is the matter of `echoproto.compare.session`.
"""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from echoproto.cli.types import (
    CONTEXT,
    FLAG_OF_ITS_OWN,
    POSITIVE,
    TIME,
    Parsed,
    against_options,
    churn_option,
    option,
    overwrite_option,
    quiet_option,
    rate_option,
    require,
    schema_option,
    seed_option,
)
from echoproto.compare.folder import check_kept, unused
from echoproto.compare.plan.presets import DESCRIPTIONS
from echoproto.errors import ConfigurationError
from echoproto.units import parse_size, parse_time

USUAL = "quick"
"""The preset, if nothing is said."""

PRESETS = "\n".join(f"  {name:<10}{description}" for name, description in DESCRIPTIONS.items())

EPILOG = f"""\b
Presets:
{PRESETS}

\b
Examples:
  echoproto compare
      the preset "quick", in less than 2 minutes
  echoproto compare --preset c10k --output c10k
  echoproto compare --reactors epoll,poll --idle 0,1000 --rounds 10
  echoproto compare --contestants echo-epoll,asyncio-protocol --contestant mine='./server {{port}}'
  echoproto compare --plan mine.toml --budget 10m
  echoproto compare --against old/results.json

\b
Exit status:
    0  measured; contestants that failed have a verdict
    1  --against: something has become worse by more than --tolerance
    2  invalid option, file or value; a file can't be read; a file or standard output can't be written
    3  not one contestant could be measured, under any load: all have failed, or are not possible
    4  the generator has too few descriptors or ports for it
   70  a fault of this program itself; ECHOPROTO_DEBUG=1 shows its traceback
  130  interrupted (Ctrl-C, SIGTERM): the finished samples are kept, and the results marked as partial
"""


def _list_of(name: str, parse: Callable[[str], Any]) -> Parsed:
    """The type of an option that takes several, with commas between them."""
    return Parsed(f"{name},…", lambda text: tuple(parse(part.strip()) for part in text.split(",")))


def _name(text: str) -> str:
    if not text:
        raise ConfigurationError("a name is missing between the commas")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ConfigurationError(f"{text!r} is not a whole number")
    return int(text)


def _positive(parse: Callable[[str], float]) -> Callable[[str], float]:
    def parsed(text: str) -> float:
        if not (number := parse(text)):
            raise ConfigurationError(f"{text!r} is nothing: it has to be more than 0")
        return number

    return parsed


def _print_contestants(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from echoproto.compare.plan.contestants import catalogue

        for entry in catalogue().values():
            why = f" (not possible, because {entry.why_not})" if entry.why_not else ""
            click.echo(f"{entry.name:<24}{entry.description}{why}")
        context.exit()


NAMES = _list_of("name", _name)
SOME_TIME = Parsed("time", _positive(parse_time))


@click.command(epilog=EPILOG, context_settings=CONTEXT)
@option("--preset", type=click.Choice(list(DESCRIPTIONS)), help=f"A plan that has a name.  [default: {USUAL}]")
@option("--plan", "file", metavar="FILE", help="A plan of your own, in TOML, in place of a preset.")
@option("--reactors", type=NAMES, help="Our service on these, in place of the plan's contestants.")
@option("--contestants", type=NAMES, help="These, in place of the plan's; --list shows which there are.")
@option("--contestant", multiple=True, metavar="NAME=COMMAND", help="One more; it listens on 127.0.0.1, port {port}.")
@option("--baseline", metavar="NAME", help="Whom the others are compared with.  [default: the plan's, or the first]")
@option("--connections", "-c", type=_list_of("n", _positive(_count)), help="That exchange messages.")
@option("--idle", type=_list_of("n", _count), help="Further connections, which say nothing.")
@option("--sizes", type=_list_of("size", _positive(parse_size)), help="Of messages: 64,10KiB.")
@rate_option()
@churn_option
@option("--transport", type=click.Choice(["tcp", "tls", "udp"]), help="[default: tcp]")
@option("--rounds", type=POSITIVE, help="Samples of each contestant in each cell.  [default: the plan's]")
@option("--duration", "-d", type=SOME_TIME, help="Of each sample.  [default: the plan's]")
@option("--warmup", type=TIME, help="Before each, of which nothing counts.  [default: the plan's]")
@option("--budget", type=SOME_TIME, help="Of all of it: rounds are left out that do not fit.  [default: the plan's]")
@option("--calls/--no-calls", default=None, help="Count system calls, too (with strace).  [default: the plan's]")
@seed_option
@option("--output", "-o", metavar="DIR", help="Where the results go.  [default: a new folder, named by date and time]")
@overwrite_option
@option("--list", **FLAG_OF_ITS_OWN, callback=_print_contestants, help="List the contestants.")
@schema_option("echoproto.compare.report", "schema/compare-1.json", "Print the schema of results.json.")
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
    Compare event loops: run servers in turns, put them under the same load, and say which is best, and how sure it is.

    The servers are this echo service on each reactor, Twisted's own echo, threads and processes, asyncio and uvloop,
    and any command. They run on this machine, one at a time, as do the clients.
    """
    require("compare", "hdrh", "psutil")
    if preset is not None and file is not None:
        raise ConfigurationError("--preset and --plan are a plan each: leave one of them out")
    if output is not None and not overwrite:
        check_kept(output)
    from echoproto.compare import session
    from echoproto.compare.plan.options import Options
    from echoproto.compare.run.comparison import Task

    task = Task(
        preset=preset or USUAL,
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
