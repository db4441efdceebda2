"""
A server that a command starts on this machine: waited for until it listens, and ended with all that it has started.
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
"""Time that a server has until it listens."""

END_SECONDS = 5.0
"""Time that it has to end, with all that it has started, before they are killed."""

POLL_SECONDS = 0.02
"""Time between two looks whether it listens, or has ended."""

FOREGROUND_HINT = "; it has to stay in the foreground, as 'twistd -n' does"
"""A server that has ended without a fault is likely to have become a daemon."""

PROBE = b"is anybody there?"
"""The datagram whose echo tells that a server is up."""

PORTS = range(20_000, 32_768)
"""No system gives these to connections by itself (Linux: from 32768 on): none is taken before the server is up."""


class NoFreePort(EchoError):
    """All ports that a server may be given are taken; the status is that of a client limit."""

    exit_status = 4


class ServerFailed(EchoError):
    """A server can't be started, has ended, or does not listen; the status is that of an unreachable target."""

    exit_status = 3


class StartInterrupted(EchoError):
    """The user has asked for an end before the server listened."""

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
    Run a server, and give its process id.

    A terminal's Ctrl-C, which is for the command, does not reach it. It ends with all that it has started, also when
    the command is killed (`echoproto.host.watcher`).

    :param words: its command line.
    :param listens: tells whether it can be used already, such as `accepts` or `echoes`.
    :param name: the server's name in errors.
    :param stop: ends the waiting.
    :param cores: processors that it runs on, or ``None`` for any.
    :param start_seconds: time limit until it listens.
    :param end_seconds: time that its processes have to end before they are killed.
    :raise ServerFailed: if it can't be started, ends at once, or does not listen.
    :raise StartInterrupted: if ``stop`` was requested before it listens.
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
    """Return what has happened instead, and a hint."""
    deadline = time.monotonic() + seconds
    ready = False
    while time.monotonic() < deadline:
        if stop.requested:
            raise StartInterrupted("interrupted before the server listened")
        if (status := server.wait(POLL_SECONDS)) is not None:
            return f"ended with status {status}", "" if status else FOREGROUND_HINT
        if ready:  # and is still there: a daemon would listen when what has started it is about to end
            return None
        ready = listens()
    return f"did not listen on its port within {seconds:.0f} s", ""


def accepts(host: str, port: int) -> bool:
    """Tell whether a server accepts a connection."""
    with suppress(OSError):
        socket.create_connection((host, port), timeout=1).close()
        return True
    return False


def echoes_datagrams(host: str, port: int) -> bool:
    """Tell whether a server echoes a datagram."""
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
