"""
Entry point for ``twistd`` and ``twist``: the options of ``echo``, and the service made of them.

An error before the service runs ends the process with one line on standard error. `usage.UsageError` would print the
whole usage text first, any other exception a traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, NoReturn

from twisted.logger import Logger
from twisted.python import usage

from echoproto import __version__
from echoproto.console import fill_standard_streams, print_out
from echoproto.errors import ConfigurationError, EchoError, as_given, nearest, one_line
from echoproto.reactors import selection
from echoproto.reactors.clock import follow_monotonic_clock
from echoproto.server.log.observer import check_log_for_twistd
from echoproto.server.paths import absolute
from echoproto.server.runner.daemon import StartErrors
from echoproto.server.runner.options import is_daemon, is_twistd, prepare
from echoproto.server.runner.process import ServiceForTwistd, StartFailed, give_up, print_error, turn_reactor_once
from echoproto.server.service import EchoService
from echoproto.server.settings.table import Given, Setting, Settings, join, table
from echoproto.server.settings.tomlfile import read_file
from echoproto.server.sockets.listeners import open_all
from echoproto.server.sockets.socketfile import owner_ids
from echoproto.server.workers.parent import WorkersForTwistd, processors
from echoproto.server.workers.shares import count_of

log = Logger("echoproto")


@contextmanager
def _naming(origin: str) -> Iterator[None]:
    """Put the origin of a value at the beginning of its error."""
    try:
        yield
    except EchoError as error:
        raise type(error)(f"{origin}: {error}") from error


def _read(setting: Setting, text: str, origin: str) -> Any:
    try:
        return setting.kind.from_text(text)
    except ValueError as error:
        raise ConfigurationError(f"{origin} {as_given(text)}: must be {setting.kind.allowed}") from error


class Options(usage.Options):
    """
    The options of ``twistd echo``: those of the settings' table, ``--config`` and ``--check``.

    :ivar settings: options, file and defaults joined, after parsing.
    :ivar given: the given values and their origins.
    :ivar reactor_name: the reactor installed by parsing.
    """

    longdesc = (
        "Echo service: sends back every byte that it receives. An option overrides the file, the file overrides the "
        "default. Exit status: 0 after a clean stop; 1 if this machine can't serve as asked (port in use, reactor not "
        "available); 2 for an invalid option, file or value."
    )
    optFlags = [["check", None, "Check the settings, show each with its origin, and exit without serving."]]
    optParameters = [
        ["config", "c", None, "TOML file with settings named like these options, such as port = 8888."],
        *(
            [setting.name, setting.short, None, f"{setting.help} [default: {setting.shown_default}]"]
            for setting in table()
            if setting.name != "listen"
        ),
    ]

    settings: Settings
    given: Mapping[str, Given]
    reactor_name: str
    _config = ""

    def opt_listen(self, description: str) -> None:  # noqa: D102 - the help text is the table's
        self.setdefault("listen", []).append(description)

    opt_l = opt_listen
    opt_listen.__doc__ = next(setting.help for setting in table() if setting.name == "listen")

    def opt_version(self) -> NoReturn:
        """Show the version and exit."""
        print_out(f"echoproto {__version__}")
        raise SystemExit(0)

    def opt_help(self) -> NoReturn:
        """Show this help and exit."""
        print_out(str(self))
        raise SystemExit(0)

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Parse the options and install the reactor; with ``--check``, show the settings and exit."""
        fill_standard_streams()
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            give_up(ConfigurationError(f"{error}{self._hint(str(error))}; see 'twistd echo --help'"))
        except EchoError as error:
            give_up(error)

    def _hint(self, complaint: str) -> str:
        """Suggest an option for an unknown one: one with a similar name, or an option of the runner."""
        found = re.fullmatch(r"option (--?\S*) (not recognized|not a unique prefix)", complaint)
        if found is None:
            return ""
        given, problem = found.groups()
        ours, theirs = (
            [f"--{name.removesuffix('=')}" for name in getattr(options, "longOpt", ())]
            for options in (self, self.runner_options)
        )
        if problem == "not a unique prefix":
            return f": it may be {', '.join(name for name in ours if name.startswith(given))}"
        is_letter = len(given) == len("-x") and given[1] in getattr(self.runner_options, "shortOpt", "")
        if is_letter or any(name.startswith(given) for name in theirs):
            return ": it is an option of the runner, and goes before 'echo'"
        hint = nearest(given, [*ours, *theirs])
        meant = re.search(r"'(.*)'", hint)
        of_runner = meant is not None and meant[1] not in ours
        return f"{hint}: that is an option of the runner, and goes before 'echo'" if of_runner else hint

    def parseArgs(self, *words: str) -> None:
        """Refuse arguments: there are options only."""
        if words:
            raise ConfigurationError(f"unexpected argument {words[0]!r}; all settings are options, such as --port 8888")

    def postOptions(self) -> None:
        """Join the options with the file, and install the reactor that they name."""
        if self["config"]:
            # twistd and twist may change the folder later; errors show the name as given.
            self._config = absolute(self["config"])
        self.settings = self.reread()
        with _naming(_origin(self, "reactor")):
            self.reactor_name = selection.ensure_reactor(self.settings.reactor)
        from twisted.internet import reactor

        if not follow_monotonic_clock(reactor):
            log.warn(
                "some timers were set before this service was made, so all of them follow the wall clock",
                event="timers-follow-wall-clock",
            )
        if is_twistd(self.runner_options):
            prepare(self.runner_options, check=bool(self["check"]))
        if self["check"]:
            self._check()

    @property
    def runner_options(self) -> MutableMapping[str, Any]:
        """The options of ``twistd`` or ``twist``; empty if these options are parsed alone."""
        return getattr(self, "parent", None) or {}

    def reread(self) -> Settings:
        """
        Join the options with the current content of the file.

        :raise ConfigurationError: if the file can't be read, or contains an invalid value.
        """
        name = self["config"]
        given = read_file(name, at=self._config) if name is not None else {}
        self.given = given | self._from_command_line()
        return join(self.given)

    def _from_command_line(self) -> dict[str, Given]:
        given = {}
        for setting in table():
            text = self.get(setting.name)
            if text is None:
                continue
            origin = f"--{setting.name}"
            values = [_read(setting, each, origin) for each in (text if isinstance(text, list) else [text])]
            given[setting.name] = Given(sum(values, ()) if isinstance(text, list) else values[0], origin)
        return given

    def _check(self) -> NoReturn:
        """Open the listeners as a start would, for the same verdict, and close them before they serve."""
        if is_twistd(self.runner_options):
            check_log_for_twistd(self.runner_options, self.settings.log_format)
        service = _make(self)
        try:
            service.ports = open_all(service.listeners, service.factory)
        finally:
            service.stopService()
            turn_reactor_once()
        for warning in service.warnings():
            print_error(f"warning: {warning}")
        places = [f"  {listener.description}" for listener in service.listeners]
        count = count_of(self.settings, processors())
        print_out(
            "echo: the settings are valid; a start would listen on",
            *places,
            f"with the reactor {self.reactor_name}, {f'{count} workers, ' if count > 1 else ''}and these settings:",
            *self._settings_in_words(),
        )
        raise SystemExit(0)

    def _settings_in_words(self) -> list[str]:
        """Format each setting as a line with its name, value and origin."""
        rows = []
        for setting in table():
            value = getattr(self.settings, setting.field_name)
            shown = setting.shown_default if value == setting.default else one_line(repr(value))
            if isinstance(value, tuple) and value:
                shown = one_line(", ".join(value))
            if setting.name == "port" and self.settings.served_port is None:
                shown = "none"
            origin = one_line(self.given[setting.name].origin) if setting.name in self.given else "default"
            rows.append((setting.name, shown, origin))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [
            "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]


def _origin(options: Options, name: str) -> str:
    """Return the origin of a setting, or its name if it was not given."""
    return options.given[name].origin if name in options.given else name


def makeService(options: Options) -> EchoService:
    """
    Make the service that the options ask for; it listens when it starts.

    :param options: parsed options, which have installed the reactor.
    """
    try:
        service = _make(options)
    except EchoError as error:
        give_up(error)
    if is_daemon(service.runner_options):
        service.start_errors = StartErrors(StartFailed.__name__)
    return service


def _make(options: Options) -> ServiceForTwistd:
    from twisted.internet import reactor

    wanted = options.settings
    with _naming(_origin(options, "unix-owner")):
        owner_ids(wanted.unix_owner)
    with _naming(_origin(options, "listen")):
        count, check = count_of(wanted, processors()), bool(options["check"])
        service = (
            ServiceForTwistd(wanted, options.reactor_name, reactor, check=check)
            if count == 1
            else WorkersForTwistd(wanted, options.reactor_name, reactor, workers=count, check=check)
        )
    service.runner_options = options.runner_options
    service.reread = options.reread
    return service
