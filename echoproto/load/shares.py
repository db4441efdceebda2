"""
How several processes share one load.
"""

from __future__ import annotations

from attrs import evolve, frozen

from echoproto.load.workload import Workload


@frozen
class Share:
    """
    What one process does.

    :ivar first: number of its first connection; no two processes have a number, and so a stream, in common.
    """

    workload: Workload
    first: int


def shares(workload: Workload) -> list[Share]:
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
    """One of so many parts of a number, which add up to it and differ by 1 at the most."""
    return whole * (index + 1) // parts - whole * index // parts
