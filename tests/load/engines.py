"""
Engines that stand in for the real one, in processes of their own; light, since each process imports them anew.

What an engine is to do stands in the greeting of its workload.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

from echoproto.load.errors import Unreachable
from echoproto.load.outcome import Outcome, Second
from echoproto.load.workload import Workload

PATIENCE = 30.0
"""Seconds after which an engine that should have been ended gives up."""


def counting(
    workload: Workload,
    *,
    progress: Callable[[Outcome], None] | None,
    first: int,
    interrupted: Callable[[], bool],
) -> Outcome:
    """Finds out which connections it was given, and by which process."""
    numbers = range(first, first + workload.connections)
    outcome = Outcome(
        messages=workload.count or 0,
        connected=workload.connections,
        findings=Counter(lost=1),
        first_findings=[f"connection {number}" for number in numbers],
        errors=Counter({f"pid {os.getpid()}": 1}),
        seconds={0: Second(echoes=workload.count or 0)},
        elapsed=1.0,
    )
    outcome.service_time.record([0.001] * outcome.messages)
    outcome.seconds[0].times.add(outcome.service_time)
    if progress:
        progress(outcome)
        progress(outcome)
    return outcome


def endless(
    workload: Workload,
    *,
    progress: Callable[[Outcome], None] | None,
    first: int,
    interrupted: Callable[[], bool],
) -> Outcome:
    """Goes on until it is interrupted; says in a file of its own that it has begun."""
    with open(os.path.join(os.fsdecode(workload.greeting or b""), str(os.getpid())), "w", encoding="ascii"):
        pass
    outcome = Outcome(messages=1)
    deadline = time.monotonic() + PATIENCE
    waiting = threading.Event()
    while not interrupted():
        if time.monotonic() > deadline:
            raise AssertionError("nobody has interrupted this")
        waiting.wait(0.01)
    outcome.interrupted = True
    return outcome


def stubborn(
    workload: Workload,
    *,
    progress: Callable[[Outcome], None] | None,
    first: int,
    interrupted: Callable[[], bool],
) -> Outcome:
    """Hears of no interruption."""
    return endless(workload, progress=progress, first=first, interrupted=lambda: False)


def failing(
    workload: Workload,
    *,
    progress: Callable[[Outcome], None] | None,
    first: int,
    interrupted: Callable[[], bool],
) -> Outcome:
    """Reaches nobody; the other processes go on."""
    if first:
        return endless(workload, progress=progress, first=first, interrupted=interrupted)
    raise Unreachable("nobody there")


def dying(
    workload: Workload,
    *,
    progress: Callable[[Outcome], None] | None,
    first: int,
    interrupted: Callable[[], bool],
) -> Outcome:
    """Is killed, as a system short of memory does it."""
    os.kill(os.getpid(), signal.SIGKILL)
    return Outcome()


def broken(
    workload: Workload,
    *,
    progress: Callable[[Outcome], None] | None,
    first: int,
    interrupted: Callable[[], bool],
) -> Outcome:
    """Has a fault of its own: which one, its seed says."""
    raise MemoryError if workload.seed else RecursionError("too deep")
