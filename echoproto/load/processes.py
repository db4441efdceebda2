"""
Runs a load in processes of its own, and adds up what they find out.

Also a single one: what draws on the terminal must not take the time of what measures. They are started anew, not
forked: on every system they begin alike, without descriptors, threads and signal handlers of whoever runs the load; and
they start to measure together, when all of them are ready. `echoproto.load.generator` is what they run.
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

TICK = 0.25
"""Seconds after which there is a look at who asks for an end, and something new to see, at the latest."""

READY = "ready"
GO = "go"


@define
class ProgressReport:
    """
    The progress of a load.

    :ivar messages: that came back.
    :ivar errors: connections that failed, and findings of harm.
    :ivar elapsed: seconds measured; of several processes, as of the one that has told least of late.
    :ivar times: service times.
    """

    messages: int = 0
    errors: int = 0
    elapsed: float = 0.0
    times: Histogram = field(factory=Histogram)

    def add(self, other: ProgressReport) -> None:
        """Add what can be seen of another process."""
        self.messages += other.messages
        self.errors += other.errors
        self.elapsed = min(self.elapsed, other.elapsed)
        self.times.add(other.times)


@frozen
class Share:
    """
    The part of a load that one process runs.

    :ivar first: number of its first connection; no two processes have a number, and so a stream, in common.
    """

    workload: Workload
    first: int


def partition(workload: Workload) -> list[Share]:
    """
    Divide a load evenly: connections, messages and rate.

    Arrivals of Poisson processes add up to one; uniform ones of several processes come together, as in a small burst.
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
    """Return one of so many parts of a number; they add up to it, and differ by 1 at the most."""
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
        """Do the work; ``interrupted`` says whether to end before it is done."""


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

    :param interruption: what asks for an end; the outcome is marked as interrupted then.
    :param watch: is called with what can be seen, a few times a second.
    :param every: seconds after which there is something new to see: the telling takes time from the measuring.
    :param engine: in place of the real one; has to be importable.
    :raises EchoError: as the engine does; `ClientLimit` if one of the processes dies, or memory can't hold them.
    :raises InternalError: if one of them meets a fault of its own.
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
    """Wait a while for what the processes say, and tell them if they are to end."""
    heard = wait([child.connection for child in running], timeout=TICK)
    for child in running:
        if interruption.requested:
            child.ask_to_end()
        if child.connection in heard:
            child.receive()


class _Child:
    """
    One of the processes.

    :ivar outcome: what it has found out, once it is done.
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
        with suppress(BrokenPipeError):  # it has ended already, which `receive` is going to tell
            self.connection.send((share, engine, every))

    def receive(self) -> None:
        """Take what it says next; whatever keeps it from going on is raised here."""
        try:
            said = self.connection.recv()
        except (EOFError, ConnectionResetError):
            status = self._process.wait()
            raise ClientLimit(f"client limit: a process of the generator died, with status {status}") from None
        if isinstance(said, EchoError | InternalError):
            raise said
        if isinstance(said, Outcome):
            self.outcome = said
        elif isinstance(said, ProgressReport):
            self.report = said

    def ask_to_end(self) -> None:
        """Have it end before it is done, if it has not been asked already."""
        if not self._asked:
            self._asked = True
            self._process.terminate()

    def close(self) -> None:
        """It is not there any more."""
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
    """Hold the signals back, here and in what is started, which would not know yet what to do with them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
