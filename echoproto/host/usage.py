"""
Resources that a server uses under load: processor, memory, context switches.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
from attrs import frozen

from echoproto.host.linux import LINUX

SWITCHES = re.compile(rb"voluntary_ctxt_switches:\s*(\d+)")
"""In /proc/PID/task/TID/status; the second line that has it in it is of the involuntary ones."""


@frozen
class Use:
    """
    Resources that a process and its descendants have used up to a moment.

    :ivar seconds: of CPU time; of processes that have ended, as far as they were waited for.
    :ivar ended: seconds of these, which are in ``seconds``, too.
    :ivar memory: bytes that are resident now; what several processes share is counted once, where the system tells.
    :ivar voluntary: context switches in which a thread waited.
    :ivar involuntary: those in which its processor was taken from it.
    """

    seconds: float = 0.0
    ended: float = 0.0
    memory: int = 0
    voluntary: int = 0
    involuntary: int = 0

    def __add__(self, other: Use) -> Use:
        return Use(
            self.seconds + other.seconds,
            self.ended + other.ended,
            self.memory + other.memory,
            self.voluntary + other.voluntary,
            self.involuntary + other.involuntary,
        )


class Server:
    """
    A process that is looked at, with those that it has started.

    :param pid: of the process.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._last = Use()

    def use(self, *, memory: bool = True) -> Use:
        """
        Return the resources used so far; after its end, those of the last look.

        :param memory: whether to look at that, too, which takes long if there are many processes.
        """
        with suppress(psutil.NoSuchProcess):
            processes = [self._process, *self._process.children(recursive=True)]
            self._last = sum(_uses(processes, memory=memory), Use())
        return self._last


def _uses(processes: list[psutil.Process], *, memory: bool) -> Iterator[Use]:
    several = len(processes) > 1
    for number, process in enumerate(processes):
        try:
            times = process.cpu_times()
            ended = times.children_user + times.children_system
            seconds = _precise_seconds(process.pid)
            own = times.user + times.system if seconds is None else seconds
            held = _memory(process, shared=several) if memory else 0
            yield Use(own + ended, ended, held, *_switches(process))
        except psutil.NoSuchProcess:
            if not number:
                raise  # what it has started goes on its own then, and is no part of it any more


def _precise_seconds(pid: int) -> float | None:
    """The CPU time of a process in ns, not in ticks of 10 ms, where the system has a clock for it (Linux)."""
    if not LINUX:
        return None
    try:
        return time.clock_gettime((~pid << 3) | 2)  # CPUCLOCK_SCHED, as of clock_getcpuclockid(3)
    except OSError:
        return None


def _memory(process: psutil.Process, *, shared: bool) -> int:
    if shared and LINUX:
        with suppress(psutil.AccessDenied):
            return int(process.memory_full_info().pss)
    return int(process.memory_info().rss)


def _switches(process: psutil.Process) -> tuple[int, int]:
    """Voluntary and involuntary ones, of all threads."""
    if not LINUX:
        found = process.num_ctx_switches()
        return found.voluntary, found.involuntary
    voluntary = involuntary = 0
    folder = f"/proc/{process.pid}/task"
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        for thread in os.listdir(folder):
            with suppress(FileNotFoundError, ProcessLookupError), open(f"{folder}/{thread}/status", "rb") as file:
                one, other = SWITCHES.findall(file.read())
                voluntary += int(one)
                involuntary += int(other)
    return voluntary, involuntary
