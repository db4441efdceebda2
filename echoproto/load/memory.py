"""
The maximum memory of a load, to refuse one that this machine can't hold.
"""

from __future__ import annotations

from echoproto.load.workload import Workload
from echoproto.units import show_size

PROCESS_BYTES = 40 << 20
"""Memory of a generator process without its connections; measured: 25 MiB, and its histograms."""

CONNECTION_BYTES = 1 << 14
"""Memory of a connection, with small messages drawn ahead; measured: 13 KiB."""

MESSAGE_BYTES = 256
"""Memory of a message in flight without its content; measured: 218 bytes."""

MIB = 1 << 20
GIB = 1 << 30


def needed(workload: Workload) -> int:
    """Return the maximum memory of a load in bytes: its processes, its connections, and its messages in flight."""
    in_flight = workload.connections * workload.window
    return (
        workload.processes * (PROCESS_BYTES + workload.largest)  # each process prepares one message
        + (workload.connections + workload.idle) * CONNECTION_BYTES
        + in_flight * (workload.largest + MESSAGE_BYTES)
    )


def shortage(workload: Workload, available: int) -> str | None:
    """
    Explain in one line why a load exceeds the memory; ``None`` if it does not.

    :param available: available memory in bytes.
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
