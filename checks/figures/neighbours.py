"""Figures of the effect of greedy connections on others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

from checks.figures.bench import SELECT_HOLDS, Line, percentile, serving, user_memory
from checks.figures.load import apart, echoes, many_slow_readers, one_hog, waits
from checks.figures.memory import BLOCKED_KIB

ALLOWANCE_MS = 4.0
"""
Allowed extra wait on a machine with more processes than processors: a time slice of another process, which on Linux is
2.8 ms for two processes and 4 ms on kernels with 250 ticks a second.
"""

LONGEST_MS = 100.0


def slow_readers(reactor: str) -> Iterator[Line]:
    """B5: the memory of 1,000 connections that send all that is accepted and read 4 KiB per second; another's wait."""
    count = 1000 if reactor != "select" else SELECT_HOLDS
    with serving(reactor) as server, server.connect() as healthy:
        assert echoes(healthy), "no echo"
        before = user_memory(server)
        calm = 1000 * percentile(waits([healthy], seconds=5, pause=0.002), 0.99)
        with apart(many_slow_readers, (server.host, server.port), count) as offered:
            load = 1000 * percentile(waits([healthy], seconds=5, pause=0.002), 0.99)
            kib = (user_memory(server) - before) / count
            taken = offered.value / count / 2**20
    yield Line(
        "slow-readers-memory",
        f"{kib:.1f} KiB each of {count:,}, {taken:.1f} MiB taken",
        f"≤ {BLOCKED_KIB:.0f} KiB each",
        kib <= BLOCKED_KIB,
    )
    yield Line(
        "slow-readers-wait",
        f"99 % within {load:.2f} ms, when calm {calm:.2f} ms",
        f"≤ 2 * calm + {ALLOWANCE_MS:.0f} ms",
        load <= 2 * calm + ALLOWANCE_MS,
    )


def hog(reactor: str) -> Iterator[Line]:
    """B6: the longest wait of 100 clients, each of which sends ten times a second, beside one at full rate."""
    with serving(reactor) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(100)]
        with apart(one_hog, (server.host, server.port)) as echoed:
            begun, before = time.monotonic(), echoed.value
            taken = waits(clients, seconds=10, pause=0.1)
            rate = (echoed.value - before) / (time.monotonic() - begun) / 2**20
    longest, p99 = 1000 * max(taken), 1000 * percentile(taken, 0.99)
    yield Line(
        "hog",
        f"longest {longest:.1f} ms (99 % {p99:.1f}) beside {rate:.0f} MiB/s",
        f"none of {len(taken):,} over {LONGEST_MS:.0f} ms",
        longest <= LONGEST_MS,
    )
