"""
What ``twistd`` and ``twist`` ask for: the options of ``echo``, and the service made of them.

Whatever goes wrong before the service runs ends the process with one line on standard error:
`usage.UsageError` would have the whole usage text printed first, any other exception a traceback.
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
from echoproto.errors import ConfigurationError, EchoError, nearest, one_line, quoted
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
    """Put the place where a value came from before what is wrong with it."""
    try:
        yield
    except EchoError as error:
        raise type(error)(f"{origin}: {error}") from error


def _read(setting: Setting, text: str, origin: str) -> Any:
    try:
        return setting.kind.from_text(text)
    except ValueError as error:
        raise ConfigurationError(f"{origin}: {quoted(text)} is not {setting.kind.allowed}") from error


class Options(usage.Options):
    """
    The options of ``twistd echo``: those of the settings' table, ``--config`` and ``--check``.

    :ivar settings: what they and the file come to, once they are parsed.
    :ivar given: what was given, and where.
    :ivar reactor_name: the reactor that is installed, once they are parsed.
    """

    longdesc = (
        "Sends back every byte that it is sent. An option beats the file, the file beats the default. "
        "Exit status: 1 if this machine can't do what is asked for (a port in use, a reactor that it lacks), "
        "2 for an invalid option, file or value."
    )
    optFlags = [["check", None, "Say what would be served, and where each setting comes from, without serving."]]
    optParameters = [
        ["config", "c", None, "TOML file with settings by the names of these options, such as port = 8888."],
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
        """Display the version and exit."""
        print_out(f"echoproto {__version__}")
        raise SystemExit(0)

    def opt_help(self) -> NoReturn:
        """Display this help and exit."""
        print_out(str(self))
        raise SystemExit(0)

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Parse the options, install the reactor, and with ``--check`` say what would be served and exit."""
        fill_standard_streams()
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            give_up(ConfigurationError(f"{error}{self._hint(str(error))}; see 'twistd echo --help'"))
        except EchoError as error:
            give_up(error)

    def _hint(self, complaint: str) -> str:
        """Suggest an option for an unknown one: one with a similar name, or one of the runner's."""
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
            return ": it is one of the runner's, and goes before 'echo'"
        hint = nearest(given, [*ours, *theirs])
        meant = re.search(r"'(.*)'", hint)
        of_runner = meant is not None and meant[1] not in ours
        return f"{hint}: that is one of the runner's, and goes before 'echo'" if of_runner else hint

    def parseArgs(self, *words: str) -> None:
        """There is nothing to give but options."""
        if words:
            raise ConfigurationError(f"unexpected {words[0]!r}: all settings are options, such as --port 8888")

    def postOptions(self) -> None:
        """Join the options with the file, and install the reactor that they name."""
        if self["config"]:
            # twistd and twist may change the folder later; a name is shown as it was given.
            self._config = absolute(self["config"])
        self.settings = self.reread()
        with _naming(_origin(self, "reactor")):
            self.reactor_name = selection.settle(self.settings.reactor)
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
        """Those of ``twistd`` or ``twist``; none, where these options are parsed by themselves."""
        return getattr(self, "parent", None) or {}

    def reread(self) -> Settings:
        """
        Join the options with the file, as it is now.

        :raise ConfigurationError: if it can't be read, or holds what is not allowed.
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
        """Open the listeners as a start would, so that the verdict is the same; close them before anyone is served."""
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
            "echo: the settings are good; a start would listen on",
            *places,
            f"with the reactor {self.reactor_name}, {f'{count} workers, ' if count > 1 else ''}and these settings:",
            *self._settings_in_words(),
        )
        raise SystemExit(0)

    def _settings_in_words(self) -> list[str]:
        """Each setting in a line: its name, its value, and where that comes from."""
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
    """Where a setting was given, or its name if it was not."""
    return options.given[name].origin if name in options.given else name


def makeService(options: Options) -> EchoService:
    """
    Make the service that the options ask for; nothing listens before it starts.

    :param options: parsed; they have installed the reactor.
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
