"""
Log lines on descriptors of any kind.

A write never waits. A regular file takes lines as long as its disk has room; a pipe, a terminal or a socket without an
active reader takes as much as fits in its buffer, and further lines are lost, so that the echo loses no time.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import stat

OPEN_FLAGS = os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Other writers may append or truncate; open and write never wait, nor take a controlling terminal."""


class LogStream:
    """
    A descriptor for lines, which are written without waiting.

    :param descriptor: is not closed here.
    :ivar is_file: true for a regular file.
    """

    def __init__(self, descriptor: int) -> None:
        mode = os.fstat(descriptor).st_mode
        self.descriptor = descriptor
        self.is_file = stat.S_ISREG(mode)
        self._socket = socket.socket(fileno=os.dup(descriptor)) if stat.S_ISSOCK(mode) else None
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._rest = b""

    def write(self, line: bytes) -> bool:
        """
        Write a line.

        :return: true if it was accepted; if only a part was, the rest goes before the next line.
        """
        self._flush()
        if self._rest:
            return False
        self._rest = line
        self._flush()
        if len(self._rest) == len(line):
            self._rest = b""
            return False
        return True

    def _flush(self) -> None:
        try:
            while self._rest and (count := self._write(self._rest)):
                self._rest = self._rest[count:]
        except OSError:  # a full disk, a reader that is gone: the service goes on without its log
            pass

    def _write(self, data: bytes) -> int:
        """
        Write as much as can be written now.

        :return: number of bytes written.
        :raise OSError: if that fails.
        """
        if self.is_file:
            return os.write(self.descriptor, data)
        if self._socket is not None:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        if not self._poll.poll(0):
            return 0
        return os.write(self.descriptor, data[: select.PIPE_BUF])  # fits then, even if a write could wait


def append_only(descriptor: int) -> None:
    """
    Have each write to a regular file append, also after another program has truncated it (``: > echo.log``).

    :param descriptor: of any kind; only a regular file changes.
    """
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)


def open_stream(descriptor: int) -> LogStream:
    """
    Write lines to an open descriptor, such as standard output.

    :param descriptor: shared with other processes, whose writes may wait as before.
    """
    append_only(descriptor)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        try:
            return LogStream(os.open(f"/dev/fd/{descriptor}", os.O_WRONLY | OPEN_FLAGS))
        except OSError:  # the reader is gone, a terminal of another user, no /dev/fd
            pass
    return LogStream(descriptor)
