"""
The server of one sample: started, waited for, and ended with all that it has started.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache

import psutil

from echoproto.errors import EchoError, one_line

HOST = "127.0.0.1"

PATIENCE = 10.0
"""Seconds in which a server has to listen."""

FAREWELL = 3.0
"""Seconds in which it has to end, before it is killed."""

LOOK_AGAIN = 0.02
"""Seconds between two looks whether it listens, or has ended."""

LEASH = ("setpriv", "--pdeathsig", "TERM", "--")
"""
What util-linux has for it: a command that is started by this is sent SIGTERM when the process that has started it is
gone, however that has ended (prctl(2), PR_SET_PDEATHSIG). It becomes the command, under the same process id.
"""

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

    It is out of reach of the terminal's Ctrl-C, which is for the comparison. Should the latter be killed, it ends, too,
    where the system can do that (Linux).

    :param command: with names in braces.
    :param values: for them; ``port`` is where it has to listen.
    :param cores: that it has to run on, or ``None``.
    :param patience: seconds in which it has to listen.
    :param farewell: seconds in which it has to end, before it is killed.
    :raises NoServer: if it can't be started, ends at once, or does not listen.
    """
    words = [_filled_in(word, {"python": sys.executable, "twistd": twistd(), **values}) for word in command]
    with tempfile.TemporaryFile() as output:
        with pinned(cores):
            process = _start(words, output.fileno())
        try:
            _wait_until_it_listens(process, transport, int(values["port"]), output.fileno(), patience)
            yield process.pid
        finally:
            end(process, farewell)


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


@cache
def leash() -> tuple[str, ...]:
    """`LEASH`, or nothing where this system has no such command, or one that can't do it (BusyBox)."""
    try:
        subprocess.run([*LEASH, sys.executable, "-c", ""], capture_output=True, check=True)  # noqa: S603 - as it stands
    except (OSError, subprocess.CalledProcessError):
        return ()
    return LEASH


def _start(words: Sequence[str], output: int) -> subprocess.Popen[bytes]:
    before = leash() if shutil.which(words[0]) else ()  # else the error is to be that of the command
    try:
        return subprocess.Popen(  # noqa: S603 - of the catalogue, or the user's own
            [*before, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
        )
    except (OSError, ValueError) as error:
        raise NoServer(f"it can't be started: {one_line(str(error))}") from error


def _wait_until_it_listens(
    process: subprocess.Popen[bytes], transport: str, port: int, output: int, patience: float
) -> None:
    answers = _answers_datagrams if transport == "udp" else _takes_connections
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NoServer(f"it ended with status {process.returncode}{_last_words(output)}")
        if answers(port):
            return
        time.sleep(LOOK_AGAIN)
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


def end(process: subprocess.Popen[bytes], farewell: float) -> None:
    """End a process and whatever it has started: politely, and then for sure."""
    started: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(process.pid).children(recursive=True)
    _signal(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(farewell)
    _signal(process.pid, signal.SIGKILL)
    for each in started:  # also those that have left its group
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of one that has ended
        os.killpg(group, number)
