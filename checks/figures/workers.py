"""Figure of the replacement of a killed worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

from checks.figures.bench import Line, serving
from checks.figures.load import echoes
from tests.integration.workers import SERVES

REPLACED_SECONDS = 1.0

KILLS = 3

SETTLED_SECONDS = 5.5
"""Seconds after a start in which the end of a worker counts as a fault of all workers."""


def replacement(reactor: str) -> Iterator[Line]:
    """O11: kill -9 of one of two workers, while the other one serves its connections."""
    with serving(reactor, "--workers", "2") as server:
        found = [server.wait_for(SERVES) for _ in range(2)]
        pids = {each[1]: each[2] for each in found}
        lost, times = 0, []
        for _ in range(KILLS):
            time.sleep(SETTLED_SECONDS)
            clients = [server.connect() for _ in range(20)]
            assert all(map(echoes, clients)), "no echo"
            server.tell()  # so that it is known who is connected to whom
            begun = time.monotonic()
            os.kill(int(pids["0"]), signal.SIGKILL)
            number, pid = server.wait_for(SERVES).groups()
            times.append(time.monotonic() - begun)
            pids[number] = pid
            for client in clients:
                with client:
                    try:
                        lost += not echoes(client)
                    except OSError:
                        lost += 1
        slowest = max(times)
        counted = server.tell()["closed"].get("worker", 0)
    yield Line(
        "replacement",
        f"{slowest:.2f} s at the most, of {KILLS}; {lost} connections lost, {counted} on the killed",
        f"≤ {REPLACED_SECONDS:.0f} s, none of others lost",
        slowest <= REPLACED_SECONDS and lost <= counted,
    )
