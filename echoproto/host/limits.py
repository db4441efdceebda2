"""
Limits of this machine and of a process: descriptors, ports, threads and processes, memory, processors.
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from attrs import frozen

PORT_RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
TASKS = ("/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max", "/sys/fs/cgroup/pids.max")
SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"

UNLIMITED = 1 << 20
"""Number in place of a missing limit, beyond the capacity of any system."""

SPARE_DESCRIPTORS = 100
"""Descriptors of a process besides the sockets of a load."""

VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
"""Files with limit and use of a control group, version 1, and the field of ``memory.stat`` that is reclaimable."""

VERSION_2 = ("memory.max", "memory.current", "inactive_file")


def _numbers(path: str) -> list[int]:
    """Return the numbers in a system file; none if the file is missing, or contains "max"."""
    try:
        with open(path, encoding="ascii") as file:
            return [int(word) for word in file.read().replace("-", ",").replace(",", " ").split() if word.isdecimal()]
    except OSError:
        return []


def _limit(kind: int) -> int:
    _, hard = resource.getrlimit(kind)
    return UNLIMITED if hard == resource.RLIM_INFINITY else hard


@frozen(kw_only=True)
class Machine:
    """
    The limits for servers on this machine.

    :ivar descriptors: maximum descriptors of a process.
    :ivar tasks: maximum threads and processes.
    :ivar memory: available bytes.
    """

    descriptors: int
    tasks: int
    memory: int


def machine() -> Machine:
    """Return the current limits."""
    tasks = [number for path in TASKS for number in _numbers(path)]
    return Machine(
        descriptors=max_descriptors(),
        tasks=min([_limit(resource.RLIMIT_NPROC), *tasks]),
        memory=available(),
    )


def max_descriptors() -> int:
    """Return the maximum number of descriptors of a process."""
    return _limit(resource.RLIMIT_NOFILE)


def local_ports() -> int | None:
    """Return the number of ephemeral ports per address; ``None`` if unknown."""
    ports = _numbers(PORT_RANGE)
    return ports[1] - ports[0] + 1 if ports else None


@contextmanager
def descriptors(sockets: int) -> Iterator[None]:
    """Raise the limit of descriptors for a number of sockets and `SPARE_DESCRIPTORS`, as far as permitted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = min(sockets + SPARE_DESCRIPTORS, max_descriptors())
    if soft == resource.RLIM_INFINITY or soft >= needed:
        yield
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def available(groups: str = "/proc/self/cgroup", mounts: str = "/sys/fs/cgroup") -> int:
    """
    Return the bytes available without swapping, on this machine and within this process's control groups.

    :param groups: file that lists the control groups (cgroups(7)).
    :param mounts: folder of their mounts.
    """
    import psutil  # an optional dependency; the list of contestants does not need it

    return max(0, min([psutil.virtual_memory().available, *_left(groups, mounts)]))


def _left(groups: str, mounts: str) -> Iterator[int]:
    """Yield the memory available in each visible control group, from the innermost to the root."""
    if not os.path.exists(groups):
        return
    with open(groups, encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    for _, controllers, path in lines:
        if controllers and "memory" not in controllers.split(","):
            continue
        root, names = (f"{mounts}/memory", VERSION_1) if controllers else (mounts, VERSION_2)
        parts = [part for part in path.split("/") if part not in {"", ".."}]
        for depth in range(len(parts), -1, -1):
            with suppress(OSError):  # not mounted here, or without the memory controller
                yield from _left_by(os.path.join(root, *parts[:depth]), *names)


def _left_by(folder: str, limit: str, use: str, reclaimable: str) -> Iterator[int]:
    texts = []
    for name in (limit, use, "memory.stat"):
        with open(f"{folder}/{name}", encoding="ascii") as file:
            texts.append(file.read())
    if texts[0].strip().isdigit():  # else "max": no limit
        cached = re.search(rf"^{reclaimable} (\d+)$", texts[2], re.MULTILINE)
        yield int(texts[0]) - int(texts[1]) + (int(cached[1]) if cached else 0)


@frozen
class Cores:
    """The processors of the servers and of the generator."""

    server: int
    client: int

    def __str__(self) -> str:
        return f"servers to processor {self.server}, generator to {self.client}"


def cores() -> Cores | None:
    """
    Choose a core for the servers and another one for the generator.

    :return: ``None`` without two cores, or without processor affinity.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:  # noqa: PLR2004 - one for each
        return None
    # Most systems handle interrupts on the first core, so the server does not get it.
    others = [number for number in allowed[1:] if number not in _numbers(SIBLINGS.format(allowed[0]))]
    return Cores((others or allowed)[-1], allowed[0])


@contextmanager
def pinned(cores: Iterable[int] | None) -> Iterator[None]:
    """
    Pin this thread and the processes that it starts to processors, where the system can (Linux).

    :param cores: numbers of the processors, or ``None`` for any.
    """
    if cores is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
