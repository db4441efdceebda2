"""
The command ``echoproto``: the group of all commands beside the service.

Commands are imported when they are used: no command pays for the libraries of another, such as Twisted.
"""

from __future__ import annotations

import os
import re
from importlib import import_module
from typing import Any

import click

from echoproto import __version__
from echoproto.console import run
from echoproto.errors import INTERRUPTED, EchoError, InternalError, OutputError, one_line

KEPT_BYTE = re.compile(r"\\udc([89a-f][0-9a-f])")
"""The escape that click shows for a byte of an argument that is not UTF-8."""

DEBUG = "ECHOPROTO_DEBUG"
"""Environment variable that asks for the traceback of an internal error."""


class LazyCommand(click.Command):
    """
    A command that is imported only when it is used, to keep the others fast.

    :param name: on the command line.
    :param where: module and attribute of the real command, as ``module:attribute``.
    :param short_help: its line in the list of commands.
    """

    def __init__(self, name: str, where: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self._where = where

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of the real command, which click then runs."""
        module, _, attribute = self._where.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command.make_context(info_name, args, parent, **extra)


class Commands(click.Group):
    """The group of all commands, which reports an error in one line and survives any output."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the options, and report an error in one line, without the usage text."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise _in_one_line(error) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an internal error ends it with a status that no command uses for a verdict."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _in_one_line(error) from error
        except (OutputError, click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except EchoError as error:
            raise _complaint(str(error), error.exit_status) from error
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except Exception as error:
            fault = error if isinstance(error, InternalError) else InternalError.of(error)
            traced = bool(os.environ.get(DEBUG))
            if traced:
                click.echo(fault.trace, err=True, nl=False)
            click.echo(f"Error: {fault}{'' if traced else f'; {DEBUG}=1 shows where it comes from'}", err=True)
            ctx.exit(fault.exit_status)

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: D102
        return run(lambda: super(Commands, self).main(*args, **extra))


def _in_one_line(error: click.UsageError) -> click.ClickException:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    message = error.format_message()
    if type(error) is click.BadParameter and isinstance(error.param, click.Option):
        # The types of options begin with the value: --option VALUE: must be …
        message = f"{max(error.param.opts, key=len)} {error.message}"
    elif not isinstance(error, click.BadParameter):
        path = error.ctx.command_path if error.ctx is not None else "echoproto"
        message = f"{message.rstrip('.')}; see '{path} --help'"
    return _complaint(KEPT_BYTE.sub(r"\\x\1", message), error.exit_code)


def _complaint(message: str, status: int) -> click.ClickException:
    """Make the error that ends the command with one line and an exit status."""
    made = click.ClickException(one_line(message))
    made.exit_code = status  # type: ignore[misc]  # which is the class's default
    return made


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="echoproto")
def main() -> None:
    """
    Load, measure and compare echo services.

    Start the service itself with 'twistd -n echo'.
    """


for command in (
    LazyCommand("load", "echoproto.cli.load:load", "Load an echo service and check every reply."),
    LazyCommand("compare", "echoproto.cli.compare:compare", "Compare event loops under the same load."),
    LazyCommand("report", "echoproto.cli.report:report", "Report the results of 'compare' again."),
    LazyCommand(
        "reactors", "echoproto.cli.reactors:reactors", "List the reactors, and why some are not available here."
    ),
):
    main.add_command(command)
