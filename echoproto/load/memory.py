"""
The most memory that a load may need, so that none begins that this machine can't hold.
"""

from __future__ import annotations

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
        f"{show_memory(bytes_needed)} of memory, and {show_memory(available)} are available: lower one of them"
    )


def show_memory(count: int) -> str:
    """Return a number of bytes in MiB or GiB."""
    return f"{count / GIB:,.1f} GiB" if count >= GIB else f"{count / MIB:,.0f} MiB"
