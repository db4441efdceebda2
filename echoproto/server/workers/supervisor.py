"""
Keep worker processes running.

Each worker has a number, and a place of that number, which is in one of three states:

=========  ==================  ==============================================================
state      ``process``         left by
=========  ==================  ==============================================================
running    the process         its end, or its announcement that it stops: the place is vacant
vacant     ``None``            ``next_start``: after no time if the process has run for long
                               enough, else after a delay that doubles each time
stopped    as it was           nothing; no process is started any more
=========  ==================  ==============================================================

A process that has announced its stop serves its connections to their end beside its successor. It is killed if it takes
too long, as all processes are after `Supervisor.stop`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from echoproto.errors import one_line
from echoproto.server.workers import messages
from echoproto.server.workers.messages import Lines
from echoproto.server.workers.worker import FIRST_SOCKET, ORDERS, REPORTS, SIGNALS

log = Logger("echoproto")

STABLE_SECONDS = 5
"""Run time in seconds after which a worker is replaced without delay."""

MIN_DELAY_SECONDS = 0.1
MAX_DELAY_SECONDS = 60
"""Bounds of the delay before a worker is replaced. It doubles each time: ten in a row take 100 seconds."""

STOP_DELAY_SECONDS = 0.1
"""
Minimum delay in seconds before the successor of a worker that stops. A signal for all processes, as of a terminal or a
service manager, may reach a worker before it reaches this process; without the delay, a successor would be started only
to be stopped again.
"""


class Observer(Protocol):
    """The service, which knows the needs of its workers."""

    def prepare(self, worker: int) -> tuple[bytes, list[int]]:
        """Prepare the start of a process; return its first message, and the sockets that it is handed."""

    def received(self, process: WorkerProcess, kind: str, content: str) -> None:
        """React to a message of a process."""

    def printed(self, worker: int, text: str) -> None:
        """React to a line on a worker's standard output or standard error."""

    def vacant(self, worker: int, seconds: float) -> None:
        """React to the end of a process, or its announcement; the next one starts after so many seconds."""

    def ended(self, process: WorkerProcess) -> None:
        """React to the end of a process."""


class WorkerProcess(ProcessProtocol):
    """
    A process, its orders and its reports.

    :param start: its first message.
    :ivar worker: number of its place.
    :ivar gone: fires at its end.
    """

    def __init__(
        self, worker: int, start: bytes, observer: Observer, ended: Callable[[WorkerProcess, Failure], None]
    ) -> None:
        self.worker = worker
        self.gone: Deferred[None] = Deferred()
        self._start = start
        self._observer = observer
        self._ended = ended
        self._takes_orders = True
        self._unanswered: deque[Deferred[None]] = deque()
        self._lines = {descriptor: Lines() for descriptor in (1, 2, REPORTS)}
        self._kill: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Send the first message."""
        self.transport.writeToChild(ORDERS, self._start)  # type: ignore[union-attr]

    def order(self, kind: str, content: object = None) -> Deferred[None]:
        """
        Give an order; see `echoproto.server.workers.messages`.

        :return: fires when it is carried out, or the process has ended.
        """
        if not self._takes_orders:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._unanswered.append(done)
        self.transport.writeToChild(ORDERS, messages.line(kind, content))  # type: ignore[union-attr]
        return done

    def signal(self, name: str) -> None:
        """Send a signal, such as ``TERM``, if the process has not ended."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(name)  # type: ignore[union-attr]

    def kill_later(self, clock: Any, seconds: float) -> None:
        """Kill the process if it has not ended after some seconds; of several calls, the first counts."""
        if self._kill is None:
            self._kill = clock.callLater(seconds, self.signal, "KILL")

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Pass on complete lines."""
        for line in self._lines[childFD].add(data):
            if childFD == REPORTS:
                self._received(*messages.parse(line))
            else:
                self._print(line)

    def childConnectionLost(self, childFD: int) -> None:
        """Pass on a last line without an end."""
        if childFD == ORDERS:
            self._takes_orders = False
        elif childFD != REPORTS:
            for line in self._lines[childFD].end():
                self._print(line)

    def _print(self, line: bytes) -> None:
        self._observer.printed(self.worker, line.decode("utf-8", "backslashreplace"))

    def _received(self, kind: str, content: str) -> None:
        if kind == messages.DONE:
            self._unanswered.popleft().callback(None)
        else:
            self._observer.received(self, kind, content)

    def processEnded(self, reason: Failure) -> None:
        """Free all who wait for the process; all its output has been read."""
        if self._kill is not None and self._kill.active():
            self._kill.cancel()
        self._ended(self, reason)
        while self._unanswered:
            self._unanswered.popleft().callback(None)
        self.gone.callback(None)


@define
class _Place:
    """State of one place; the module describes it."""

    process: WorkerProcess | None = None
    started_at: float = field(init=False)
    delay: float = MIN_DELAY_SECONDS
    next_start: IDelayedCall | None = None


class Supervisor:
    """
    Start workers, and replace those that end or announce that they stop.

    :param reactor: starts processes, and tells the time.
    :param workers: how many.
    :param observer: is told of them.

    :ivar stop_seconds: time limit for a process to stop, after which it is killed; to be set before the start.
    :ivar processes: those that run.
    """

    stop_seconds: float
    _running = False

    def __init__(self, reactor: Any, workers: int, observer: Observer) -> None:
        self._reactor = reactor
        self._observer = observer
        self._places = [_Place() for _ in range(workers)]
        self.processes: set[WorkerProcess] = set()
        # A worker has the modules of this process, wherever they are, and none of the current folder.
        self._environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def start(self) -> None:
        """Start all workers."""
        self._running = True
        for worker in range(len(self._places)):
            self._start(worker)

    def _start(self, worker: int) -> None:
        start, sockets = self._observer.prepare(worker)
        process = WorkerProcess(worker, start, self._observer, self._ended)
        self.processes.add(process)
        place = self._places[worker]
        place.process, place.started_at = process, self._reactor.seconds()
        command = [sys.executable, "-P", "-m", "echoproto.server.workers.worker", str(worker)]
        descriptors: dict[int, Any] = {ORDERS: "w", 1: "r", 2: "r", REPORTS: "r"}
        descriptors.update(enumerate(sockets, FIRST_SOCKET))
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self._reactor.spawnProcess(process, command[0], command, self._environment, childFDs=descriptors)
        except OSError:  # no process can be made now
            process.processEnded(Failure())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def start_now(self, worker: int) -> None:
        """Start the next process of a vacant place without further delay."""
        call = self._places[worker].next_start
        if call is not None and call.active():
            call.reset(0)

    def replace(self, process: WorkerProcess) -> None:
        """Start the successor of a process that stops, about as soon as after its end."""
        if self._running and self._places[process.worker].process is process:
            process.kill_later(self._reactor, self.stop_seconds)
            following = self._vacate(process.worker, STOP_DELAY_SECONDS)
            log.info("Worker {worker} stops; {next}", event="worker-stops", worker=process.worker, next=following)

    def _vacate(self, worker: int, min_seconds: float = 0.0) -> str:
        """Plan the next process of a place; the plan in words."""
        place = self._places[worker]
        place.process, seconds = None, 0.0
        if self._reactor.seconds() - place.started_at < STABLE_SECONDS:
            seconds, place.delay = place.delay, min(2 * place.delay, MAX_DELAY_SECONDS)
        else:
            place.delay = MIN_DELAY_SECONDS
        seconds = max(min_seconds, seconds)
        place.next_start = self._reactor.callLater(seconds, self._start, worker)
        self._observer.vacant(worker, seconds)
        return f"a new one starts in {seconds:.1f} s"

    def _ended(self, process: WorkerProcess, reason: Failure) -> None:
        self.processes.remove(process)
        former = self._places[process.worker].process is not process
        following = f"; {self._vacate(process.worker)}" if self._running and not former else ""
        if self._running or not reason.check(ProcessDone):
            log.emit(
                LogLevel.info if former and reason.check(ProcessDone) else LogLevel.warn,
                "{log_which} {worker} has ended: {reason}{next}",
                event="worker-ended",
                log_which="The former worker" if former else "Worker",
                former=former,
                worker=process.worker,
                reason=_in_words(reason.value),
                next=following,
            )
        self._observer.ended(process)

    def stop(self) -> Deferred[Any]:
        """
        Stop all processes with SIGTERM, and kill those that take too long.

        :return: fires when none is left.
        """
        self._running = False
        for place in self._places:
            if place.next_start is not None and place.next_start.active():
                place.next_start.cancel()
            if place.process in self.processes:
                place.process.signal("TERM")
                place.process.kill_later(self._reactor, self.stop_seconds)
        return gatherResults([process.gone for process in self.processes])


def _in_words(problem: BaseException | None) -> str:
    """Describe the end of a process."""
    number = getattr(problem, "signal", None)
    if number is not None:
        names = {each.value: each.name for each in signal.Signals}
        return f"killed by {names.get(number, f'signal {number}')}"  # most of the real-time signals have no name
    if isinstance(problem, ProcessDone | ProcessTerminated):
        return f"exit status {problem.exitCode or 0}"
    return one_line(str(problem))
