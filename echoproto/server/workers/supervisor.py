"""
Keeps workers running.

It builds on `twisted.runner.procmon`, which imports the reactor; so nothing imports this module before there is one.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.runner.procmon import ProcessMonitor

from echoproto.errors import one_line
from echoproto.server.workers import messages
from echoproto.server.workers.messages import Lines
from echoproto.server.workers.worker import FIRST_SOCKET, ORDERS, REPORTS, SIGNALS

log = Logger("echoproto")

YOUNG_SECONDS = 5
"""Who ends, or says that it stops, sooner than this after its start is replaced later and later, all others at once."""

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 60
"""How much later: twice as long each time. Ten in a row are a minute and a half."""

SIGNAL_SECONDS = 0.1
"""
How long the successor of one that stops waits at least. A signal for all processes, as of a terminal or a service
manager, may reach a worker before it reaches us; a successor that had been started by then would have to be stopped
again, once it can be.
"""


class Observer(Protocol):
    """Who is told of workers, and knows what they need."""

    def start_message(self, worker: int) -> bytes:
        """The first line that a worker is sent."""

    def descriptors(self, worker: int) -> list[int]:
        """The sockets that it is handed."""

    def starting(self, worker: int) -> None:
        """It is about to be started."""

    def heard(self, process: WorkerProcess, kind: str, content: str) -> None:
        """A process of it has said something."""

    def printed(self, worker: int, text: str) -> None:
        """It has written a line to its standard output, or standard error."""

    def vacant(self, worker: int, seconds: float) -> None:
        """Its process has ended, or is about to; the next one starts after so many seconds."""

    def ended(self, process: WorkerProcess) -> None:
        """A process of it has ended."""


class WorkerProcess(ProcessProtocol):
    """
    What goes to a worker, and comes from it.

    :param worker: its number; the one that it takes the place of, if that still stops, has the same.
    :param observer: is told of it.
    :param ended: is called at its end.
    """

    def __init__(self, worker: int, observer: Observer, ended: Callable[[WorkerProcess, Failure], None]) -> None:
        self.worker = worker
        self._observer = observer
        self._ended = ended
        self._takes_orders = True
        self._lines = {descriptor: Lines() for descriptor in (1, 2, REPORTS)}

    def connectionMade(self) -> None:
        """Tell it what to do."""
        self._write(self._observer.start_message(self.worker))

    def send(self, kind: str, content: object = None) -> None:
        """Give an order; see `echoproto.server.workers.messages`."""
        self._write(messages.line(kind, content))

    def _write(self, message: bytes) -> None:
        if self._takes_orders:
            self.transport.writeToChild(ORDERS, message)  # type: ignore[union-attr]

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Pass on what it says."""
        self._heard(childFD, self._lines[childFD].add(data))

    def childConnectionLost(self, childFD: int) -> None:
        """Pass on what had no end; it is about to end."""
        if childFD == ORDERS:
            self._takes_orders = False
        elif childFD != REPORTS:
            self._heard(childFD, self._lines[childFD].end())

    def _heard(self, descriptor: int, lines: list[bytes]) -> None:
        for each in lines:
            if descriptor != REPORTS:
                self._observer.printed(self.worker, each.decode("utf-8", "backslashreplace"))
                continue
            kind, content = messages.parse(each)
            if kind == messages.LOG:
                publish(self.worker, content)
            else:
                self._observer.heard(self, kind, content)

    def processEnded(self, reason: Failure) -> None:
        """All that it has said is read."""
        self._ended(self, reason)


def publish(worker: int, content: str) -> None:
    """
    Put an event of a worker into our log, with its number.

    :param content: that of a message with an event.
    """
    event = messages.event_from(content)
    level = event.get("log_level")
    system = f"{event.get('log_namespace')}#{getattr(level, 'name', '-')}"
    globalLogPublisher({**event, "log_system": f"{system} worker {worker}", "worker": worker})


class Supervisor(ProcessMonitor):
    """
    Starts workers, and replaces those that end, or are about to.

    What Twisted's monitor knows by name are the places of workers; one that is about to end has left its own, which is
    to the monitor as if it had ended.

    :param reactor: starts processes, and tells the time.
    :param workers: how many.
    :param observer: is told of them.
    """

    threshold = YOUNG_SECONDS
    minRestartDelay = FIRST_DELAY_SECONDS  # type: ignore[assignment]
    maxRestartDelay = LONGEST_DELAY_SECONDS
    protocols: dict[str, WorkerProcess]  # type: ignore[assignment]

    def __init__(self, reactor: Any, workers: int, observer: Observer) -> None:
        super().__init__(reactor)
        self._observer = observer
        self._former: dict[WorkerProcess, IDelayedCall] = {}
        self._waiting: list[Deferred[None]] = []
        # The modules are to be those that this process has, wherever they are, and never some of the current folder.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        for number in range(workers):
            command = [sys.executable, "-P", "-m", "echoproto.server.workers.worker", str(number)]
            self.addProcess(str(number), command, env=environment)

    @property
    def worker_processes(self) -> set[WorkerProcess]:
        """Those that run."""
        return {*self.protocols.values(), *self._former}

    def startProcess(self, name: str) -> None:
        """Start a worker; Twisted's own would hand it no descriptors, and log all that it says as text."""
        if name in self.protocols:
            return
        number, process = int(name), self._processes[name]
        self._observer.starting(number)
        protocol = WorkerProcess(number, self._observer, self._ended)
        self.protocols[name] = protocol
        self.timeStarted[name] = self._clock.seconds()
        descriptors: dict[int, Any] = {ORDERS: "w", 1: "r", 2: "r", REPORTS: "r"}
        descriptors.update(enumerate(self._observer.descriptors(number), FIRST_SOCKET))
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self._reactor.spawnProcess(protocol, process.args[0], process.args, process.env, childFDs=descriptors)
        except OSError:  # no process can be made now
            self._ended(protocol, Failure())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def replace(self, process: WorkerProcess) -> None:
        """
        Start the successor of a worker that is about to end, about as soon as if that had ended.

        :param process: the worker; it is killed if it takes longer than it may.
        """
        if self.running and process not in self._former:
            self._former[process] = self._clock.callLater(self.killTime, self._forceStopProcess, process.transport)
            log.info(
                "Worker {worker} stops{next}",
                event="worker-stops",
                worker=process.worker,
                next=self._leave(process, SIGNAL_SECONDS),
            )

    def _leave(self, process: WorkerProcess, least_seconds: float = 0.0) -> str:
        """The place of a worker is free; when it is taken again, in words."""
        name = str(process.worker)
        self._monitoredProcessExited(name)  # without the reason, which Twisted 26 fails to log
        if not self.running:
            return ""
        seconds = max(least_seconds, self.restart[name].getTime() - self._clock.seconds())
        self.restart[name].reset(seconds)
        self._observer.vacant(process.worker, seconds)
        return f"; a new one starts in {seconds:.1f} s"

    def start_now(self, worker: int) -> None:
        """Start a worker that waits for its turn, without waiting any longer."""
        call = self.restart.get(str(worker))
        if call is not None and call.active():
            call.reset(0)

    def _ended(self, process: WorkerProcess, reason: Failure) -> None:
        kill, following = self._former.pop(process, None), ""
        if kill is None:
            following = self._leave(process)
        elif kill.active():
            kill.cancel()
        if self.running or not reason.check(ProcessDone):
            log.emit(
                LogLevel.warn if kill is None or not reason.check(ProcessDone) else LogLevel.info,
                "{log_which} {worker} has ended: {reason}{next}",
                event="worker-ended",
                log_which="Worker" if kill is None else "The former worker",
                former=kill is not None,
                worker=process.worker,
                reason=_in_words(reason.value),
                next=following,
            )
        self._observer.ended(process)
        if not self.worker_processes:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def when_ended(self) -> Deferred[None]:
        """Fires when none runs; at once, if none does."""
        if not self.worker_processes:
            return succeed(None)
        deferred: Deferred[None] = Deferred()
        self._waiting.append(deferred)
        return deferred


def _in_words(problem: BaseException | None) -> str:
    """Why a process has ended."""
    number = getattr(problem, "signal", None)
    if number is not None:
        names = {each.value: each.name for each in signal.Signals}
        return f"killed by {names.get(number, f'signal {number}')}"  # most of the real-time signals have no name
    status = getattr(problem, "exitCode", None)
    return (
        f"exit status {status or 0}" if isinstance(problem, ProcessDone | ProcessTerminated) else one_line(str(problem))
    )
