"""
A server that the load generator starts itself, and ends.
"""

from __future__ import annotations

import os
import random
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from echoproto.errors import one_line
from echoproto.load.errors import ClientLimit, Unreachable

PATIENCE = 15.0
"""Seconds in which it has to listen."""

LOOK_AGAIN = 0.05
"""Seconds between two attempts to connect."""

FAREWELL = 10.0
"""Seconds in which it has to end, before it is killed."""


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

    It is out of reach of the terminal's Ctrl-C, which is for the load: it would take what is in flight with it.

    :param command: as one would type it, but for what only a shell understands.
    :param host: on which it is to listen; likewise ``port``.
    :raises Unreachable: if it can't be started, ends at once, or does not listen.
    """
    if not command.strip():
        raise Unreachable("--server can't be started: it is empty")
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - it is the user's own command
                shlex.split(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
            )
        except (OSError, ValueError) as error:
            raise Unreachable(f"--server can't be started: {error}") from error
        try:
            _wait_until_it_listens(process, (host, port), output.fileno())
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(FAREWELL)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_listens(process: subprocess.Popen[bytes], address: tuple[str, int], output: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            status = process.wait(LOOK_AGAIN)
        except subprocess.TimeoutExpired:
            try:
                socket.create_connection(address, timeout=1).close()
            except OSError:
                continue
            return
        said = os.pread(output, 1 << 16, 0).decode("utf-8", "replace").strip().splitlines()
        last = f": {one_line(said[-1])}" if said else ""
        raise Unreachable(f"--server ended with status {status}{last}")
    raise Unreachable(f"--server did not listen on port {address[1]} within {PATIENCE:.0f} s")
