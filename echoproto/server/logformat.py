"""
Where the log goes, as text or as JSON, one object a line; and how its file is opened anew.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import IO, Any

from twisted.logger import FileLogObserver, LogEvent, eventAsJSON, formatEvent, textFileLogObserver
from twisted.python.logfile import LogFile

from echoproto.errors import ConfigurationError, UnavailableError


def json_observer(file: IO[Any]) -> FileLogObserver:
    """
    An observer that writes each event as Twisted does (`twisted.logger.eventsFromJSONLogFile` reads it back), without
    a record separator, and with the line that a person would have read as ``log_text``.
    """
    return FileLogObserver(file, _as_line)


def _as_line(event: LogEvent) -> str:
    return eventAsJSON({**event, "log_text": formatEvent(event)}) + "\n"


def log_for_twistd(options: Mapping[str, Any], log_format: str | None) -> tuple[FileLogObserver | None, LogFile | None]:
    """
    Where the log goes under these options of ``twistd``.

    :param options: ``logfile``, ``nodaemon``, ``logger`` and ``syslog`` as ``twistd`` parsed them.
    :param log_format: ``text`` (also ``None``) or ``json``.
    :return: an observer that writes there, ``None`` if ``twistd``'s own does so; and the file, if it is one, which is
        rotated on SIGUSR1 as ``twistd``'s own is, and can be opened anew.
    :raise ConfigurationError: if JSON is to go to something that is neither a file nor standard output.
    :raise UnavailableError: if the file can't be written.
    """
    name, foreground = options.get("logfile"), options.get("nodaemon")
    others = [option for option in ("logger", "syslog") if options.get(option)]
    if name == "-" and not foreground:
        raise ConfigurationError("a daemon can't log to standard output: leave --logfile - out, or add --nodaemon")
    if log_format == "json" and others:
        raise ConfigurationError(
            f"log-format json goes to a file or to standard output, not with twistd's --{others[0]}"
        )
    make = json_observer if log_format == "json" else textFileLogObserver
    if others or (foreground and name in (None, "", "-")):
        return (json_observer(sys.stdout) if log_format == "json" else None), None
    try:
        file = LogFile.fromFullPath(name or "twistd.log")
    except OSError as error:
        raise UnavailableError(f"can't write the log to {name or 'twistd.log'}: {error.strerror}") from error
    if not signal.getsignal(signal.SIGUSR1):

        def rotate(number: int, frame: FrameType | None) -> None:
            from twisted.internet import reactor

            reactor.callFromThread(file.rotate)  # type: ignore[attr-defined]

        signal.signal(signal.SIGUSR1, rotate)
    return make(file), file


def reopen(file: LogFile | IO[Any]) -> None:
    """
    Open a log file anew, by its name: another program has moved it away.

    :param file: if it can't be opened, the one that is open stays so.
    :raise UnavailableError: if it can't be opened.
    """
    path = file.path if isinstance(file, LogFile) else file.name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    except OSError as error:
        raise UnavailableError(f"can't open the log {path} anew: {error.strerror}") from error
    if isinstance(file, LogFile):
        file.reopen()  # which forgets the old one first, and keeps the size
    else:
        os.dup2(descriptor, file.fileno())
    os.close(descriptor)
