"""
Resource usage of a server under load: CPU time, memory, context switches.
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
"""Context switches in /proc/PID/task/TID/status: first the voluntary, then the ``nonvoluntary`` ones."""


@frozen
class Use:
    """
    Resource usage of a process and its descendants.

    :ivar seconds: CPU time, including that of ended processes that were waited for.
    :ivar ended: CPU time of these ended processes.
    :ivar memory: resident bytes; on Linux, shared memory of several processes counts once.
    :ivar voluntary: context switches of threads that waited.
    :ivar involuntary: context switches by preemption.
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
    A server process and its descendants.

    :param pid: process id of the server.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._last = Use()

    def use(self, *, memory: bool = True) -> Use:
        """
        Return the resource usage so far; after the server's end, the last known one.

        :param memory: true to include memory, which is slow with many processes.
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
                raise  # without the server itself, its descendants are no part of it


def _precise_seconds(pid: int) -> float | None:
    """Return the CPU time of a process with ns precision, not in ticks of 10 ms; ``None`` except on Linux."""
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
    """Return voluntary and involuntary context switches of all threads."""
    if not LINUX:
        found = process.num_ctx_switches()
        return found.voluntary, found.involuntary
    voluntary = involuntary = 0
    folder = f"/proc/{process.pid}/task"
    with suppress(FileNotFoundError, ProcessLookupError):  # the process has ended
        for thread in os.listdir(folder):
            with suppress(FileNotFoundError, ProcessLookupError), open(f"{folder}/{thread}/status", "rb") as file:
                one, other = SWITCHES.findall(file.read())
                voluntary += int(one)
                involuntary += int(other)
    return voluntary, involuntary
