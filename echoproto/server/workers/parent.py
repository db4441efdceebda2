"""
The echo service with several processes on the same ports: it opens the sockets, and workers serve them.

What a worker does stands in `echoproto.server.workers.worker`; this side hands it its sockets and settings, replaces it
when it ends or says that it stops, and joins what all of them log and count.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from attrs import asdict
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.logger import Logger

import twisted
from echoproto.errors import EchoError, UnavailableError, one_line
from echoproto.server.counters import Snapshot
from echoproto.server.log.budget import BURST
from echoproto.server.runner.process import ServiceForTwistd
from echoproto.server.service import EchoService
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.pemfiles import PEMBlock
from echoproto.server.workers import messages
from echoproto.server.workers.answers import Answers
from echoproto.server.workers.handover import SHORT_SECONDS, Handover, kernel_balances
from echoproto.server.workers.messages import Start
from echoproto.server.workers.totals import Totals

if TYPE_CHECKING:
    from echoproto.server.workers.supervisor import Supervisor, WorkerProcess

log = Logger("echoproto")

GRACE_SECONDS = 5
"""How much longer than ``drain`` a worker may take to end, before it is killed."""


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _may(mode: int, path: str) -> bool:
    """
    Whether the user that this process is may do something with a file, if that is there; a module may be in an archive.

    :param mode: what, as `os.access` has it.
    """
    try:
        os.stat(path)
    except PermissionError:  # a folder on the way is closed
        return False
    except (FileNotFoundError, NotADirectoryError):
        return True
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


class Workers(EchoService):
    """
    Has workers serve an echo; see `EchoService` for the parameters.

    :param workers: how many, at least 1.
    """

    def __init__(
        self, settings: Settings, reactor_name: str, reactor: Any, *, workers: int, check: bool = False
    ) -> None:
        self._reactor = reactor
        self._workers = workers
        self._totals = Totals()
        self._handover = Handover(workers, kernel_balances())
        self._supervisor: Supervisor | None = None
        self._counted: Answers | None = None
        self._reloaded: Answers | None = None
        self._renewals = 0
        self._due: dict[int, float] = {}
        self._absent: set[int] = set()
        self._waited_for: set[int] = set()
        super().__init__(settings, reactor_name, reactor, check=check, open_port=self._handover.open)

    def _open(self) -> None:
        try:
            super()._open()
        except EchoError:
            self._handover.close()
            raise
        for listener, way in zip(self.listeners, self._handover.ways(), strict=True):
            log.info(
                "{count} {log_noun} on {place}: {way}",
                event="workers-share",
                count=self._workers,
                log_noun="worker" if self._workers == 1 else "workers",
                place=listener.description,
                way=way,
            )

    def _set_budget(self) -> None:
        """Connections are the workers', each of which has its own descriptors."""

    def startService(self) -> None:
        """
        Start the workers when the reactor runs: only then does it notice the end of a process.

        :raise UnavailableError: if they could not even be started, as by the user that this process has become.
        """
        if not _may(os.X_OK, sys.executable):
            self._refuse(f"run {sys.executable}")
        for path in (os.__file__, twisted.__file__, __file__):
            if not _may(os.R_OK, path):
                self._refuse(f"read {path}")
        super().startService()
        self._reactor.callWhenRunning(self._start_workers)

    def _refuse(self, what: str) -> NoReturn:
        self.stopService()
        raise UnavailableError(f"workers can't be started: user {os.geteuid()} may not {what}")

    def _start_workers(self) -> None:
        from echoproto.server.workers.supervisor import Supervisor

        if self.running:
            self._supervisor = Supervisor(self._reactor, self._workers, self)
            self._set_patience()
            self._supervisor.startService()

    def _set_patience(self) -> None:
        if self._supervisor is not None:
            self._supervisor.killTime = self.settings.drain + GRACE_SECONDS

    def stopService(self) -> Deferred[Any]:
        """
        Have all workers stop in order.

        :return: fires when they have ended.
        """
        ended = [super().stopService()]
        self._handover.close()
        if self._supervisor is not None:
            self._supervisor.stopService()
            ended.append(self._supervisor.when_ended())  # type: ignore[arg-type]
        return gatherResults(ended)

    def abort(self) -> None:
        """End all connections at once."""
        self._tell_all(messages.ABORT)

    def apply(self, settings: Settings) -> list[str]:
        """Hold to other settings, and have the workers do so; see `EchoService.apply`."""
        names = super().apply(settings)
        self._set_patience()
        self._tell_all(messages.SETTINGS, asdict(self.settings))
        return names

    def renew_certificates(self) -> list[EchoError]:
        """Read them anew, and have the workers use them; they need not be able to read them."""
        problems = super().renew_certificates()
        self._renewals += 1
        content = [self._renewals, messages.certificates_to_send(self._certificates())]
        self._reloaded = Answers(self._reactor, self._tell_all(messages.CERTIFICATES, content))
        return problems

    def when_reloaded(self) -> Deferred[None]:
        """Fires when all workers hold to what they were told, or have had time to."""
        return succeed(None) if self._reloaded is None else self._reloaded.complete

    def _certificates(self) -> tuple[Sequence[PEMBlock], ...]:
        return tuple(credentials.blocks for credentials in self.credentials)

    def _tell_all(self, kind: str, content: object = None) -> set[WorkerProcess]:
        """Give all workers an order; those who have it."""
        running = self._supervisor.worker_processes if self._supervisor is not None else set()
        for process in running:
            process.send(kind, content)
        return running

    def snapshot(self) -> Snapshot:
        """What all workers together have reported."""
        return self._totals.total()

    def log_counters(self) -> None:
        """Ask all workers, and log what they say together; of those that take too long, what they reported last."""
        if self._counted is None or self._counted.complete.called:
            self._counted = Answers(self._reactor, self._tell_all(messages.TELL))
            log_them = super().log_counters
            self._counted.complete.addCallback(lambda _: log_them())

    # As the observer of the supervisor:

    def start_message(self, worker: int) -> bytes:
        """Which one it is, where it serves, and how."""
        sockets = len(self._handover.descriptors(worker))
        return Start(worker, self._workers, self.reactor_name, sockets, self.settings, self._certificates()).to_json()

    def descriptors(self, worker: int) -> list[int]:
        """The sockets that it is handed."""
        return self._handover.descriptors(worker)

    def starting(self, worker: int) -> None:
        """Its sockets take part again."""
        self._due.pop(worker, None)
        self._absent.add(worker)
        self._waited_for.discard(worker)
        self._handover.resume(worker)

    def heard(self, process: WorkerProcess, kind: str, content: str) -> None:
        """It serves, has counted, or stops."""
        if kind == messages.READY:
            log.info(
                "Worker {worker} serves, process {pid}",
                event="worker-serves",
                worker=process.worker,
                pid=json.loads(content),
            )
            self._serves(process.worker)
        elif kind == messages.RELOADED:
            if json.loads(content) == self._renewals:
                self._has_answered(process, self._reloaded)
        elif kind == messages.STOPPING:
            if self._supervisor is not None:
                self._supervisor.replace(process)
        else:
            self._totals.report(process, Snapshot.from_dict(json.loads(content)))
            if kind == messages.TOLD:
                self._has_answered(process, self._counted)

    def _has_answered(self, process: WorkerProcess, answers: Answers | None) -> None:
        if answers is not None:
            answers.answered(process)

    def printed(self, worker: int, text: str) -> None:
        """Log it: nothing of ours prints, so it is an error of the interpreter, or of a library."""
        if self.events.room("lines printed by workers", BURST):
            log.error("Worker {worker} has printed: {text}", event="worker-printed", worker=worker, text=one_line(text))

    def vacant(self, worker: int, seconds: float) -> None:
        """
        If the next one takes long to come, its share of connections is for the others.

        If there are no others, its sockets go on listening: clients wait for it, and are not refused.
        """
        self._due[worker] = self._reactor.seconds() + seconds
        self._absent.add(worker)
        if seconds > SHORT_SECONDS:
            if len(self._absent) < self._workers:
                self._handover.rest(worker)
            else:
                self._waited_for.add(worker)
        if len(self._due) == self._workers:
            wait = min(self._due.values()) - self._reactor.seconds()
            if wait > SHORT_SECONDS:
                log.warn(
                    "No worker is left; clients that connect wait until the next one starts in {seconds:.1f} s",
                    event="no-worker",
                    seconds=wait,
                )

    def _serves(self, worker: int) -> None:
        """Start those for whom clients wait, now that one lives; else, their sockets keep a share from it."""
        self._absent.discard(worker)
        if self._supervisor is not None:
            for number in sorted(self._waited_for - {worker}):
                self._supervisor.start_now(number)
        self._waited_for.clear()

    def ended(self, process: WorkerProcess) -> None:
        """Its counters are history."""
        self._totals.ended(process)
        self._has_answered(process, self._counted)
        self._has_answered(process, self._reloaded)


class WorkersForTwistd(ServiceForTwistd, Workers):
    """The same as ``twistd`` and ``twist`` run it."""
