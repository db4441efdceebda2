"""
Memory: the most that a load may need, and how much there is, so that none begins that this machine can't hold.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress

import psutil

from echoproto.load.workload import Workload
from echoproto.units import show_size

PROCESS = 40 << 20
"""Bytes of a process of the generator by itself; measured: 25 MiB, and its histograms."""

CONNECTION = 1 << 14
"""Bytes of a connection, with small messages drawn ahead; measured: 13 KiB."""

MESSAGE = 256
"""Bytes of a message in flight beside its own; measured: 218."""

MIB = 1 << 20
GIB = 1 << 30

VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
"""Files of a control group with its limit and its use, and the field of ``memory.stat`` that can be reclaimed."""

VERSION_2 = ("memory.max", "memory.current", "inactive_file")


def needed(workload: Workload) -> int:
    """The most bytes that a load may need: all processes, all connections, and the messages in flight on them."""
    in_flight = workload.connections * workload.window
    return (
        workload.processes * (PROCESS + workload.largest)  # of each, one message is being made
        + (workload.connections + workload.idle) * CONNECTION
        + in_flight * (workload.largest + MESSAGE)
    )


def shortage(workload: Workload, available: int) -> str | None:
    """
    Explain in one line why a load exceeds the memory; ``None`` if it does not.

    :param available: bytes.
    """
    bytes_needed = needed(workload)
    if bytes_needed <= available:
        return None
    return (
        f"--connections {workload.connections:,} with --window {workload.window:,} of --size "
        f"{show_size(workload.largest)}, --idle {workload.idle:,} and --processes {workload.processes:,} need up to "
        f"{_amount(bytes_needed)} of memory, and {_amount(available)} are available: lower one of them"
    )


def _amount(count: int) -> str:
    return f"{count / GIB:,.1f} GiB" if count >= GIB else f"{count / MIB:,.0f} MiB"


def available(groups: str = "/proc/self/cgroup", mounts: str = "/sys/fs/cgroup") -> int:
    """
    Bytes that can be had without swapping: of the machine, and of the control groups that this process is in.

    :param groups: file that names them (cgroups(7)).
    :param mounts: folder where they are mounted.
    """
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
