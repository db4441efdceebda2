"""
Types of the options' values, and the options that several commands have.
"""

from __future__ import annotations

import importlib.resources
import math
import os
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import click

from echoproto.errors import ConfigurationError
from echoproto.units import parse_time

LARGEST_SEED = 2**63 - 1

FLAG_OF_ITS_OWN: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False}
"""Settings of a flag that is run in place of the command."""

CONTEXT = {"max_content_width": 110}
"""Settings of each command: columns that its help may have."""

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Parsed(click.ParamType[Any]):
    """
    The type of an option that one of our own functions reads.

    :param name: its name in messages and in --help.
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


class Whole(click.IntRange):
    """A whole number, shown as such."""

    name = "n"


class Share(click.FloatRange):
    """A range that, unlike click's own, does not take NaN for a number in it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: D102
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class RegularFile(click.Path):
    """A file that each process can read anew, and that has an end: no pipe, no device."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Accept only a regular file, or the null device."""
        path = super().convert(value, param, ctx)
        if not os.path.isfile(path) and path != os.devnull:
            self.fail(f"{value!r} is not a regular file", param, ctx)
        return path


TIME = Parsed("time", parse_time)
POSITIVE = Whole(min=1)


def option(*names: str, **settings: Any) -> Decorator:
    """An option that shows its default, but for one that is off."""
    shown = not settings.get("is_flag") and settings.get("default") is not None
    return click.option(*names, show_default=shown, **settings)


rate_option = partial(
    option,
    "--rate",
    type=float,
    metavar="N",
    help="Messages a second over all; without it, as many as come back.",
)

churn_option = option(
    "--churn",
    type=click.Choice(["fin", "reset"]),
    is_flag=False,
    flag_value="fin",
    help="A connection for each message; or --churn=reset.",
)

seed_option = option(
    "--seed", type=Whole(0, LARGEST_SEED), metavar="N", help="Of all that is drawn.  [default: a new one]"
)

overwrite_option = option("--overwrite", is_flag=True, help="Replace files that are there already.")

quiet_option = option("--quiet", "-q", is_flag=True, help="No progress, no table.")


def schema_option(package: str, path: str, help: str) -> Decorator:
    """
    Make the option that prints a JSON schema.

    :param package: where the schema is; its ``path`` leads on from there.
    """

    def show(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
        if wanted:
            click.echo(importlib.resources.files(package).joinpath(path).read_text("utf-8"), nl=False)
            context.exit()

    return option("--json-schema", **FLAG_OF_ITS_OWN, callback=show, help=help)


def against_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a comparison with an earlier run."""
    for add in (
        option("--different-environments", is_flag=True, help="Also if the runs' machines or versions differ."),
        option("--tolerance", type=Share(0, 100), default=5.0, metavar="PERCENT", help="That may be lost."),
        option("--against", metavar="FILE", help="Results of an earlier run, to say what has become of them."),
    ):
        command = add(command)
    return command


def require(extra: str, *packages: str, by: str = "this command") -> None:
    """
    Check that the packages of an extra are installed.

    :param by: option or command that needs them.
    :raise ConfigurationError: if one is missing; the error says what to install.
    """
    if any(find_spec(name) is None for name in packages):
        raise ConfigurationError(f"{by} needs the extra '{extra}': pip install 'echoproto[{extra}]'")
