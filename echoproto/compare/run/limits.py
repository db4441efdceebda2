"""
What this machine allows: descriptors, ports, threads and processes, memory, processors.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable

import psutil
from attrs import frozen

from echoproto.compare.plan.contestants import Machine
from echoproto.compare.results import Cell
from echoproto.load.address import MANY, SPARE
from echoproto.load.errors import ClientLimit

PORTS = "/proc/sys/net/ipv4/ip_local_port_range"
TASKS = ("/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max", "/sys/fs/cgroup/pids.max")
MEMORY = "/sys/fs/cgroup/memory.max"
SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"

PLENTY = 1 << 20
"""Where a system sets no limit."""


def _numbers(path: str) -> list[int]:
    """The numbers in a file of the system; none if there is no such file, or if it says "max"."""
    try:
        with open(path, encoding="ascii") as file:
            return [int(word) for word in file.read().replace("-", ",").replace(",", " ").split() if word.isdecimal()]
    except OSError:
        return []


def _limit(kind: int) -> int:
    _, hard = resource.getrlimit(kind)
    return PLENTY if hard == resource.RLIM_INFINITY else hard


def machine() -> Machine:
    """What there is now."""
    tasks = [number for path in TASKS for number in _numbers(path)]
    return Machine(
        descriptors=_limit(resource.RLIMIT_NOFILE),
        tasks=min([_limit(resource.RLIMIT_NPROC), *tasks]),
        memory=min([psutil.virtual_memory().available, *_numbers(MEMORY)]),
    )


def check(cells: Iterable[Cell], descriptors: int) -> None:
    """
    See whether the generator itself can hold all cells.

    :param descriptors: that a process may have.
    :raise ClientLimit: if it can't; the message says what to raise, and how.
    """
    most = max(cell.connections + cell.idle for cell in cells)
    needed = most + SPARE
    if needed > descriptors:
        raise ClientLimit(
            f"{most:,} connections take {needed:,} descriptors, and a process may have {descriptors:,}: raise the hard "
            f"limit (ulimit -Hn {needed}, as root; or LimitNOFILE= of systemd), or take fewer --connections and --idle"
        )
    ports = _numbers(PORTS)
    if ports and most <= MANY and most > ports[1] - ports[0] + 1:
        raise ClientLimit(
            f"{most:,} connections take as many local ports, and there are {ports[1] - ports[0] + 1:,}: "
            "sysctl -w net.ipv4.ip_local_port_range='32768 60999', or take fewer --connections and --idle"
        )


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
