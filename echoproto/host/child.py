"""
Child processes that do not outlive their parent, and import nothing from the current folder.

`Child` is a server, started by a command of the user or of the catalogue, whose behaviour is unknown. A separate
process, the `echoproto.host.watcher`, ends the server and its descendants, even if this process is killed.

`python` and `environment` start a Python process with a module of this package. With ``-c`` and ``-m``, Python puts
the current folder first in its path, where any ``socket.py`` would be imported; ``-P`` prevents that.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from echoproto.errors import EchoError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""Folder or archive of this package."""

WATCH = "import sys; sys.path.append(sys.argv.pop()); from echoproto.host.watcher import main; main()"
"""Program of a watcher, which runs isolated (-I, -S) with only the standard library in its path."""


class CannotStart(EchoError):
    """A command can't be started."""


def python(module: str, *words: str) -> list[str]:
    """Return the command line of a Python process that runs a module of this package."""
    return [sys.executable, "-P", "-m", module, *words]


def environment() -> dict[str, str]:
    """Return the environment of such a process, with this process's path and without the current folder."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), ROOT])}


class Child:
    """
    A running command and its descendants; a context manager that ends them.

    Ctrl-C at a terminal does not reach them.

    :param words: command line.
    :param output: descriptor for standard output and standard error.
    :param seconds: time between SIGTERM and SIGKILL.
    :ivar pid: process id of the command itself.
    :raises CannotStart: if the program is missing or not executable.
    """

    def __init__(self, words: Sequence[str], output: int, *, seconds: float) -> None:
        self._status: int | None = None
        self._received = b""
        self._control, theirs = socket.socketpair()
        with theirs:
            try:
                self._watcher = subprocess.Popen(  # noqa: S603 - it is our own
                    [sys.executable, "-I", "-S", "-c", WATCH, ROOT],
                    stdin=theirs.fileno(),
                    stdout=output,
                    start_new_session=True,
                )
            except OSError as error:
                self._control.close()
                raise CannotStart(f"no process can be started: {error.strerror}") from error
        try:
            self._control.sendall(json.dumps({"words": list(words), "seconds": seconds}).encode() + b"\n")
            report = self._receive(None)
        except BaseException:
            self.end()
            raise
        if "pid" not in report:
            self.end()
            raise CannotStart(report["error"])
        self.pid: int = report["pid"]

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def wait(self, seconds: float) -> int | None:
        """
        Wait for the end of the command.

        :param seconds: time limit.
        :return: its exit status, negative for a signal; ``None`` if it still runs.
        """
        if self._status is None:
            self._status = self._receive(seconds).get("status")
        return self._status

    def end(self) -> None:
        """End the command and its descendants, if they still run."""
        with suppress(OSError):  # the watcher has ended already
            self._control.sendall(b"end\n")
        try:
            self._watcher.wait()
        finally:  # after a KeyboardInterrupt, closing the socket makes the watcher hurry
            self._control.close()
            self._watcher.wait()

    def _receive(self, seconds: float | None) -> dict[str, Any]:
        """Return the next report of the watcher; an empty one at the time limit."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._received:
            self._control.settimeout(None if deadline is None else max(0.0, deadline - time.monotonic()))
            try:
                received = self._control.recv(1 << 16)
            except (TimeoutError, BlockingIOError):
                return {}
            finally:
                self._control.settimeout(None)
            if not received:  # the watcher was killed, and the kernel kills the server, too
                return {"status": -signal.SIGKILL, "error": "its watcher was killed"}
            self._received += received
        line, _, self._received = self._received.partition(b"\n")
        report: dict[str, Any] = json.loads(line)
        return report
