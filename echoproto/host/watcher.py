"""
The watcher: a process between a command and its server that ends the server's whole process tree.

A command killed by SIGKILL can end nothing itself. The server may daemonize, leave its process group, or ignore
SIGTERM. So the command (`echoproto.host.child`) starts a watcher, and the watcher starts the server:

- The watcher's standard input is one end of a socket pair; the command holds the other. A message from the command, or
  the end of the socket when the command is gone, makes the watcher end the tree.
- On Linux the watcher is a *subreaper*: every descendant whose own parent ends becomes the watcher's child. No process
  can leave the tree, and the tree is gone exactly when the watcher has no children left.
- Elsewhere the tree is the server's process group and the watcher's descendants. A process that left both before a
  look at the tree is missed.

==============  ==========================================  ==========================================================
State           Ends with                                   Then
==============  ==========================================  ==========================================================
starting        the server runs, or could not be started    its process id, or the error, is reported
serving         a message, the end of the socket, SIGTERM   SIGTERM to the tree, with the time limit of the command,
                                                            or `ORPHAN_SECONDS` if the command is gone
ending          the tree is gone, or the time is over       SIGKILL to the remaining processes, repeatedly
killing         the tree is gone, or `KILL_SECONDS` passed  the remaining processes are named on standard error
==============  ==========================================  ==========================================================

When the server itself ends, in any state, its status is reported, and the state stays.

This module needs only the standard library, so that a watcher starts quickly and takes little memory.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import Any, NamedTuple

from echoproto.host.linux import LINUX, adopt_orphans, end_with_parent

ORPHAN_SECONDS = 1.0
"""Seconds between SIGTERM and SIGKILL if the command is gone."""

KILL_SECONDS = 10.0
"""Seconds of SIGKILL after which the watcher gives up a tree."""

LOOK_SECONDS = 0.05
"""Seconds between two looks at a tree whose end no event announces."""

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

MESSAGE_BYTES = 1 << 16


class Process(NamedTuple):
    """
    A process of this machine.

    :ivar pid: process id.
    :ivar parent: process id of its parent.
    :ivar group: process group.
    :ivar ended: true for a zombie.
    """

    pid: int
    parent: int
    group: int
    ended: bool


def processes() -> Iterator[Process]:
    """Yield all processes of this machine."""
    if not LINUX:
        yield from _processes_of_ps()
        return
    for name in os.listdir("/proc"):
        # The process may have ended.
        with suppress(FileNotFoundError, ProcessLookupError):
            if name.isdecimal():
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent, group = file.read().rpartition(b")")[2].split()[:3]  # the name may contain ")"
                yield Process(int(name), int(parent), int(group), state in {b"Z", b"X"})


def _processes_of_ps() -> Iterator[Process]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="], capture_output=True, text=True, check=True)  # noqa: S607 - every Unix has it
    for line in listed.stdout.splitlines():
        pid, parent, group, state = line.split()
        yield Process(int(pid), int(parent), int(group), state.startswith("Z"))


def members(root: int, group: int, found: list[Process]) -> set[int]:
    """
    Return the running processes of a tree.

    :param root: process id of its watcher, which is no member.
    :param group: its process group.
    :param found: all processes.
    """
    children: dict[int, list[int]] = {}
    for process in found:
        children.setdefault(process.parent, []).append(process.pid)
    tree = {process.pid for process in found if process.group == group}
    waiting = [root, *tree]
    while waiting:
        new = [pid for pid in children.get(waiting.pop(), ()) if pid not in tree]
        tree.update(new)
        waiting.extend(new)
    return tree & {process.pid for process in found if not process.ended}


class Watcher:
    """
    The watcher of a server.

    :param control: socket to the command.
    :param words: command line of the server.
    :param seconds: time between SIGTERM and SIGKILL if the command requests the end.
    """

    def __init__(self, control: socket.socket, words: list[str], seconds: float) -> None:
        self._control = control
        self._words = words
        self._seconds = seconds
        self._stopping = False
        self._server = 0
        self._seen: set[int] = set()
        self._woken, wake = os.pipe()
        for descriptor in (self._woken, wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._take_signal)
        for number in END_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # the server inherits ignored signals
                signal.signal(number, self._take_signal)

    def _take_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping |= number in END_SIGNALS

    def run(self) -> None:
        """Start the server, wait for a reason to end its tree, and end it."""
        try:
            if LINUX:
                adopt_orphans()
            server = subprocess.Popen(  # noqa: S603 - of the catalogue, or the user's own
                self._words,
                stdin=subprocess.DEVNULL,
                stderr=sys.stdout.fileno(),
                process_group=0,
                preexec_fn=end_with_parent if LINUX else None,  # noqa: PLW1509 - there is one thread
            )
        except OSError as error:
            self._tell(error=": ".join(filter(None, (error.filename, error.strerror))))
            return
        except ValueError as error:
            self._tell(error=str(error))
            return
        self._server = server.pid
        self._tell(pid=server.pid)
        while not self._stopping and not self._wait(None, listen=True):
            self._reap()
        asked = not self._stopping and self._hear()
        self._end(self._seconds if asked else ORPHAN_SECONDS)
        server.returncode = 0  # `_reap` has waited for it

    def _end(self, seconds: float) -> None:
        """End the tree."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        listen = True
        while self._runs() and (left := deadline - time.monotonic()) > 0:
            if self._wait(left, listen=listen) and not self._hear():
                listen = False
                deadline = min(deadline, time.monotonic() + ORPHAN_SECONDS)
        deadline = time.monotonic() + KILL_SECONDS
        while self._runs():
            self._signal(signal.SIGKILL)
            self._wait(LOOK_SECONDS)
            if time.monotonic() > deadline:
                left_over = ", ".join(map(str, sorted(self._members())))
                sys.exit(f"echoproto: can't end what {self._words[0]} has started: process {left_over}")

    def _wait(self, seconds: float | None, *, listen: bool = False) -> bool:
        """
        Wait for a signal.

        :param listen: true to wait for the command, too.
        :return: true if the command has sent a message, or is gone.
        """
        if not LINUX:
            seconds = LOOK_SECONDS if seconds is None else min(seconds, LOOK_SECONDS)  # orphans end without a signal
        ready, _, _ = select.select([self._woken, *([self._control.fileno()] if listen else [])], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._woken, MESSAGE_BYTES)
        return self._control.fileno() in ready

    def _hear(self) -> bool:
        """Return true if the command has sent a message, false if it is gone."""
        try:
            return bool(self._control.recv(MESSAGE_BYTES))
        except ConnectionError:
            return False

    def _reap(self) -> bool:
        """
        Reap ended children, and report the end of the server.

        :return: true if children are left.
        """
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._server:
                    self._tell(status=os.waitstatus_to_exitcode(ended[1]))
        except ChildProcessError:
            return False
        return True

    def _runs(self) -> bool:
        """Return true if any process of the tree is left."""
        left = self._reap()
        return left if LINUX else bool(self._members())

    def _members(self) -> set[int]:
        """Return the tree; except on Linux, including running processes that were members before."""
        found = list(processes())
        self._seen |= members(os.getpid() if LINUX else self._server, self._server, found)
        self._seen &= {process.pid for process in found if not process.ended}
        return self._seen

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the server's process group at once, then to the rest of the tree."""
        tree = self._members()  # before a process ends and its children get another parent
        with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter for an ended group
            os.killpg(self._server, number)
        for pid in tree:
            with suppress(ProcessLookupError, PermissionError):  # the end names another user's process
                if os.getpgid(pid) != self._server:
                    os.kill(pid, number)

    def _tell(self, **report: Any) -> None:
        with suppress(ConnectionError):  # the command is gone, as the next event shows
            self._control.sendall(json.dumps(report).encode() + b"\n")


def main() -> None:
    """Read the request from standard input, and run its watcher."""
    with socket.socket(fileno=os.dup(0)) as control:
        request = b""
        while not request.endswith(b"\n"):
            if not (received := control.recv(MESSAGE_BYTES)):
                return  # the command is gone
            request += received
        Watcher(control, **json.loads(request)).run()
