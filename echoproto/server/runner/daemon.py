"""
The standard error of the command that starts a daemon, for one line about a failed start.

The daemon has closed standard error by then, and ``twistd`` would pass on the first 100 bytes, in two lines of its own.
The command waits for a message of the daemon in a pipe; it holds the other end of the pipe, too, and would wait forever
for a daemon that is killed before.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from contextlib import suppress
from typing import IO

from echoproto import console
from echoproto.errors import one_line

FIRST_PIPE, HIGHEST_PIPE = 3, 255
"""Range of descriptors in which the other end of that pipe is searched; few are open by then."""

DIED = "An error has occurred: b''"
"""Beginning of ``twistd``'s error message for a daemon that has sent none."""


class StartErrors:
    """
    Standard error, kept open until the daemon serves.

    :param told: text in ``twistd``'s own lines about an error that is printed here; these lines are left out.
    """

    def __init__(self, told: str) -> None:
        self._kept: IO[str] | None = None
        stream = sys.__stderr__
        if stream is not None and not isinstance(stream, console.Substitute):
            # Not inherited, so that children of the daemon do not hold the terminal.
            self._kept = open(  # noqa: SIM115
                os.dup(stream.fileno()), "w", encoding=stream.encoding, errors="backslashreplace"
            )
            sys.__stderr__ = _Rest(stream, told)  # type: ignore[assignment, misc]
        self._command: int | None = os.getpid()
        os.register_at_fork(after_in_parent=self._let_go_of_pipe)

    def _let_go_of_pipe(self) -> None:
        """Close all writing ends of pipes in the process that has made the daemon, and only waits for it."""
        if self._command != os.getpid():
            return
        for number in range(FIRST_PIPE, HIGHEST_PIPE + 1):
            with suppress(OSError):  # it is not open
                is_pipe = stat.S_ISFIFO(os.fstat(number).st_mode)
                if is_pipe and fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
                    os.close(number)

    def tell(self, message: str) -> None:
        """Print one line, if standard error can be written."""
        if self._kept is not None:
            try:
                print(one_line(message), file=self._kept, flush=True)
            except OSError:  # there is no other place for it
                console.discard(self._kept.fileno())

    def close(self) -> None:
        """Close standard error: the daemon serves."""
        self._command = None
        if self._kept is not None:
            self._kept.close()
            self._kept = None


class _Rest:
    """
    Standard error without some lines.

    :param stream: the real one.
    :param told: text in the lines that are left out.
    """

    def __init__(self, stream: IO[str], told: str) -> None:
        self._stream = stream
        self._told = told

    def write(self, text: str) -> int:
        if self._told in text:
            return len(text)
        if text.startswith(DIED):
            text = "echo: the daemon has ended before it served; its log may say why\n"
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()
