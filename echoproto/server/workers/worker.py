"""
A worker: a process that serves sockets that the service has opened, and ends with the service.

`echoproto.server.workers.supervisor` runs ``python -m echoproto.server.workers.worker NUMBER``; the number is for
people who look at the list of processes.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet.error import ReactorNotRunning
from twisted.internet.process import ProcessReader
from twisted.internet.task import LoopingCall
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
)
from typing_extensions import override
from zope.interface import implementer

from echoproto.errors import EchoError
from echoproto.reactors import selection
from echoproto.reactors.clock import follow_monotonic_clock
from echoproto.server.limits.descriptors import set_descriptor_limit
from echoproto.server.log.observer import BudgetedObserver
from echoproto.server.runner.process import from_signal, give_up
from echoproto.server.service import EchoService
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.pemfiles import PEMBlock
from echoproto.server.workers import messages
from echoproto.server.workers.handover import Inheritance
from echoproto.server.workers.messages import Lines, Start
from echoproto.server.workers.shares import share_of

log = Logger("echoproto")

ORDERS, REPORTS, FIRST_SOCKET = 0, 3, 4
"""Descriptors of orders, of reports, and of the first socket."""

READ_SIZE = 1 << 16
"""Bytes of the first message that are read at a time; it may contain many certificates."""

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2})
"""Signals with a meaning for the service; a worker acts on SIGTERM only."""

REPORT_SECONDS = 1.0
"""Interval in seconds between reports of counters; of a worker that is killed, so much is not known."""


@implementer(ILogObserver)
@frozen
class Reports:
    """
    Send reports to the service, if it has not ended.

    :param descriptor: of the pipe. It blocks, as a log does without a reader.
    """

    descriptor: int

    def send(self, kind: str, content: object = None) -> None:
        """Send a message of `echoproto.server.workers.messages`."""
        self._write(messages.line(kind, content))

    def __call__(self, event: LogEvent) -> None:
        """Send an event of the log."""
        self._write(messages.event_line(event))

    def _write(self, message: bytes) -> None:
        with suppress(BrokenPipeError):
            while message:
                message = message[os.write(self.descriptor, message) :]


def relevant_events(observer: ILogObserver) -> ILogObserver:
    """Pass on events of this package, and warnings; other events of Twisted would be repeated by all workers."""
    levels = LogLevelFilterPredicate(LogLevel.warn)
    levels.setLogLevelForNamespace(messages.OURS, LogLevel.debug)
    return FilteringLogObserver(observer, [levels])


class Worker(EchoService):
    """
    Serve a share of the connections.

    :param start: sockets and settings.
    :param reactor: the reactor.
    :param reports: pipe to the service.
    """

    def __init__(self, start: Start, reactor: Any, reports: Reports) -> None:
        self._start = start
        self._reactor = reactor
        self._reports = reports
        self._reported: object = None
        self._orders = Lines()
        self._stopping = False
        self._reporting = LoopingCall(self._report)
        self._reporting.clock = reactor
        inheritance = Inheritance(range(FIRST_SOCKET, FIRST_SOCKET + start.sockets))
        super().__init__(
            self._share(start.settings),
            start.reactor,
            reactor,
            open_port=inheritance.open,
            certificates=start.certificates,
        )

    def _share(self, settings: Settings) -> Settings:
        return share_of(settings, self._start.number, self._start.workers)

    @override
    def _log_ports(self) -> None:
        """Log nothing: the service has logged the addresses."""

    @override
    def _apply(self) -> None:
        super()._apply()
        self.events.rate = self.settings.log_rate / self._start.workers

    @override
    def startService(self) -> None:
        """Start to serve, to take orders and to report."""
        super().startService()
        ProcessReader(self._reactor, self, ORDERS, ORDERS)
        self._reporting.start(REPORT_SECONDS)
        self._reports.send(messages.READY, os.getpid())

    def childDataReceived(self, name: int, data: bytes) -> None:
        """Carry out orders, and answer each."""
        for message in self._orders.add(data):
            kind, content = messages.parse(message)
            if kind == messages.SETTINGS:
                self.apply(self._share(messages.settings_from(json.loads(content))))
            elif kind == messages.CERTIFICATES:
                self._use(messages.certificates_from(json.loads(content)))
            elif kind == messages.COUNT:
                self._report()
            elif kind == messages.ABORT:
                self.abort()
            self._reports.send(messages.DONE)

    def _use(self, certificates: Sequence[Sequence[PEMBlock]]) -> None:
        """Use certificates that the service has found to be good."""
        for credentials, blocks in zip(self.credentials, certificates, strict=True):
            credentials.use(blocks)

    def childConnectionLost(self, name: int, reason: object) -> None:
        """Stop in order, because the service has ended."""
        self.stop()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop in order; further calls change nothing."""
        if self._stopping:
            return
        self._stopping = True
        self._reports.send(messages.STOPPING)
        with suppress(ReactorNotRunning):
            self._reactor.stop()

    def _report(self) -> None:
        counters = self.snapshot().as_dict()
        if counters != self._reported:
            self._reported = counters
            self._reports.send(messages.COUNTERS, counters)

    def close(self) -> None:
        """Report for the last time."""
        self.events.close()
        self._report()


def main() -> None:
    """Serve until told to stop."""
    # A terminal's signals go to all its processes; only the service acts on them.
    for number in SIGNALS - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    orders = bytearray()
    while b"\n" not in (data := os.read(ORDERS, READ_SIZE)):
        if not data:
            raise SystemExit(0)
        orders += data
    text, _, further = bytes(orders + data).partition(b"\n")
    start = Start.from_json(text)
    try:
        selection.ensure_reactor(start.reactor)
        from twisted.internet import reactor

        follow_monotonic_clock(reactor)
        reports = Reports(REPORTS)
        log_observer = BudgetedObserver(reports)
        globalLogBeginner.beginLoggingTo([relevant_events(log_observer)])
        set_descriptor_limit(start.reactor)
        worker = Worker(start, reactor, reports)
        worker.privilegedStartService()
        worker.startService()
        worker.childDataReceived(ORDERS, further)
    except EchoError as error:
        give_up(error)
    run: Any = reactor
    run.callWhenRunning(_take_signals, worker)  # the reactor puts its own in their place as it starts
    run.callWhenRunning(setattr, log_observer, "events", worker.events)
    run.addSystemEventTrigger("before", "shutdown", worker.stopService)
    run.run()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the interpreter, as it ends, would let it be killed
    worker.close()
    log_observer.events = None


def _take_signals(worker: Worker) -> None:
    """Take signals, which the service has blocked for the time in which the interpreter starts."""
    signal.signal(signal.SIGTERM, partial(from_signal, worker.stop))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


if __name__ == "__main__":
    main()
