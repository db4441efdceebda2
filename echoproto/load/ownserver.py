"""
A server that the load generator starts itself, and ends.
"""

from __future__ import annotations

import os
import random
import shlex
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from echoproto.errors import one_line
from echoproto.host.child import CannotStart, Child
from echoproto.load.errors import ClientLimit, Unreachable

PATIENCE = 15.0
"""Seconds in which it has to listen."""

LOOK_AGAIN = 0.05
"""Seconds between two attempts to connect."""

FAREWELL = 5.0
"""Seconds in which it has to end, with all that it has started, before they are killed."""

STAY = "; it has to stay in the foreground, as 'twistd -n' does"
"""A hint at what a server that has ended without a fault may have done: it is a daemon now."""

PORTS = range(20_000, 32_768)
"""No system gives these to connections by itself (Linux: from 32768 on): none is taken before the server is up."""


def free_port() -> int:
    """
    A TCP port of 127.0.0.1 that nobody has now.

    :raises ClientLimit: if there is none.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ClientLimit(f"client limit: no port from {PORTS[0]} to {PORTS[-1]} is free")


@contextmanager
def serving(command: str, host: str, port: int) -> Iterator[int]:
    """
    Run a server, and give its process id.

    It is out of reach of the terminal's Ctrl-C, which is for the load: it would take what is in flight with it. It ends
    with all that it has started, also when this process is killed (see `echoproto.host.watcher`).

    :param command: as one would type it, but for what only a shell understands.
    :param host: on which it is to listen; likewise ``port``.
    :raises Unreachable: if it can't be started, ends at once, or does not listen.
    """
    if not command.strip():
        raise Unreachable("--server can't be started: it is empty")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise Unreachable(f"--server can't be started: {error}") from error
    with tempfile.TemporaryFile() as output:
        try:
            server = Child(words, output.fileno(), seconds=FAREWELL)
        except CannotStart as error:
            raise Unreachable(f"--server can't be started: {one_line(str(error))}") from error
        with server:
            _wait_until_it_listens(server, (host, port), output.fileno())
            yield server.pid


def _wait_until_it_listens(server: Child, address: tuple[str, int], output: int) -> None:
    deadline = time.monotonic() + PATIENCE
    listens = False
    while time.monotonic() < deadline:
        if (status := server.wait(LOOK_AGAIN)) is not None:
            raise Unreachable(f"--server ended with status {status}{_last_words(output)}{'' if status else STAY}")
        if listens:  # and is still there: a daemon would listen when what has started it is about to end
            return
        with suppress(OSError):
            socket.create_connection(address, timeout=1).close()
            listens = True
    raise Unreachable(f"--server did not listen on port {address[1]} within {PATIENCE:.0f} s{_last_words(output)}")


def _last_words(output: int) -> str:
    said = os.pread(output, 1 << 16, 0).decode("utf-8", "replace").strip().splitlines()
    return f": {one_line(said[-1])}" if said else ""
