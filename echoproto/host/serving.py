"""
A server on this machine, started by a command: the wait until it listens, and its end with all its descendants.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from echoproto.errors import INTERRUPTED, EchoError, one_line
from echoproto.host.child import CannotStart, Child
from echoproto.host.limits import pinned
from echoproto.host.signals import StopRequest

HOST = "127.0.0.1"

START_SECONDS = 15.0
"""Time limit for a server to listen."""

END_SECONDS = 5.0
"""Time between SIGTERM and SIGKILL for a server and its descendants."""

POLL_SECONDS = 0.02
"""Time between two checks for a listening or ended server."""

FOREGROUND_HINT = "; it has to stay in the foreground, as 'twistd -n' does"
"""Hint for a server that ended with status 0, most likely because it became a daemon."""

PROBE = b"is anybody there?"
"""Datagram whose echo shows that a server is up."""

PORTS = range(20_000, 32_768)
"""Ports for servers, below the ephemeral ports of all systems (Linux: from 32768 on): no connection takes one."""


class NoFreePort(EchoError):
    """Error: all `PORTS` are taken. The status is that of a client limit."""

    exit_status = 4


class ServerFailed(EchoError):
    """Error: a server can't be started, has ended, or does not listen. The status is that of an unreachable target."""

    exit_status = 3


class StartInterrupted(EchoError):
    """Error: the user interrupted the start of a server."""

    exit_status = INTERRUPTED


def free_port() -> int:
    """
    Return a TCP port of 127.0.0.1 that is free now.

    :raise NoFreePort: if there is none.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise NoFreePort(f"client limit: no port from {PORTS[0]} to {PORTS[-1]} is free")


@contextmanager
def serving(
    words: Sequence[str],
    listens: Callable[[], bool],
    *,
    name: str,
    stop: StopRequest,
    cores: Iterable[int] | None = None,
    start_seconds: float = START_SECONDS,
    end_seconds: float = END_SECONDS,
) -> Iterator[int]:
    """
    Run a server, and yield its process id.

    Ctrl-C at a terminal reaches the command, but not the server. The server ends with all its descendants, even if the
    command is killed (`echoproto.host.watcher`).

    :param words: command line of the server.
    :param listens: check for readiness, such as `accepts` or `echoes_datagrams`.
    :param name: name of the server in errors.
    :param stop: request that ends the wait.
    :param cores: processors of the server, or ``None`` for any.
    :param start_seconds: time limit for the server to listen.
    :param end_seconds: time between SIGTERM and SIGKILL.
    :raise ServerFailed: if it can't be started, ends at once, or does not listen.
    :raise StartInterrupted: if ``stop`` was requested before it listened.
    """
    with tempfile.TemporaryFile() as output:
        try:
            with pinned(cores):
                server = Child(words, output.fileno(), seconds=end_seconds)
        except CannotStart as error:
            raise ServerFailed(f"{name} can't be started: {one_line(str(error))}") from error
        with server:
            failure = _wait_until_it_listens(server, listens, stop, start_seconds)
            if failure:
                raise ServerFailed(f"{name} {failure[0]}{_last_line(output.fileno())}{failure[1]}")
            yield server.pid


def _wait_until_it_listens(
    server: Child, listens: Callable[[], bool], stop: StopRequest, seconds: float
) -> tuple[str, str] | None:
    """Wait for the server; return ``None``, or a failure and a hint."""
    deadline = time.monotonic() + seconds
    ready = False
    while time.monotonic() < deadline:
        if stop.requested:
            raise StartInterrupted("interrupted before the server listened")
        if (status := server.wait(POLL_SECONDS)) is not None:
            return f"ended with status {status}", "" if status else FOREGROUND_HINT
        if ready:  # and still running: a daemon's parent would have ended by now
            return None
        ready = listens()
    return f"did not listen on its port within {seconds:.0f} s", ""


def accepts(host: str, port: int) -> bool:
    """Return true if a server accepts a connection."""
    with suppress(OSError):
        socket.create_connection((host, port), timeout=1).close()
        return True
    return False


def echoes_datagrams(host: str, port: int) -> bool:
    """Return true if a server echoes a datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.1)
        client.connect((host, port))
        with suppress(OSError):
            client.send(PROBE)
            return client.recv(len(PROBE)) == PROBE
    return False


def _last_line(output: int) -> str:
    lines = os.pread(output, 1 << 16, 0).decode("utf-8", "replace").strip().splitlines()
    return f": {one_line(lines[-1])}" if lines else ""
