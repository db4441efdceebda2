"""
The service as ``twistd`` and ``twist`` run it: how it ends a process that can't serve, and where its log goes.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from twisted.internet.error import ReactorNotRunning
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from echoproto.errors import EchoError, UnavailableError, one_line
from echoproto.server.descriptors import set_descriptor_limit
from echoproto.server.logformat import json_observer_for_twistd
from echoproto.server.service import EchoService

log = Logger("echoproto")


class StartFailed(SystemExit, Exception):
    """
    The service can't start.

    As `SystemExit` it ends the process without a traceback; as `Exception` it has ``twistd`` remove its pid file
    and tell the waiting parent of a daemon, neither of which it does for a mere `SystemExit`.
    """

    # Of what it says of itself, 100 bytes reach that parent; the module's name would take a fifth of them.
    __module__ = "builtins"

    def __init__(self, error: EchoError) -> None:
        super().__init__(error.exit_status)
        self.error = error

    def __str__(self) -> str:
        return one_line(str(self.error))


def print_error(message: object) -> None:
    """One line on the real standard error, which the log may have taken the place of; it may also be closed."""
    if sys.__stderr__ is not None:
        print(f"echo: {one_line(str(message))}", file=sys.__stderr__)


def print_out(*lines: str) -> None:
    """
    Print to standard output, all at once.

    :raise UnavailableError: if it can't be written to.
    """
    try:
        print(*lines, sep="\n", flush=True)
    except OSError as error:
        # Else the interpreter would try again at its end, and complain in its own way.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise UnavailableError(f"can't write to standard output: {error.strerror}") from error


def give_up(error: EchoError) -> NoReturn:
    """End the process with one line on standard error."""
    print_error(error)
    raise SystemExit(error.exit_status)


def turn_reactor_once() -> None:
    """Ports close in the next turn of a reactor; before the end there is none."""
    from twisted.internet import reactor

    reactor.iterate(0)


class ServiceForTwistd(EchoService):
    """The service as ``twistd`` and ``twist`` run it: its errors end the process, and its log may be JSON."""

    runner_options: Mapping[str, Any]
    stopped_by_signal = False

    def setServiceParent(self, parent: Componentized) -> None:
        """Join the application; the log observer that it holds is the one that ``twistd`` is going to use."""
        super().setServiceParent(parent)
        if self.settings.log_format == "json" and "nodaemon" in self.runner_options:
            try:
                parent.setComponent(ILogObserver, json_observer_for_twistd(self.runner_options))
            except EchoError as error:
                give_up(error)

    def _open(self) -> None:
        set_descriptor_limit(self.reactor_name)
        try:
            super()._open()
        except EchoError as error:
            turn_reactor_once()
            print_error(error)
            if self._logs_elsewhere():
                log.critical("{error}", error=one_line(str(error)))
            raise StartFailed(error) from error

    def startService(self) -> None:
        """Start; when the reactor has stopped and all connections are gone, have the log tell what it left out."""
        from twisted.internet import reactor

        super().startService()
        self._take_signals()
        reactor.callWhenRunning(self._take_signals)  # the reactor puts its own in their place as it starts
        reactor.addSystemEventTrigger("after", "shutdown", setattr, reactor, "_exitSignal", None)
        reactor.addSystemEventTrigger("after", "shutdown", self.events.close)

    def _take_signals(self) -> None:
        """
        Stop in order on SIGTERM and SIGINT, with exit status 0; a second one means now.

        Twisted's own handlers remember the signal, by which ``twistd`` and ``twist`` then end themselves; that is
        forgotten, too, since a signal may come while they are there. A signal that is ignored, as SIGINT is of a
        command that a shell has put into the background, stays so.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._signal)

    def _signal(self, number: int, frame: FrameType | None) -> None:
        from twisted.internet import reactor

        reactor.callFromThread(self._stop, number)  # type: ignore[attr-defined]

    def _stop(self, number: int) -> None:
        from twisted.internet import reactor

        name = signal.Signals(number).name
        if self.stopped_by_signal:
            log.info("Received {name} again, aborting what is left", name=name)
            self.abort()
            return
        self.stopped_by_signal = True
        log.info("Received {name}, stopping", name=name)
        with suppress(ReactorNotRunning):  # something else has stopped it already
            reactor.stop()

    def _logs_elsewhere(self) -> bool:
        """Whether a line on standard error would not be seen by who reads the log."""
        options = self.runner_options
        return not options.get("nodaemon", True) or options.get("logfile") not in (None, "", "-")
