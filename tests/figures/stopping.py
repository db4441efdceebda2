"""How long a stop takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

from tests.figures.bench import Line, serving
from tests.figures.load import apart, echoes, fill, narrow, one_hog
from tests.integration.twistd import Server

IDLE_SECONDS = 1.0
DRAIN_SECONDS = 2
BUSY_SECONDS = DRAIN_SECONDS + 1.0


def stop(reactor: str) -> Iterator[Line]:
    """O6, O7: with idle connections; with blocked ones and one at full rate, which are aborted after ``drain``."""
    with serving(reactor) as server, ExitStack() as stack:
        for _ in range(10):
            assert echoes(stack.enter_context(server.connect())), "no echo"
        yield _stop("stop-idle", server, IDLE_SECONDS, "")
    with serving(reactor, "--drain", str(DRAIN_SECONDS)) as server, ExitStack() as stack:
        address = (server.host, server.port)
        fill([stack.enter_context(narrow(address)) for _ in range(20)])
        stack.enter_context(apart(one_hog, address, outlived=True))
        yield _stop("stop-busy", server, BUSY_SECONDS, f", drain {DRAIN_SECONDS} s")


def _stop(name: str, server: Server, most: float, drain: str) -> Line:
    begun = time.monotonic()
    status = server.stop()
    seconds = time.monotonic() - begun
    return Line(
        name,
        f"{seconds:.2f} s, exit status {status}{drain}",
        f"≤ {most:.0f} s, exit status 0",
        seconds <= most and status == 0,
    )
