"""
The standard error of the command that starts a daemon: it is told in one line why the start has failed.

By then, the daemon has let go of it, and ``twistd`` would pass on the first 100 bytes, in two lines of its own.
"""

from __future__ import annotations

import os
import sys
from typing import IO

from echoproto import console
from echoproto.errors import one_line


class StartErrors:
    """
    Standard error, kept open until the daemon serves.

    :param told: what stands in ``twistd``'s own lines about an error that was told here; they are left out.
    """

    def __init__(self, told: str) -> None:
        self._kept: IO[str] | None = None
        stream = sys.__stderr__
        if stream is not None and not isinstance(stream, console.Substitute):
            # Not inherited: whatever the daemon starts does not hold the terminal.
            self._kept = open(  # noqa: SIM115
                os.dup(stream.fileno()), "w", encoding=stream.encoding, errors="backslashreplace"
            )
            sys.__stderr__ = _Rest(stream, told)  # type: ignore[assignment, misc]

    def tell(self, message: str) -> None:
        """Print one line; if that can't be, nothing."""
        if self._kept is not None:
            try:
                print(one_line(message), file=self._kept, flush=True)
            except OSError:  # there is no other place to say so
                console.discard(self._kept.fileno())

    def close(self) -> None:
        """Let go of it: there is nothing more to tell."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


class _Rest:
    """
    Standard error, but for some lines.

    :param stream: the real one.
    :param told: stands in what is left out.
    """

    def __init__(self, stream: IO[str], told: str) -> None:
        self._stream = stream
        self._told = told

    def write(self, text: str) -> int:
        return len(text) if self._told in text else self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()
