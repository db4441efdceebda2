"""
The command ``echoproto compare``: its options, and what it does with them.

Only what --help needs is imported here; the rest is the matter of `echoproto.compare.session`.
"""

from __future__ import annotations

import importlib.resources
import secrets
import shlex
import sys
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from typing import Any

import click

from echoproto.cli.load import (
    CHURN,
    FLAG_OF_ITS_OWN,
    POSITIVE,
    SEED,
    OneLineCommand,
    Parsed,
    complaint,
    option,
)
from echoproto.cli.report import against_options
from echoproto.compare.folder import check_kept, unused
from echoproto.compare.plan.options import Options
from echoproto.compare.plan.presets import DESCRIPTIONS
from echoproto.errors import ConfigurationError, EchoError
from echoproto.units import parse_size, parse_time

SCHEMA = "schema/compare-1.json"

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


def _print_schema(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        text = importlib.resources.files("echoproto.compare.report").joinpath(SCHEMA).read_text("utf-8")
        click.echo(text, nl=False)
        context.exit()


def _print_contestants(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from echoproto.compare.plan.contestants import catalogue

        for entry in catalogue().values():
            why = f" (not possible, because {entry.why_not})" if entry.why_not else ""
            click.echo(f"{entry.name:<24}{entry.description}{why}")
        context.exit()


NAMES = _list_of("name", _name)
TIME = Parsed("time", parse_time)
SOME_TIME = Parsed("time", _positive(parse_time))


@click.command(cls=OneLineCommand, epilog=EPILOG, context_settings={"max_content_width": 110})
@option("--preset", type=click.Choice(list(DESCRIPTIONS)), help=f"A plan that has a name.  [default: {USUAL}]")
@option("--plan", "file", metavar="FILE", help="A plan of your own, in TOML, in place of a preset.")
@option("--reactors", type=NAMES, help="Our service on these, in place of the plan's contestants.")
@option("--contestants", type=NAMES, help="These, in place of the plan's; --list shows which there are.")
@option("--contestant", multiple=True, metavar="NAME=COMMAND", help="One more; it listens on 127.0.0.1, port {port}.")
@option("--baseline", metavar="NAME", help="Whom the others are compared with.  [default: the plan's, or the first]")
@option("--connections", "-c", type=_list_of("n", _positive(_count)), help="That exchange messages.")
@option("--idle", type=_list_of("n", _count), help="Further connections, which say nothing.")
@option("--sizes", type=_list_of("size", _positive(parse_size)), help="Of messages: 64,10KiB.")
@option("--rate", type=float, metavar="N", help="Messages a second over all; without it, as many as come back.")
@option("--churn", type=CHURN, is_flag=False, flag_value="fin", help="A connection for each message.")
@option("--transport", type=click.Choice(["tcp", "tls", "udp"]), help="[default: tcp]")
@option("--rounds", type=POSITIVE, help="Samples of each contestant in each cell.  [default: the plan's]")
@option("--duration", "-d", type=SOME_TIME, help="Of each sample.  [default: the plan's]")
@option("--warmup", type=TIME, help="Before each, of which nothing counts.  [default: the plan's]")
@option("--budget", type=SOME_TIME, help="Of all of it: rounds are left out that do not fit.  [default: the plan's]")
@option("--calls/--no-calls", default=None, help="Count system calls, too (with strace).  [default: the plan's]")
@option("--seed", type=SEED, metavar="N", help="Of the order, and of all that is drawn.  [default: a new one]")
@option("--output", "-o", metavar="DIR", help="Where the results go.  [default: a new folder, named by date and time]")
@option("--overwrite", is_flag=True, help="Replace results that are there already.")
@option("--list", **FLAG_OF_ITS_OWN, callback=_print_contestants, help="List the contestants.")
@option("--json-schema", **FLAG_OF_ITS_OWN, callback=_print_schema, help="Print the schema of results.json.")
@against_options
@option("--quiet", "-q", is_flag=True, help="No progress, no table.")
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
    try:
        _check_extras()
        if preset is not None and file is not None:
            raise ConfigurationError("--preset and --plan are a plan each: leave one of them out")
        options = Options(**{name: value for name, value in given.items() if value is not None})
        if output is not None and not overwrite:
            check_kept(output)
        from echoproto.compare import session
        from echoproto.compare.run.comparison import Task

        task = Task(
            preset=preset or USUAL,
            file=file,
            options=options,
            seed=secrets.randbits(31) if seed is None else seed,
            command=shlex.join(["echoproto", *sys.argv[1:]]),
        )
        if output is None:
            output = unused(f"echoproto-compare-{datetime.now():%Y%m%d-%H%M%S}")
        outputs = session.Outputs(
            folder=output,
            quiet=quiet,
            against=against,
            tolerance=tolerance / 100,
            different_environments=different_environments,
        )
        status = session.run(task, outputs)
    except EchoError as error:
        raise complaint(str(error), error.exit_status) from error
    sys.exit(status)


def _check_extras() -> None:
    """Say what to install, where an extra is missing."""
    if any(find_spec(name) is None for name in ("hdrh", "psutil")):
        raise ConfigurationError("this command needs the extra 'compare': pip install 'echoproto[compare]'")
