"""
The service as ``twistd`` and ``twist`` run it: its signals, its log, and the end of a process that can't serve.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any, NoReturn

from twisted.internet.error import ReactorNotRunning
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from typing_extensions import override

from echoproto import console
from echoproto.errors import EchoError, one_line
from echoproto.server.limits.descriptors import set_descriptor_limit
from echoproto.server.log.file import LogFile, say_not_rotated
from echoproto.server.log.observer import BudgetedObserver, log_for_twist, log_for_twistd
from echoproto.server.runner.daemon import StartErrors
from echoproto.server.runner.options import leave_foreign_pid_file
from echoproto.server.service import EchoService
from echoproto.server.settings.table import Settings

log = Logger("echoproto")


SECOND_SIGNAL_SECONDS = 1.0
"""
Interval in seconds after which another signal to stop means "now". Earlier ones repeat the first: ``timeout`` signals
its command and then its process group; a terminal signals all processes, and some pass the signal on.
"""


class StartFailed(SystemExit, Exception):
    """
    The service can't start.

    As `SystemExit` it ends the process without a traceback; as `Exception` it has ``twistd`` remove its pid file
    and tell the waiting parent of a daemon, neither of which it does for a mere `SystemExit`.
    """

    # 100 bytes of its text reach that parent; the module's name would take a fifth of them.
    __module__ = "builtins"

    def __init__(self, error: EchoError) -> None:
        super().__init__(error.exit_status)
        self.error = error

    def __str__(self) -> str:
        return one_line(str(self.error))


def print_error(message: object) -> None:
    """Print one line to the real standard error, which the log may have replaced."""
    console.print_error(f"echo: {message}")


def give_up(error: EchoError) -> NoReturn:
    """End the process with one line on standard error."""
    print_error(error)
    raise SystemExit(error.exit_status)


def turn_reactor_once() -> None:
    """Have ports close, which they do in the next turn of a reactor; before the end there is none."""
    from twisted.internet import reactor

    reactor.iterate(0)


class ServiceForTwistd(EchoService):
    """
    The service as ``twistd`` and ``twist`` run it: its errors end the process, and its log may be JSON.

    :ivar start_errors: standard error of the command that has started a daemon.
    """

    runner_options: MutableMapping[str, Any]
    reread: Callable[[], Settings]
    start_errors: StartErrors | None = None
    _stop_asked_at: float | None = None
    _log: BudgetedObserver | None = None
    _log_file: LogFile | None = None

    @override
    def setServiceParent(self, parent: Componentized) -> None:
        """Join the application, and give it the log observer that ``twistd`` is going to use."""
        super().setServiceParent(parent)
        options = self.runner_options
        try:
            if "nodaemon" in options:
                observer, self._log_file = log_for_twistd(options, self.settings.log_format)
                if observer is not None:
                    self._log = BudgetedObserver(observer)
                    parent.setComponent(ILogObserver, self._log)
            elif "fileLogObserverFactory" in options:
                observer, self._log_file = log_for_twist(options, self.settings.log_format)
                self._log = BudgetedObserver(observer)
                options["fileLogObserverFactory"] = lambda file: self._log  # twist is about to call it
        except EchoError as error:
            give_up(error)

    @override
    def _open(self) -> None:
        self._take_signals()
        set_descriptor_limit(self.reactor_name)
        try:
            super()._open()
        except EchoError as error:
            self._fail(error)

    def _fail(self, error: EchoError) -> NoReturn:
        turn_reactor_once()
        if self.start_errors is None:
            print_error(error)
        else:
            self.start_errors.tell(f"echo: {error}")
        if self._logs_elsewhere():
            log.critical("{error}", event="failed", error=one_line(str(error)))
        raise StartFailed(error) from error

    @override
    def startService(self) -> None:
        """Start; when the reactor has stopped and all connections are gone, log the counts of suppressed lines."""
        from twisted.internet import reactor

        try:
            super().startService()
        except EchoError as error:
            self._fail(error)
        if self.start_errors is not None:
            self.start_errors.close()
        reactor.callWhenRunning(self._take_signals)  # the reactor puts its own in their place as it starts
        reactor.callWhenRunning(self._limit_log)
        reactor.addSystemEventTrigger("after", "shutdown", setattr, reactor, "_exitSignal", None)
        reactor.addSystemEventTrigger("after", "shutdown", self._close_log)
        reactor.addSystemEventTrigger("after", "shutdown", leave_foreign_pid_file, self.runner_options)
        reactor.addSystemEventTrigger("after", "shutdown", _ignore_signals)

    def _limit_log(self) -> None:
        if self._log is not None:
            self._log.events = self.events

    def _close_log(self) -> None:
        self.events.close()
        if self._log is not None:
            self._log.events = None
        self.log_counters()

    def _take_signals(self) -> None:
        """
        Stop in order on SIGTERM and SIGINT, with exit status 0; a second one, a second later, means now.

        Twisted's own handlers remember the signal, by which ``twistd`` and ``twist`` then end themselves; that is
        forgotten, too, since a signal may come while they are there. A signal that is ignored, as SIGINT is of a
        command that a shell has put into the background, and SIGHUP of one that nohup has started, stays so.
        """
        for number, call in (
            (signal.SIGHUP, self._reload),
            (signal.SIGUSR1, self._rotate),
            (signal.SIGUSR2, self._tell),
        ):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, partial(from_signal, call))
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._asked_to_stop)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        """Decide the meaning of a signal when it arrives; a busy reactor may act on it later."""
        now = time.monotonic()
        if self._stop_asked_at is None:
            self._stop_asked_at = now
            call = self._stop
        else:
            call = self._stop_now if now - self._stop_asked_at >= SECOND_SIGNAL_SECONDS else self._go_on_stopping
        from_signal(call, number, frame)

    def _stop(self, number: int) -> None:
        from twisted.internet import reactor

        log.info("Received {name}, stopping", event="stopping", name=signal.Signals(number).name)
        with suppress(ReactorNotRunning):  # something else has stopped it already
            reactor.stop()

    def _go_on_stopping(self, number: int) -> None:
        log.info(
            "Received {name} again, too soon to mean more: still stopping, a later one aborts what is left",
            event="still-stopping",
            name=signal.Signals(number).name,
        )

    def _stop_now(self, number: int) -> None:
        log.info("Received {name} again, aborting what is left", event="aborting", name=signal.Signals(number).name)
        self.abort()

    def _reload(self, number: int) -> None:
        """
        Open the log file anew, and read settings and certificates anew.

        Each of the three stays as it was if that fails.
        """
        done = [self._reopen_log(), self._reread(), self._renew_certificates()]
        if all(done):
            self.when_reloaded().addCallback(lambda _: log.info("Received SIGHUP, reloaded", event="reloaded"))

    def _reopen_log(self) -> bool:
        try:
            if self._log_file is not None:
                self._log_file.reopen()
        except EchoError as error:
            self._not_reloaded(error, "log file")
            return False
        return True

    def _reread(self) -> bool:
        try:
            settings = self.reread()
        except EchoError as error:
            self._not_reloaded(error, "settings")
            return False
        for name in self.apply(settings):
            log.warn("{name} can't change while the service runs; restart it", event="not-reloadable", name=name)
        return True

    def _renew_certificates(self) -> bool:
        problems = self.renew_certificates()
        for problem in problems:
            self._not_reloaded(problem, "certificates")
        for warning in self.warnings():
            log.warn("{problem}", event="certificate-warning", problem=warning)
        return not problems

    def _rotate(self, number: int) -> None:
        """Rotate the log file, if there is one."""
        try:
            if self._log_file is not None:
                self._log_file.rotate()
        except EchoError as error:
            say_not_rotated(error)

    def _not_reloaded(self, error: EchoError, kept: str) -> None:
        log.error(
            "Reload failed: {error}; {consequence}",
            event="not-reloaded",
            error=one_line(str(error)),
            consequence=f"keeping the previous {kept}",
        )

    def _tell(self, number: int) -> None:
        self.log_counters()

    def _logs_elsewhere(self) -> bool:
        """Tell if readers of the log do not see standard error."""
        options = self.runner_options
        return not options.get("nodaemon", True) or options.get("logfile") not in (None, "", "-")


def _ignore_signals() -> None:
    """Ignore all signals of the service: one would kill the interpreter as it ends, and change the exit status."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def from_signal(call: Callable[[int], None], number: int, frame: FrameType | None) -> None:
    """Call a function in a turn of the reactor, since a signal may arrive at any point of the code."""
    from twisted.internet import reactor

    reactor.callFromThread(call, number)  # type: ignore[attr-defined]
