"""
The echo service with several processes on the same ports: it opens the sockets, and workers serve them.

`echoproto.server.workers.worker` is a worker; this side hands it its sockets and settings, replaces it when it ends or
announces that it stops, and joins the logs and counters of all of them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from attrs import asdict
from twisted.internet.defer import Deferred, DeferredList, gatherResults, succeed
from twisted.logger import Logger
from typing_extensions import override

import twisted
from echoproto.errors import EchoError, UnavailableError, one_line
from echoproto.server.counters import Counters, Snapshot
from echoproto.server.log.budget import BURST
from echoproto.server.runner.process import ServiceForTwistd
from echoproto.server.service import EchoService
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.pemfiles import PEMBlock
from echoproto.server.workers import messages
from echoproto.server.workers.handover import SHORT_SECONDS, Handover, kernel_balances
from echoproto.server.workers.messages import Start
from echoproto.server.workers.supervisor import Supervisor, WorkerProcess

log = Logger("echoproto")

GRACE_SECONDS = 5
"""Time beyond ``drain`` that a worker may take to end, before it is killed."""

ANSWER_SECONDS = 1
"""Time limit in seconds for all workers to carry out an order."""


def processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _may(mode: int, path: str) -> bool:
    """
    Tell if the current user may access a file; also of one that is missing, since a module may be in an archive.

    :param mode: of `os.access`.
    """
    try:
        os.stat(path)
    except PermissionError:  # of a folder above it
        return False
    except (FileNotFoundError, NotADirectoryError):
        return True
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


class Workers(EchoService):
    """
    The echo service, served by workers; see `EchoService` for the other parameters.

    :param workers: number of processes, at least 1.
    """

    def __init__(
        self, settings: Settings, reactor_name: str, reactor: Any, *, workers: int, check: bool = False
    ) -> None:
        self._reactor = reactor
        self._workers = workers
        self._handover = Handover(workers, kernel_balances())
        self._supervisor = Supervisor(reactor, workers, self)
        self._latest: dict[WorkerProcess, Snapshot] = {}
        self._past = Counters().snapshot(())
        self._counted: Deferred[Any] = succeed(None)
        self._reloaded: Deferred[Any] = succeed(None)
        self._due: dict[int, float] = {}
        self._absent: set[int] = set()
        self._waited_for: set[int] = set()
        super().__init__(settings, reactor_name, reactor, check=check, open_port=self._handover.open)

    @override
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

    @override
    def _set_budget(self) -> None:
        """Leave the limit to the workers: connections need their descriptors."""

    @override
    def _apply(self) -> None:
        super()._apply()
        self._supervisor.stop_seconds = self.settings.drain + GRACE_SECONDS

    @override
    def startService(self) -> None:
        """
        Start the workers when the reactor runs: only then does it notice the end of a process.

        :raise UnavailableError: if the user that this process has become may not start any.
        """
        if not _may(os.X_OK, sys.executable):
            self._refuse(f"run {sys.executable}")
        for path in (os.__file__, twisted.__file__, __file__):
            if not _may(os.R_OK, path):
                self._refuse(f"read {path}")
        super().startService()
        self._reactor.callWhenRunning(self._start_workers)

    def _refuse(self, action: str) -> NoReturn:
        self.stopService()
        raise UnavailableError(f"workers can't be started: user {os.geteuid()} may not {action}")

    def _start_workers(self) -> None:
        if self.running:
            self._supervisor.start()

    @override
    def stopService(self) -> Deferred[Any]:
        stopped = super().stopService()
        self._handover.close()
        return gatherResults([stopped, self._supervisor.stop()])

    @override
    def abort(self) -> None:
        self._order_all(messages.ABORT)

    @override
    def apply(self, settings: Settings) -> list[str]:
        names = super().apply(settings)
        self._order_all(messages.SETTINGS, asdict(self.settings))
        return names

    @override
    def renew_certificates(self) -> list[EchoError]:
        """Read the files of certificates anew, and send them to the workers, which may have no right to read them."""
        problems = super().renew_certificates()
        content = messages.certificates_to_send(self._certificates())
        self._reloaded = self._order_all(messages.CERTIFICATES, content)
        return problems

    @override
    def when_reloaded(self) -> Deferred[None]:
        return self._reloaded

    def _certificates(self) -> tuple[Sequence[PEMBlock], ...]:
        return tuple(credentials.blocks for credentials in self.credentials)

    def _order_all(self, kind: str, content: object = None) -> Deferred[Any]:
        """Give an order to all workers; fires when those that remain have carried it out, or their time is up."""
        orders = [process.order(kind, content) for process in self._supervisor.processes]
        return DeferredList(orders, consumeErrors=True).addTimeout(ANSWER_SECONDS, self._reactor)

    @override
    def snapshot(self) -> Snapshot:
        return sum(self._latest.values(), self._past)

    @override
    def log_counters(self) -> None:
        """Log the sum of the counters; of a worker that does not answer in time, those that it reported last."""
        if self._counted.called:
            self._counted = self._order_all(messages.COUNT)
            log_them = super().log_counters
            self._counted.addCallback(lambda _: log_them())

    # As the observer of the supervisor:

    def prepare(self, worker: int) -> tuple[bytes, list[int]]:
        """Have the worker's sockets take part again; return its first message, and the sockets."""
        self._due.pop(worker, None)
        self._absent.add(worker)
        self._waited_for.discard(worker)
        self._handover.resume(worker)
        sockets = self._handover.descriptors(worker)
        start = Start(worker, self._workers, self.reactor_name, len(sockets), self.settings, self._certificates())
        return start.to_json(), sockets

    def received(self, process: WorkerProcess, kind: str, content: str) -> None:
        """React to a message of a worker."""
        if kind == messages.LOG:
            messages.publish(process.worker, content)
        elif kind == messages.READY:
            log.info(
                "Worker {worker} serves, process {pid}",
                event="worker-serves",
                worker=process.worker,
                pid=json.loads(content),
            )
            self._serves(process.worker)
        elif kind == messages.STOPPING:
            self._supervisor.replace(process)
        else:
            self._latest[process] = Snapshot.from_dict(json.loads(content))

    def printed(self, worker: int, text: str) -> None:
        """Log a printed line: this package prints none, so it is an error of the interpreter or of a library."""
        if self.events.room("lines printed by workers", BURST):
            log.error("Worker {worker} has printed: {text}", event="worker-printed", worker=worker, text=one_line(text))

    def vacant(self, worker: int, seconds: float) -> None:
        """
        Leave the worker's share of connections to the others, if the next process takes long to start.

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
        """Start all workers for whom clients wait, now that one serves; their sockets would keep a share from it."""
        self._absent.discard(worker)
        for number in sorted(self._waited_for - {worker}):
            self._supervisor.start_now(number)
        self._waited_for.clear()

    def ended(self, process: WorkerProcess) -> None:
        """Keep the counters of a worker that is gone; its connections count as lost with it."""
        if (latest := self._latest.pop(process, None)) is not None:
            self._past += latest.lost()


class WorkersForTwistd(ServiceForTwistd, Workers):
    """Workers as ``twistd`` and ``twist`` run them."""
