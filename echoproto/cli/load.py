"""
The command ``echoproto load``: its options, and what it does with them.

Only what --help needs is imported here; the rest is the matter of `echoproto.load.session`.
"""

from __future__ import annotations

import importlib.resources
import os
import secrets
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import click

from echoproto.errors import ConfigurationError, EchoError, one_line
from echoproto.load import outputs
from echoproto.load.caution import MOST_CONNECTIONS
from echoproto.load.options import Options
from echoproto.load.search import parse_aim
from echoproto.units import parse_sizes, parse_time

SCHEMA = "schema/load-1.json"

LARGEST_SEED = 2**63 - 1

LARGEST_PID = 2**31 - 1

EPILOG = f"""\b
Examples:
  echoproto load tcp:127.0.0.1:8888
      as much as comes back over 50 connections of 64 bytes, for 10 seconds
  echoproto load tcp:127.0.0.1:8888 --rate 5000 --html report.html
      5,000 messages a second: the only way to learn how late an echo is
  echoproto load tls:localhost:8889 --insecure --churn=reset --count 10000
      a connection for each message, closed by RST
  echoproto load udp:[::1]:8888 --size 64-1400 --json -
  echoproto load tcp:127.0.0.1:8888 --find-rate 'p99<2ms'
  echoproto load --server 'twistd -n --pidfile= echo --port {{port}}'
      its own server, whose processor time is reported, too

\b
Exit status:
    0  all came back, unharmed
    1  the service lost or harmed data, or connections broke; --find-rate: no rate holds the aim
    2  invalid option, file or value, or refused; a file of the report can't be written
    3  unreachable; TLS or the greeting failed; over UDP, nothing came back
    4  client limit: the generator itself was the limit, or ran out of descriptors or ports
   70  a fault of this program itself; ECHOPROTO_DEBUG=1 shows its traceback
  130  interrupted (Ctrl-C, SIGTERM); the report is marked as partial

Without --rate, and with more than {MOST_CONNECTIONS} connections, only this machine may be the target.
"""


class Parsed(click.ParamType[Any]):
    """
    The type of an option that one of our own functions reads.

    :param name: what it is called in messages and in --help.
    :param parse: reads it, or raises `ConfigurationError`.
    """

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: D102
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class OneLineCommand(click.Command):
    """A command whose usage errors are one line, without the usage."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """See `click.Command.make_context`."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise complaint(error.format_message(), ConfigurationError.exit_status) from error


def complaint(message: str, status: int) -> click.ClickException:
    """One line for a person, and an exit status."""
    made = click.ClickException(one_line(message))
    made.exit_code = status  # type: ignore[misc]  # which is the class's default
    return made


def _print_schema(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        text = importlib.resources.files("echoproto.load.report").joinpath(SCHEMA).read_text("utf-8")
        click.echo(text, nl=False)
        context.exit()


class Whole(click.IntRange):
    """A whole number, shown as such."""

    name = "n"


class RegularFile(click.Path):
    """A file that each process can read anew, and that has an end: no pipe, no device."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Accept only a regular file, or the null device."""
        path = super().convert(value, param, ctx)
        if not os.path.isfile(path) and path != os.devnull:
            self.fail(f"{value!r} is not a regular file", param, ctx)
        return path


SIZE = Parsed("size", parse_sizes)
TIME = Parsed("time", parse_time)
AIM = Parsed("aim", parse_aim)
POSITIVE = Whole(min=1)
MAX_CONNECTIONS = 1_000_000
"""As many as Linux lets a process have descriptors, unless told otherwise."""
MAX_WINDOW = 1_000_000
MAX_PROCESSES = 1_000
SEED = Whole(0, LARGEST_SEED)
FLAG_OF_ITS_OWN: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False}
CHURN = click.Choice(["fin", "reset"])


def option(*names: str, **settings: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option that shows its default, but for one that is off."""
    shown = not settings.get("is_flag") and settings.get("default") is not None
    return click.option(*names, show_default=shown, **settings)


@click.command(cls=OneLineCommand, epilog=EPILOG, context_settings={"max_content_width": 110})
@click.argument("target", required=False)
@option(
    "--connections", "-c", type=Whole(1, MAX_CONNECTIONS), default=50, help="That exchange messages; over UDP, sockets."
)
@option("--size", "-s", type=SIZE, default="64", help="Of a message: 64, 10KiB, 64-1KiB.")
@option("--duration", "-d", type=TIME, help="To measure for, such as 30s or 5m.  [default: 10s]")
@option("--count", "-n", type=POSITIVE, help="Messages to send, in place of --duration.")
@option("--warmup", type=TIME, default="1s", help="Before measuring begins; what comes back is checked all the same.")
@option("--rate", "-r", type=float, metavar="N", help="Messages a second over all; without it, as many as come back.")
@option("--arrivals", type=click.Choice(["uniform", "poisson"]), help="How --rate spreads them.  [default: uniform]")
@option("--find-rate", type=AIM, help="Find the highest rate that holds an aim: 'p99<2ms'.")
@option("--window", "-w", type=Whole(1, MAX_WINDOW), default=1, help="Messages in flight on each connection.")
@option("--idle", type=Whole(0, MAX_CONNECTIONS), default=0, help="Further connections, which say nothing.")
@option("--churn", type=CHURN, is_flag=False, flag_value="fin", help="A connection for each message; or --churn=reset.")
@option("--half-close", is_flag=True, help="Close the sending side after the last message, and read to the end.")
@option("--processes", "-p", type=Whole(1, MAX_PROCESSES), default=1, help="That share the work.")
@option("--greeting", help="What each connection is sent first.  [default: 'Hello\\n' or nothing, whichever comes]")
@option("--proxy", type=click.Choice(["v1", "v2"]), help="Send a header of the PROXY protocol first.")
@option("--seed", type=SEED, metavar="N", help="Of all that is drawn.  [default: a new one]")
@option("--insecure", is_flag=True, help="Take any TLS certificate.")
@option("--ca", type=RegularFile(exists=True, dir_okay=False, readable=True), help="PEM file of whom TLS trusts.")
@option("--server-pid", type=Whole(1, LARGEST_PID), help="Report this process's time on the processor.")
@option("--server", help="Command that serves for as long; {port} in it and in TARGET is a free TCP port.")
@option("--json", metavar="FILE", help="Write the report as JSON, to standard output with -.")
@option("--html", metavar="FILE", help="Write it as a page with pictures.")
@option("--hgrm", metavar="FILE", help="Write the percentiles as HdrHistogram's tools read them.")
@option("--overwrite", is_flag=True, help="Replace files that are there already.")
@option("--json-schema", **FLAG_OF_ITS_OWN, callback=_print_schema, help="Print the schema of the JSON report.")
@option("--quiet", "-q", is_flag=True, help="No progress, no table.")
@option("--i-own-this-host", is_flag=True, help="Also load what is not this machine.")
def load(
    *, target: str | None, server: str | None, i_own_this_host: bool, seed: int | None, overwrite: bool, **given: Any
) -> None:
    """
    Send messages to an echo, check every byte that comes back, and say how fast it was and how late.

    TARGET is tcp:HOST:PORT, tls:HOST:PORT, udp:HOST:PORT or unix:PATH; an IPv6 address stands in brackets;
    unix:@NAME is an abstract name.
    """
    paths = {name: outputs.named(given.pop(name)) for name in ("json", "html", "hgrm")}
    quiet = given.pop("quiet")
    try:
        _check_extras(html=paths["html"] is not None)
        outputs.check({f"--{name}": path for name, path in paths.items()}, overwrite=overwrite)
        options = Options(**given, seed=secrets.randbits(63) if seed is None else seed)
        from echoproto.load import session

        status = session.run(target, server, options, session.Outputs(**paths, quiet=quiet), own_host=i_own_this_host)
    except EchoError as error:
        raise complaint(str(error), error.exit_status) from error
    sys.exit(status)


def _check_extras(*, html: bool) -> None:
    """Say what to install, where an extra is missing."""
    if find_spec("hdrh") is None or find_spec("psutil") is None:
        raise ConfigurationError("this command needs the extra 'load': pip install 'echoproto[load]'")
    if html and find_spec("vl_convert") is None:
        raise ConfigurationError("--html needs the extra 'html': pip install 'echoproto[html]'")
