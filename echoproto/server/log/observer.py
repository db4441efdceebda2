"""
The observer of the log: it writes events within their budget, in one of two formats, to the runner's destination.
"""

from __future__ import annotations

import pwd
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

from twisted.logger import ILogObserver, LegacyLogObserverWrapper, LogEvent, LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from echoproto.errors import ConfigurationError, one_line
from echoproto.server.log.budget import BURST, EventLog
from echoproto.server.log.file import LogFile
from echoproto.server.log.format import (
    OURS,
    Formatter,
    exception_of,
    failure_of,
    json_line,
    message_of,
    places_of,
    text_line,
)
from echoproto.server.log.stream import LogStream, append_only, open_stream

FORMATS: Mapping[str | None, Formatter] = {"json": json_line, "text": text_line, None: text_line}

FAILURE_BURST = 5
"""Exceptions of one kind that are logged before the rate limits them: the first with its traceback."""

ORIGIN_KEYS = ("log_level", "log_namespace", "log_system", "log_time")
"""Keys of the origin and the time of an event."""

LOGGERS = ("twisted.logger.", "twisted.python.log", "twisted.python.threadable", __name__)
"""Modules between whoever logs something and its observer."""


@implementer(ILogObserver)
class LogWriter:
    """
    Write log events as lines.

    :param stream: takes the lines; the number of lost ones is logged when it takes lines again.
    :param line_of: formats an event.
    """

    def __init__(self, stream: LogStream, line_of: Formatter) -> None:
        self.stream = stream
        self.line_of = line_of
        self._lost = 0

    def __call__(self, event: LogEvent) -> None:
        """Write an event."""
        line = self.line_of(event)
        if line and not (self._report_lost() and self._write(line)):
            self._lost += 1

    def _write(self, line: str) -> bool:
        return self.stream.write(line.encode("utf-8", "backslashreplace"))

    def _report_lost(self) -> bool:
        """Log the number of lost lines; return true if none is left to be logged."""
        if self._lost:
            lines = "line of the log is" if self._lost == 1 else "lines of the log are"
            line = self.line_of(
                {
                    "log_format": "{count} {log_lines} lost, which could not be written",
                    "log_lines": lines,
                    "log_level": LogLevel.warn,
                    "log_namespace": OURS,
                    "log_time": time.time(),
                    "event": "log-lines-lost",
                    "count": self._lost,
                }
            )
            if line and self._write(line):
                self._lost = 0
        return not self._lost


@implementer(ILogObserver)
class BudgetedObserver:
    """
    Pass on log events; those of other packages, and exceptions, within a budget.

    This package's own events about peers have taken room already; its other events are about the operation of the
    service. Each place in other packages that logs, and each kind of exception at a place, has a budget of its own. The
    first exception of a kind has its traceback, the next ones are a line each, until none was seen for a while.

    :param observer: gets the events.
    :ivar events: the budgets; ``None`` before and after the service runs, when all events are passed on.
    """

    def __init__(self, observer: ILogObserver) -> None:
        self.observer = observer
        self.events: EventLog | None = None

    def __call__(self, event: LogEvent) -> None:
        """Pass an event on, within its budget."""
        events = self.events
        if events is None or "worker" in event:  # a worker has a budget of its own
            self.observer(event)
        elif (failure := failure_of(event)) is not None:
            place = places_of(failure, 1) or _call_site()
            kind = f"exceptions, {getattr(failure.type, '__name__', '-')} at {place}"
            rested = events.rested(kind)
            if events.room(kind, FAILURE_BURST):
                self.observer(event if rested else _in_a_line(event, failure))
        elif event.get("log_namespace") == OURS or events.room(f"lines logged at {_call_site()}", BURST):
            self.observer(event)


def _in_a_line(event: LogEvent, failure: Failure) -> LogEvent:
    """Return the same event without a traceback."""
    kept: LogEvent = {key: event[key] for key in ORIGIN_KEYS if key in event}
    return {
        **kept,
        "log_format": "{log_message}: {exception}, at {places}",
        "log_message": one_line(message_of(event) or "Unhandled Error"),
        "exception": exception_of(failure),
        "places": places_of(failure) or "-",
    }


def _call_site() -> str:
    """Return the module and line that logs the current event."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(LOGGERS):
        frame = frame.f_back
    return "-" if frame is None else f"{frame.f_globals.get('__name__')}:{frame.f_lineno}"


def log_for_twistd(options: Mapping[str, Any], log_format: str | None) -> tuple[ILogObserver | None, LogFile | None]:
    """
    Choose the destination of the log from options of ``twistd``.

    :param options: ``logfile``, ``nodaemon``, ``logger``, ``syslog``, ``prefix``, ``uid`` and ``gid`` as ``twistd``
        parsed them.
    :param log_format: ``text`` (also ``None``) or ``json``.
    :return: an observer that writes there, ``None`` for the one of ``logger``; and the file, if it is one.
    :raise ConfigurationError: if JSON is to go to something that is neither a file nor standard output.
    :raise UnavailableError: if the file can't be written.
    """
    _require_format(options, log_format)
    if options.get("logger"):
        return None, None
    if options.get("syslog"):
        from twisted.python import syslog

        observer: Any = syslog.SyslogObserver(options.get("prefix", "")).emit
        return LegacyLogObserverWrapper(observer), None
    for stream in (sys.stdout, sys.stderr):
        append_only(stream.fileno())
    name = _file_of(options)
    if name is None:
        return LogWriter(open_stream(sys.stdout.fileno()), FORMATS[log_format]), None
    file = LogFile(name, owner=_owner(options))
    return LogWriter(file, FORMATS[log_format]), file


def check_log_for_twistd(options: Mapping[str, Any], log_format: str | None) -> None:
    """
    Check that the log can be written under these options, without a change.

    :raise EchoError: as `log_for_twistd` does.
    """
    _require_format(options, log_format)
    name = _file_of(options)
    if name is not None and not (options.get("logger") or options.get("syslog")):
        LogFile.check(name)


def _require_format(options: Mapping[str, Any], log_format: str | None) -> None:
    others = [option for option in ("logger", "syslog") if options.get(option)]
    if options.get("logfile") == "-" and not options.get("nodaemon"):
        raise ConfigurationError("a daemon can't log to standard output: leave --logfile - out, or add --nodaemon")
    if log_format == "json" and others:
        raise ConfigurationError(
            f"log-format json goes to a file or to standard output, not with twistd's --{others[0]}"
        )


def _file_of(options: Mapping[str, Any]) -> str | None:
    """Return the name of the log file; ``None`` for standard output."""
    name: str | None = options.get("logfile")
    if options.get("nodaemon") and name in (None, "", "-"):
        return None
    return name or "twistd.log"


def _owner(options: Mapping[str, Any]) -> tuple[int, int]:
    """Return the user and group ID that ``twistd`` is going to run as."""
    uid, gid = options.get("uid"), options.get("gid")
    if uid is not None and gid is None:
        with suppress(KeyError):  # twistd is about to say so
            gid = pwd.getpwuid(uid).pw_gid
    return (-1 if uid is None else uid, -1 if gid is None else gid)


def log_for_twist(options: Mapping[str, Any], log_format: str | None) -> tuple[LogWriter, LogFile | None]:
    """
    Choose the destination of the log from options of ``twist``.

    :param options: ``logFile`` and ``fileLogObserverFactory`` as ``twist`` parsed them.
    :param log_format: ``text`` or ``json``; ``None`` for the one of ``twist``'s own ``--log-format``.
    :return: an observer that writes there; and the file, if it is one.
    :raise UnavailableError: if the file can't be written.
    """
    opened = options["logFile"] or sys.stdout  # it has none where that was closed when it was started
    line_of = FORMATS[log_format] if log_format else options["fileLogObserverFactory"](opened).formatEvent
    for stream in (sys.stdout, sys.stderr):
        append_only(stream.fileno())
    if opened.fileno() in (sys.stdout.fileno(), sys.stderr.fileno()):
        return LogWriter(open_stream(opened.fileno()), line_of), None
    file = LogFile(opened.name, rotate_bytes=None)
    return LogWriter(file, line_of), file
