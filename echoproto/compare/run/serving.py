"""
The server of one sample: started, waited for, and ended with all that it has started.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from echoproto.errors import EchoError, one_line
from echoproto.host.child import CannotStart, Child

HOST = "127.0.0.1"

PATIENCE = 10.0
"""Seconds in which a server has to listen."""

FAREWELL = 3.0
"""Seconds in which it has to end, with all that it has started, before they are killed."""

STAY = "; it has to stay in the foreground"
"""A hint at what a server that has ended without a fault may have done: it is a daemon now."""

LOOK_AGAIN = 0.02
"""Seconds between two looks whether it listens, or has ended."""

PROBE = b"is anybody there?"
"""The datagram by whose echo it is known that a server is up."""


class NoServer(EchoError):
    """It can't be started, has ended, or does not listen."""


@contextmanager
def serving(
    command: Sequence[str],
    transport: str,
    *,
    values: Mapping[str, str],
    cores: Iterable[int] | None = None,
    patience: float = PATIENCE,
    farewell: float = FAREWELL,
) -> Iterator[int]:
    """
    Run a server, and give its process id.

    It is out of reach of the terminal's Ctrl-C, which is for the comparison. It ends with all that it has started, also
    when the comparison is killed (see `echoproto.host.watcher`).

    :param command: with names in braces.
    :param values: for them; ``port`` is where it has to listen.
    :param cores: that it has to run on, or ``None``.
    :param patience: seconds in which it has to listen.
    :param farewell: seconds in which it has to end, before it is killed.
    :raises NoServer: if it can't be started, ends at once, or does not listen.
    """
    words = [_filled_in(word, {"python": sys.executable, "twistd": twistd(), **values}) for word in command]
    with tempfile.TemporaryFile() as output:
        try:
            with pinned(cores):
                server = Child(words, output.fileno(), seconds=farewell)
        except CannotStart as error:
            raise NoServer(f"it can't be started: {one_line(str(error))}") from error
        with server:
            _wait_until_it_listens(server, transport, int(values["port"]), output.fileno(), patience)
            yield server.pid


def _filled_in(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def twistd() -> str:
    """Where the command of this Python's environment is."""
    for folder in (os.path.dirname(sys.executable), sysconfig.get_path("scripts")):
        if os.path.exists(path := os.path.join(folder, "twistd")):
            return path
    return shutil.which("twistd") or "twistd"


@contextmanager
def pinned(cores: Iterable[int] | None) -> Iterator[None]:
    """Have this thread, and what it starts meanwhile, run on some cores only, where the system can (Linux)."""
    if cores is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _wait_until_it_listens(server: Child, transport: str, port: int, output: int, patience: float) -> None:
    answers = _answers_datagrams if transport == "udp" else _takes_connections
    deadline = time.monotonic() + patience
    listens = False
    while time.monotonic() < deadline:
        if (status := server.wait(LOOK_AGAIN)) is not None:
            raise NoServer(f"it ended with status {status}{_last_words(output)}{'' if status else STAY}")
        if listens:  # and is still there: a daemon would listen when what has started it is about to end
            return
        listens = answers(port)
    raise NoServer(f"it did not listen on the port that it was given within {patience:.0f} s{_last_words(output)}")


def _takes_connections(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers_datagrams(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.1)
        client.connect((HOST, port))
        with suppress(OSError):
            client.send(PROBE)
            return client.recv(len(PROBE)) == PROBE
    return False


def _last_words(output: int) -> str:
    said = os.pread(output, 1 << 16, 0).decode("utf-8", "replace").strip().splitlines()
    return f": {one_line(said[-1])}" if said else ""
