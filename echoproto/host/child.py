"""
Child processes that do not outlive whoever started them, and import nothing from the current folder.

`Child` is a server: a command of the user's or of the catalogue, which may do anything. A process of its own, the
`echoproto.host.watcher`, ends it with all that it has started, even if this process is killed.

`python` and `environment` start a Python process with a module of ours. Python puts the current folder, in which a
``socket.py`` of anybody may lie, first in the path of ``-c`` and ``-m``; with ``-P`` it does not.
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
"""Folder, or archive, that this package is in."""

WATCH = "import sys; sys.path.append(sys.argv.pop()); from echoproto.host.watcher import main; main()"
"""Program of a watcher. It is isolated (-I, -S), and so has only the standard library in its path."""


class CannotStart(EchoError):
    """A command can't be started."""


def python(module: str, *words: str) -> list[str]:
    """The command line of a Python process that runs a module of ours."""
    return [sys.executable, "-P", "-m", module, *words]


def environment() -> dict[str, str]:
    """The environment of such a process: it finds the modules that this one does, but none of the current folder."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), ROOT])}


class Child:
    """
    A running command, with all that it starts; a context manager that ends them.

    A terminal's Ctrl-C does not reach it.

    :param words: its command line.
    :param output: descriptor that its standard output and error output go to.
    :param seconds: time that its processes have to end after SIGTERM, before they get SIGKILL.
    :ivar pid: the process id of the command itself.
    :raises CannotStart: if there is no such program, or it may not be run.
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
        :return: its exit status, negative if it was killed by a signal; ``None`` if it still runs.
        """
        if self._status is None:
            self._status = self._receive(seconds).get("status")
        return self._status

    def end(self) -> None:
        """End the command and all that it has started, unless that is done."""
        with suppress(OSError):  # the watcher has ended, or this was called before
            self._control.sendall(b"end\n")
        try:
            self._watcher.wait()
        finally:  # at a KeyboardInterrupt, the end of the socket has the watcher hurry
            self._control.close()
            self._watcher.wait()

    def _receive(self, seconds: float | None) -> dict[str, Any]:
        """The next report of the watcher; an empty one, if there is none in time."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._received:
            self._control.settimeout(None if deadline is None else max(0.0, deadline - time.monotonic()))
            try:
                received = self._control.recv(1 << 16)
            except (TimeoutError, BlockingIOError):
                return {}
            finally:
                self._control.settimeout(None)
            if not received:  # the watcher was killed; so is the server, by the kernel
                return {"status": -signal.SIGKILL, "error": "its watcher was killed"}
            self._received += received
        line, _, self._received = self._received.partition(b"\n")
        report: dict[str, Any] = json.loads(line)
        return report
