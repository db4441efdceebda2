"""
A shell that runs commands as a person at a terminal: one after the other, servers until Ctrl-C.
"""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from collections.abc import Callable
from types import TracebackType

from echoproto.host.child import Child
from tests.support.consoleblocks import missing

PATIENCE = 120.0
"""Time limit of a command in seconds."""

SERVER = re.compile(r"(\w+=\S+ )*(\S*/)?(twistd -n|twist)\b")
"""The beginning of a command that does not end by itself, unless it fails."""

UP = re.compile(r"Listening, |Escape character|^Hello$", re.MULTILINE)
"""Output of a server once it serves, or of a client once it is connected."""


class Running:
    """
    A command that runs, or has run.

    :param path: path of its files: ``PATH.out`` with its output, ``PATH.pid`` with its process group, and
        ``PATH.status`` with its exit status after its end.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    @property
    def output(self) -> str:
        """Its output so far."""
        with open(f"{self._path}.out", encoding="utf-8", errors="replace") as file:
            return file.read().replace("\r\n", "\n")

    @property
    def status(self) -> int | None:
        """Its exit status; ``None`` while it runs."""
        if not os.path.exists(f"{self._path}.status"):
            return None
        with open(f"{self._path}.status", encoding="ascii") as file:
            return int(file.read())

    def wait(self, until: Callable[[], bool]) -> bool:
        """
        Wait until a condition holds, or the command has ended.

        :return: true if the condition holds.
        """
        deadline = time.monotonic() + PATIENCE
        while not (held := os.path.exists(f"{self._path}.out") and until()) and self.status is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return held or until()

    def wait_for(self, lines: list[str]) -> bool:
        """Wait until its output has the lines of a block; return true if it has."""
        return self.wait(lambda: not missing(lines, self.output))

    def end(self, number: signal.Signals = signal.SIGINT) -> int | None:
        """End a command that runs beside the shell; return its exit status."""
        if self.status is None:
            if not os.path.exists(f"{self._path}.pid"):
                raise AssertionError(f"it has not ended within {PATIENCE} s: {self.output}")
            with open(f"{self._path}.pid", encoding="ascii") as file:
                os.killpg(int(file.read()), number)
            self.wait(lambda: False)
        return self.status

    def type(self, line: str) -> None:
        """Type a line into it."""
        with open(f"{self._path}.in", "w", encoding="utf-8") as file:
            file.write(f"{line}\n")


class Shell:
    """
    A bash in a folder; a context manager that ends all processes started in it, including daemons.

    :param folder: the current folder of its commands.
    """

    def __init__(self, folder: str) -> None:
        self._files = tempfile.TemporaryDirectory(prefix="shell-")
        self._count = 0
        script = os.path.join(self._files.name, "script")
        os.mkfifo(script)
        self._pipe = os.open(script, os.O_RDWR)
        with tempfile.TemporaryFile() as output:  # messages of bash itself, such as the end of a job
            self._child = Child(["bash", script], output.fileno(), seconds=5)
        self._write(f"cd {folder}; set -m")

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._child.end()
        os.close(self._pipe)
        self._files.cleanup()

    def _write(self, line: str) -> None:
        os.write(self._pipe, f"{line}\n".encode())

    def run(self, command: str) -> Running:
        """Run a command to its end."""
        path = self._path()
        self._write(f"{{ {command}\n}} </dev/null >{path}.out 2>&1; {_tell_status(path)}")
        running = Running(path)
        running.wait(lambda: False)
        return running

    def start(self, command: str, *, terminal: bool = False) -> Running:
        """
        Start a command in the background, and wait until it is up.

        :param terminal: run it in a terminal that accepts typed input.
        """
        path = self._path()
        source = "/dev/null"
        if terminal:
            os.mkfifo(source := f"{path}.in")
            command = f"script -qec '{command}' /dev/null"
        self._write(f"{{ {command}\n{_tell_status(path)}; }} <>{source} >{path}.out 2>&1 &")
        self._write(f"echo $! >{path}.new; mv {path}.new {path}.pid")
        running = Running(path)
        running.wait(lambda: os.path.exists(f"{path}.pid") and bool(UP.search(running.output)))
        return running

    def _path(self) -> str:
        self._count += 1
        return os.path.join(self._files.name, str(self._count))


def _tell_status(path: str) -> str:
    """Return shell commands that write the last exit status into a file at once."""
    return f"echo $? >{path}.new; mv {path}.new {path}.status"
