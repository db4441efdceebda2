"""
Descriptors of any kind for log lines.

A write never waits. A regular file takes what its disk has room for; a pipe, a terminal or a socket whose reader is
asleep takes as much as fits in its buffer, and the lines beyond that are lost, rather than time of the echo.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import stat

OPEN_FLAGS = os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Other writers may add to a file, or cut it off; to open or write one never waits, and makes no terminal ours."""


class LogStream:
    """
    Writes lines to a descriptor, without ever waiting.

    :param descriptor: closed by whoever opened it.
    :ivar is_file: whether it is that of a regular file.
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
        except OSError:  # a full disk, no reader any more: the log is not what the service is there for
            pass

    def _write(self, data: bytes) -> int:
        """
        Write what can be written now.

        :return: number of bytes written.
        :raise OSError: if none can.
        """
        if self.is_file:
            return os.write(self.descriptor, data)
        if self._socket is not None:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        if not self._poll.poll(0):
            return 0
        return os.write(self.descriptor, data[: select.PIPE_BUF])  # so much fits then, also where writing could wait


def append_only(descriptor: int) -> None:
    """
    Have what is written to a regular file go to its end, wherever that is by then, as after ``: > echo.log``.

    :param descriptor: of anything; what is no regular file is left alone.
    """
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)


def open_stream(descriptor: int) -> LogStream:
    """
    Write lines to an open descriptor, such as standard output.

    :param descriptor: shared with other processes, for which it goes on waiting if it did so before.
    """
    append_only(descriptor)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        try:
            return LogStream(os.open(f"/dev/fd/{descriptor}", os.O_WRONLY | OPEN_FLAGS))
        except OSError:  # no reader any more, a terminal of another user, no /dev/fd
            pass
    return LogStream(descriptor)
