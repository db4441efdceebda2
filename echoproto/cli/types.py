"""
Types of option values, and the options that several commands share.
"""

from __future__ import annotations

import errno
import importlib.resources
import math
import os
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import click
from typing_extensions import override

from echoproto.errors import ConfigurationError, as_given
from echoproto.load.workload import MAX_SEED
from echoproto.units import parse_time

FLAG_OF_ITS_OWN: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False}
"""Settings of a flag that replaces the command."""
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Parsed(click.ParamType[Any]):
    """
    An option type with its own parser.

    :param name: shown in --help.
    :param parse: reads the text, or raises `ConfigurationError` with a message that begins with the value.
    """

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class Word(click.Choice[str]):
    """One of a few words."""

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            self.fail(f"{as_given(str(value))}: must be one of {', '.join(self.choices)}", param, ctx)
        return str(value)


def whole(minimum: int, maximum: int | None = None) -> Parsed:
    """Make the type of a whole number within bounds, both included."""
    return Parsed("n", partial(parse_whole, minimum=minimum, maximum=maximum))


def parse_whole(text: str, *, minimum: int, maximum: int | None = None) -> int:
    """Read a whole number within bounds, both included."""
    try:
        number = int(text)
    except ValueError:
        number = minimum - 1
    if number < minimum or (maximum is not None and number > maximum):
        bounds = f", at least {minimum}" if maximum is None else f" from {minimum} to {maximum}"
        raise ConfigurationError(f"{as_given(text)}: must be a whole number{bounds}")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _rate(text: str) -> float:
    if math.isnan(number := _number(text)):
        raise ConfigurationError(f"{as_given(text)}: must be a number, for example 5000 or 0.5")
    return number


def _percentage(text: str) -> float:
    if not 0 <= (number := _number(text)) <= 100:  # noqa: PLR2004
        raise ConfigurationError(f"{as_given(text)}: must be a percentage from 0 to 100, for example 3")
    return number


def _regular_file(path: str) -> str:
    """Accept a file that each process can read anew, to its end: no pipe, and no device but the null device."""
    if not os.path.exists(path):
        raise ConfigurationError(f"{as_given(path)}: no such file")
    if not os.path.isfile(path) and path != os.devnull:
        raise ConfigurationError(f"{as_given(path)}: must be a regular file")
    if not os.access(path, os.R_OK):
        raise ConfigurationError(f"{as_given(path)}: can't be read: {os.strerror(errno.EACCES)}")
    return path


REGULAR_FILE = Parsed("file", _regular_file)
TIME = Parsed("time", parse_time)
POSITIVE = whole(1)


def option(*names: str, **settings: Any) -> Decorator:
    """Declare an option that shows its default, unless it is a flag."""
    shown = not settings.get("is_flag") and settings.get("default") is not None
    return click.option(*names, show_default=shown, **settings)


rate_option = partial(
    option,
    "--rate",
    type=Parsed("n", _rate),
    help="Messages per second, all connections together.  [default: maximum]",
)

churn_option = option(
    "--churn",
    type=Word(["fin", "reset"]),
    is_flag=False,
    flag_value="fin",
    help="Use a new connection for each message, closed by FIN or (--churn=reset) by RST.",
)

seed_option = option("--seed", type=whole(0, MAX_SEED), help="Seed of the random generator.  [default: random]")

overwrite_option = option("--overwrite", is_flag=True, help="Replace existing files.")

quiet_option = option("--quiet", "-q", is_flag=True, help="Show no progress and no table.")


def schema_option(package: str, path: str, help: str) -> Decorator:
    """
    Make the option that prints a JSON schema.

    :param package: package of the schema file, to which ``path`` is relative.
    """

    def show(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
        if wanted:
            click.echo(importlib.resources.files(package).joinpath(path).read_text("utf-8"), nl=False)
            context.exit()

    return option("--json-schema", **FLAG_OF_ITS_OWN, callback=show, help=help)


def against_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a comparison with an earlier run."""
    for add in (
        option("--different-environments", is_flag=True, help="Accept runs of different machines or versions."),
        option(
            "--tolerance", type=Parsed("percent", _percentage), default=5, help="Slowdown in percent that still passes."
        ),
        option("--against", metavar="FILE", help="Results of an earlier run to compare with."),
    ):
        command = add(command)
    return command


def require(extra: str, *packages: str, by: str = "this command") -> None:
    """
    Check that the packages of an extra are installed.

    :param by: option or command that needs them.
    :raise ConfigurationError: if one is missing; the error names the command that installs it.
    """
    if any(find_spec(name) is None for name in packages):
        raise ConfigurationError(f"{by} needs the extra '{extra}': pip install 'echoproto[{extra}]'")
