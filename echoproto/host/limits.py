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
"""Stands for the limit where a system sets none: more than it can hold."""

SPARE_DESCRIPTORS = 100
"""Descriptors of a process besides the sockets of a load."""

VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
"""Files of a control group with its limit and its use, and the field of ``memory.stat`` that can be reclaimed."""

VERSION_2 = ("memory.max", "memory.current", "inactive_file")


def _numbers(path: str) -> list[int]:
    """Return the numbers in a file of the system; none if there is no such file, or if it says "max"."""
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
    The limits that servers meet.

    :ivar descriptors: of one process.
    :ivar tasks: threads and processes that may be started.
    :ivar memory: available bytes.
    """

    descriptors: int
    tasks: int
    memory: int


def machine() -> Machine:
    """Return the limits as they are now."""
    tasks = [number for path in TASKS for number in _numbers(path)]
    return Machine(
        descriptors=max_descriptors(),
        tasks=min([_limit(resource.RLIMIT_NPROC), *tasks]),
        memory=available(),
    )


def max_descriptors() -> int:
    """Return the most descriptors that a process may have."""
    return _limit(resource.RLIMIT_NOFILE)


def local_ports() -> int | None:
    """Return the number of ports that connections from one address may have; ``None`` if the system does not tell."""
    ports = _numbers(PORT_RANGE)
    return ports[1] - ports[0] + 1 if ports else None


@contextmanager
def descriptors(sockets: int) -> Iterator[None]:
    """Raise the limit of descriptors to so many sockets and what else a process needs, or to the most that it may."""
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
    Bytes that can be had without swapping: of the machine, and of the control groups that this process is in.

    :param groups: file that names them (cgroups(7)).
    :param mounts: folder where they are mounted.
    """
    import psutil  # of an extra, without which contestants are listed all the same

    return max(0, min([psutil.virtual_memory().available, *_left(groups, mounts)]))


def _left(groups: str, mounts: str) -> Iterator[int]:
    """Yield the memory that each visible control group leaves, from the innermost to the root."""
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
            with suppress(OSError):  # not mounted here, or not with the controller of memory
                yield from _left_by(os.path.join(root, *parts[:depth]), *names)


def _left_by(folder: str, limit: str, use: str, reclaimable: str) -> Iterator[int]:
    texts = []
    for name in (limit, use, "memory.stat"):
        with open(f"{folder}/{name}", encoding="ascii") as file:
            texts.append(file.read())
    if texts[0].strip().isdigit():  # else "max": there is none
        cached = re.search(rf"^{reclaimable} (\d+)$", texts[2], re.MULTILINE)
        yield int(texts[0]) - int(texts[1]) + (int(cached[1]) if cached else 0)


@frozen
class Cores:
    """The processors that servers run on, and those of the generator."""

    server: int
    client: int

    def __str__(self) -> str:
        return f"servers to processor {self.server}, generator to {self.client}"


def cores() -> Cores | None:
    """
    A core for servers, and another one for the generator.

    :return: ``None`` where there are not two, or a process can't be bound to one.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:  # noqa: PLR2004 - one for each
        return None
    # The first one is where systems deal with most interrupts: it is not the server's.
    others = [number for number in allowed[1:] if number not in _numbers(SIBLINGS.format(allowed[0]))]
    return Cores((others or allowed)[-1], allowed[0])


@contextmanager
def pinned(cores: Iterable[int] | None) -> Iterator[None]:
    """
    Have this thread, and the processes that it starts, run on some processors only, where the system can (Linux).

    :param cores: their numbers, or ``None`` for any.
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
