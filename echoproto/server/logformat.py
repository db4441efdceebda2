"""
Log events as JSON, one object a line, written to wherever ``twistd`` would have written its text.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import IO, Any

from twisted.logger import FileLogObserver, LogEvent, eventAsJSON, formatEvent
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


def json_observer_for_twistd(options: Mapping[str, Any]) -> FileLogObserver:
    """
    An observer that writes to where these options of ``twistd`` say, and rotates on SIGUSR1 as its own does.

    :param options: ``logfile``, ``nodaemon``, ``logger`` and ``syslog`` as ``twistd`` parsed them.
    :raise ConfigurationError: if they ask for something that is neither a file nor standard output.
    :raise UnavailableError: if the file can't be written.
    """
    name, foreground = options.get("logfile"), options.get("nodaemon")
    for other in ("logger", "syslog"):
        if options.get(other):
            raise ConfigurationError(
                f"log-format json goes to a file or to standard output, not with twistd's --{other}"
            )
    if name == "-" and not foreground:
        raise ConfigurationError("a daemon can't log to standard output: leave --logfile - out, or add --nodaemon")
    if foreground and name in (None, "", "-"):
        return json_observer(sys.stdout)
    try:
        file = LogFile.fromFullPath(name or "twistd.log")
    except OSError as error:
        raise UnavailableError(f"can't write the log to {name}: {error.strerror}") from error
    if not signal.getsignal(signal.SIGUSR1):

        def rotate(number: int, frame: FrameType | None) -> None:
            from twisted.internet import reactor

            reactor.callFromThread(file.rotate)  # type: ignore[attr-defined]

        signal.signal(signal.SIGUSR1, rotate)
    return json_observer(file)
