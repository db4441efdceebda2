"""Figures of the memory of connections."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from checks.figures.bench import SELECT_HOLDS, Line, progress, serving, user_memory
from checks.figures.load import OFFERED, echoes, fill, narrow
from tests.integration.twistd import Server, many_descriptors
from tests.support.certificates import make_pem

import socket  # isort: skip

IDLE_KIB = 2.0
IDLE_TLS_KIB = 48.0
BLOCKED_KIB = 256.0

WARM_UP = 50
"""Number of connections made first, for the one-time costs."""


def idle_memory(reactor: str) -> Iterator[Line]:
    """Measure the memory of each of many idle connections after an echo, over TCP and over TLS."""
    hold = f"≤ {IDLE_KIB:.0f} KiB of user memory"
    if reactor == "select":
        yield Line("idle-memory", "select can't hold 5,000 connections", hold, held=None)
    else:
        with serving(reactor) as server:
            yield _each("idle-memory", _idle(server, 5000, server.connect), hold, IDLE_KIB)
    with tempfile.TemporaryDirectory(prefix="echo-") as folder:
        path = os.path.join(folder, "echo.pem")
        with open(path, "wb") as file:
            file.write(make_pem())
        count = 1000 if reactor != "select" else SELECT_HOLDS - WARM_UP
        with serving(reactor, "--listen", f"ssl:0:privateKey={path}:interface=127.0.0.1") as server:
            hold = f"≤ {IDLE_TLS_KIB:.0f} KiB of user memory"
            yield _each("idle-memory-tls", _idle(server, count, lambda: _over_tls(server)), hold, IDLE_TLS_KIB)


def _idle(server: Server, count: int, connect: Callable[[], socket.socket]) -> float:
    with ExitStack() as clients, many_descriptors(count + WARM_UP + 100):
        for number in range(WARM_UP + count):
            if number == WARM_UP:
                before = user_memory(server)
            assert echoes(clients.enter_context(connect())), "no echo"
            if number % 1000 == 999:
                progress(f"{number + 1} connections")
        return (user_memory(server) - before) / count


def _over_tls(server: Server) -> socket.socket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(server.connect())


def blocked_memory(reactor: str) -> Iterator[Line]:
    """B1: the memory of each of 100 connections that send as much as is accepted, and never read."""
    count = 100
    with serving(reactor) as server, ExitStack() as stack:
        clients = [stack.enter_context(narrow((server.host, server.port))) for _ in range(count)]
        for client in clients:
            assert echoes(client), "no echo"
        before = user_memory(server)
        offered = fill(clients)
        yield Line(
            "blocked-offered",
            f"{offered / count / 2**20:.1f} MiB taken of {OFFERED >> 20} each",
            "less than is offered",
            offered < count * OFFERED,
        )
        each = (user_memory(server) - before) / count
        yield _each("blocked-memory", each, f"≤ {BLOCKED_KIB:.0f} KiB of user memory", BLOCKED_KIB)


def _each(name: str, kib: float, hold: str, most: float) -> Line:
    return Line(name, f"{kib:.2f} KiB each", hold, kib <= most)
