"""Figures of the duration of a stop, and of a failing start."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack

from checks.figures.bench import Line, serving
from checks.figures.load import apart, echoes, fill, narrow, one_hog
from tests.integration.twistd import QUICK, Server, script
from tests.suite import environment_for

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


def failing_start(reactor: str) -> Iterator[Line]:
    """O1: on a port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as other, tempfile.TemporaryDirectory(prefix="echo-") as folder:
        words = ("--reactor", reactor, "--port", str(other.getsockname()[1]))
        begun = time.monotonic()
        ended = subprocess.run(
            [script("twistd"), "-n", "echo", *words],
            cwd=folder,
            env=environment_for(reactor),
            capture_output=True,
            check=False,
        )
        seconds = time.monotonic() - begun
    yield Line(
        "failing-start",
        f"{seconds:.2f} s, exit status {ended.returncode}, {len(ended.stderr.splitlines())} line of error",
        f"≤ {QUICK:.0f} s, exit status 1, 1 line",
        seconds <= QUICK and ended.returncode == 1 and len(ended.stderr.splitlines()) == 1,
    )


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
