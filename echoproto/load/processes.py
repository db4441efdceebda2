"""
The processes of a load, and the sum of their outcomes.

Even a single generator is a process of its own: drawing on the terminal must not take time from measuring. The
processes run `echoproto.load.generator`. They are spawned, not forked: on every system, they inherit no descriptors,
threads or signal handlers. They start to measure together, when all are ready.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Pipe, wait
from typing import Protocol

from attrs import define, evolve, field, frozen

from echoproto.errors import EchoError, InternalError
from echoproto.host.child import environment, python
from echoproto.host.limits import available
from echoproto.host.signals import SIGNALS, StopRequest
from echoproto.load.errors import ClientLimit
from echoproto.load.histogram import Histogram
from echoproto.load.memory import shortage
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Workload

POLL_SECONDS = 0.25
"""Maximum time between two checks for a stop request, and between two progress updates."""

READY = "ready"
GO = "go"


@define
class ProgressReport:
    """
    The progress of a load.

    :ivar messages: messages that came back.
    :ivar errors: failed connections and findings of harm.
    :ivar elapsed: measured seconds; for several processes, those of the report that lags most.
    :ivar times: service times.
    """

    messages: int = 0
    errors: int = 0
    elapsed: float = 0.0
    times: Histogram = field(factory=Histogram)

    def add(self, other: ProgressReport) -> None:
        """Add the progress of another process."""
        self.messages += other.messages
        self.errors += other.errors
        self.elapsed = min(self.elapsed, other.elapsed)
        self.times.add(other.times)


@frozen
class Share:
    """
    The part of a load that one process runs.

    :ivar first: number of its first connection; each connection has its own number, and so its own data.
    """

    workload: Workload
    first: int


def partition(workload: Workload) -> list[Share]:
    """
    Divide a load evenly: connections, messages and rate.

    Poisson arrivals of several processes are Poisson arrivals again; uniform ones coincide, as in small bursts.
    """
    parts = workload.processes
    found: list[Share] = []
    first = 0
    for index in range(parts):
        connections = _part(workload.connections, parts, index)
        share = evolve(
            workload,
            connections=connections,
            idle=_part(workload.idle, parts, index),
            count=None if workload.count is None else _part(workload.count, parts, index),
            rate=None if workload.rate is None else workload.rate / parts,
            processes=1,
        )
        found.append(Share(share, first))
        first += connections
    return found


def _part(whole: int, parts: int, index: int) -> int:
    """Return one of the even parts of a number; they add up to it, and differ by 1 at most."""
    return whole * (index + 1) // parts - whole * index // parts


class Engine(Protocol):
    """The function that each process runs, such as `echoproto.load.engine.run`."""

    def __call__(
        self,
        workload: Workload,
        *,
        progress: Callable[[Outcome], None] | None,
        first: int,
        interrupted: Callable[[], bool],
    ) -> Outcome:
        """Run the workload until it is complete, or until ``interrupted`` returns true."""


def run(
    workload: Workload,
    *,
    interruption: StopRequest,
    watch: Callable[[ProgressReport], None] | None = None,
    every: float = 1.0,
    engine: Engine | None = None,
) -> Outcome:
    """
    Run a load.

    :param interruption: the stop request; it marks the outcome as interrupted.
    :param watch: called with the progress, a few times per second.
    :param every: seconds between two reports of a process, since reports take time from measuring.
    :param engine: an importable substitute for the real engine.
    :raises EchoError: any error of the engine; `ClientLimit` if a process dies, or memory is too small.
    :raises InternalError: if a process meets a bug.
    :raises KeyboardInterrupt: at the second Ctrl-C; the processes are killed.
    """
    if why := shortage(workload, available()):
        raise ClientLimit(f"client limit: {why}")
    children: list[_Child] = []
    try:
        children.extend(_Child(share, engine, None if watch is None else every) for share in partition(workload))
        for child in children:
            child.receive()
        for child in children:
            child.connection.send(GO)
        while running := [child for child in children if child.outcome is None]:
            _attend(running, interruption)
            if watch is not None:
                watch(_sum(child.report for child in children))
    finally:
        for child in children:
            child.close()
    whole = Outcome()
    for child in children:
        whole.add(child.outcome or Outcome())
    return whole


def _attend(running: list[_Child], interruption: StopRequest) -> None:
    """Wait a moment for messages of the processes, and forward a stop request to them."""
    ready = wait([child.connection for child in running], timeout=POLL_SECONDS)
    for child in running:
        if interruption.requested:
            child.ask_to_end()
        if child.connection in ready:
            child.receive()


class _Child:
    """
    One generator process.

    :ivar outcome: its outcome, once it has finished.
    """

    def __init__(self, share: Share, engine: Engine | None, every: float | None) -> None:
        self.outcome: Outcome | None = None
        self.report = ProgressReport()
        self._asked = False
        self.connection, there = Pipe()
        with there, _signals_held():
            try:
                self._process = subprocess.Popen(  # noqa: S603 - it is our own
                    python("echoproto.load.generator", str(there.fileno()), str(os.getpid())),
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    pass_fds=[there.fileno()],
                )
            except OSError as error:
                self.connection.close()
                raise ClientLimit(f"client limit: no process of the generator can start: {error.strerror}") from error
        with suppress(BrokenPipeError):  # it has ended already, as `receive` will report
            self.connection.send((share, engine, every))

    def receive(self) -> None:
        """Receive its next message; raise its error, if it sent one."""
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            status = self._process.wait()
            raise ClientLimit(f"client limit: a process of the generator died, with status {status}") from None
        if isinstance(message, EchoError | InternalError):
            raise message
        if isinstance(message, Outcome):
            self.outcome = message
        elif isinstance(message, ProgressReport):
            self.report = message

    def ask_to_end(self) -> None:
        """Ask it once to end early."""
        if not self._asked:
            self._asked = True
            self._process.terminate()

    def close(self) -> None:
        """Kill the process, and close the connection to it."""
        self._process.kill()
        self._process.wait()
        self.connection.close()


def _sum(reports: Iterable[ProgressReport]) -> ProgressReport:
    whole = ProgressReport(elapsed=math.inf)
    for report in reports:
        whole.add(report)
    return whole


@contextmanager
def _signals_held() -> Iterator[None]:
    """Block the signals here and in a new process, which has no handlers for them yet."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
