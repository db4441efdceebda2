"""
The watcher: a process between a command and a server that it started, which ends the server's whole tree.

The command may be killed by SIGKILL, and then can end nothing itself. The server may daemonize, leave its process
group, or ignore SIGTERM. So the command (`echoproto.host.child`) starts a watcher, and the watcher starts the server:

- The watcher's standard input is one end of a socket pair; the command holds the other. A message on it, or its end
  when the command is gone, tells the watcher to end the tree.
- On Linux the watcher is a *subreaper*: every descendant whose own parent ends becomes the watcher's child. Nothing can
  leave the tree, and the tree is gone exactly when the watcher has no children left.
- Elsewhere the tree is the server's process group, and all whose parents lead to the watcher; a process that has
  left both before it is looked for is missed.

==============  ==========================================  ==========================================================
state           ends with                                   then
==============  ==========================================  ==========================================================
starting        the server runs, or could not be started    its process id, or the error, is reported
serving         a message, the end of the socket, SIGTERM   SIGTERM to the tree; the time to end is the one asked for,
                                                            or `ORPHAN_SECONDS` if the command is gone
ending          the tree is gone, or the time is over       SIGKILL to what is left, again and again
killing         the tree is gone, or `KILL_SECONDS` passed  what can't be killed is named on standard error
==============  ==========================================  ==========================================================

When the server itself ends, in any state, its status is reported, and the state stays.

This module needs nothing but the standard library, so that a watcher starts quickly and takes little memory.
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
"""Seconds that a server has between SIGTERM and SIGKILL when the command that started it is gone."""

KILL_SECONDS = 10.0
"""Seconds after which a tree that SIGKILL does not end is given up."""

LOOK_SECONDS = 0.05
"""Seconds between two looks at a tree whose end nothing tells."""

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

MESSAGE_BYTES = 1 << 16


class Process(NamedTuple):
    """
    A process of this machine.

    :ivar pid: its process id; ``parent`` is that of its parent.
    :ivar group: its process group.
    :ivar ended: whether it is a zombie.
    """

    pid: int
    parent: int
    group: int
    ended: bool


def processes() -> Iterator[Process]:
    """All processes of this machine."""
    if not LINUX:
        yield from _processes_of_ps()
        return
    for name in os.listdir("/proc"):
        # It may have ended since.
        with suppress(FileNotFoundError, ProcessLookupError):
            if name.isdecimal():
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent, group = file.read().rpartition(b")")[2].split()[:3]  # the name may hold anything
                yield Process(int(name), int(parent), int(group), state in {b"Z", b"X"})


def _processes_of_ps() -> Iterator[Process]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="], capture_output=True, text=True, check=True)  # noqa: S607 - every Unix has it
    for line in listed.stdout.splitlines():
        pid, parent, group, state = line.split()
        yield Process(int(pid), int(parent), int(group), state.startswith("Z"))


def members(root: int, group: int, found: list[Process]) -> set[int]:
    """
    The processes of a tree that have not ended.

    :param root: the process id of its watcher, which is no member.
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
    Starts a server, and ends its tree.

    :param control: the socket to the command.
    :param words: the server's command line.
    :param seconds: time between SIGTERM and SIGKILL when the command asks for the end.
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
            if signal.getsignal(number) is not signal.SIG_IGN:  # which the server is to inherit
                signal.signal(number, self._take_signal)

    def _take_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping |= number in END_SIGNALS

    def run(self) -> None:
        """Start the server, and wait until its tree has to end, and has ended."""
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
        server.returncode = 0  # it was waited for here

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

        :param listen: whether to wait for the command, too.
        :return: true if the command has sent something, or is gone.
        """
        if not LINUX:
            seconds = LOOK_SECONDS if seconds is None else min(seconds, LOOK_SECONDS)  # orphans end unheard
        ready, _, _ = select.select([self._woken, *([self._control.fileno()] if listen else [])], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._woken, MESSAGE_BYTES)
        return self._control.fileno() in ready

    def _hear(self) -> bool:
        """Return whether the command has sent a message; otherwise it is gone."""
        try:
            return bool(self._control.recv(MESSAGE_BYTES))
        except ConnectionError:
            return False

    def _reap(self) -> bool:
        """
        Wait for the children that have ended, and report the end of the server.

        :return: true if there are others.
        """
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._server:
                    self._tell(status=os.waitstatus_to_exitcode(ended[1]))
        except ChildProcessError:
            return False
        return True

    def _runs(self) -> bool:
        """Return whether any process of the tree is left."""
        left = self._reap()
        return left if LINUX else bool(self._members())

    def _members(self) -> set[int]:
        """The tree; elsewhere than on Linux, also of what has been seen in it before."""
        found = list(processes())
        self._seen |= members(os.getpid() if LINUX else self._server, self._server, found)
        self._seen &= {process.pid for process in found if not process.ended}
        return self._seen

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the server's process group at once, and then to all others of the tree."""
        tree = self._members()  # before any of it ends, and those whom it has started get other parents
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has ended
            os.killpg(self._server, number)
        for pid in tree:
            with suppress(ProcessLookupError, PermissionError):  # another user's, which is named when all is over
                if os.getpgid(pid) != self._server:
                    os.kill(pid, number)

    def _tell(self, **report: Any) -> None:
        with suppress(ConnectionError):  # the command is gone, which its end of the socket tells next
            self._control.sendall(json.dumps(report).encode() + b"\n")


def main() -> None:
    """Read from standard input what to start, and do it."""
    with socket.socket(fileno=os.dup(0)) as control:
        request = b""
        while not request.endswith(b"\n"):
            if not (received := control.recv(MESSAGE_BYTES)):
                return  # the command is gone
            request += received
        Watcher(control, **json.loads(request)).run()
