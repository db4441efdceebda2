"""
Standard streams of a command, guarded against text that they can't encode and failures to write.

`run` is for a command line; the other functions keep the standard streams of ``twistd`` usable.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from collections.abc import Callable
from typing import IO, Any, NoReturn

from echoproto.errors import OutputError, one_line

NUMBERS = {"stdin": 0, "stdout": 1, "stderr": 2}

DEFAULTS = ("strict", "surrogateescape", "backslashreplace")
"""Python's default error handlers for standard streams; the user has chosen any other."""

IN_ASCII = {"µ": "u", "×": "x", "–": "-", "…": "...", "“": '"', "”": '"'}
"""ASCII replacements for the special characters of our own texts: a time becomes "12 us"."""

ESCAPING = "echoproto.escape"
"""Name of the error handler for characters that an encoding lacks."""

CLOSED = "it is closed"

PIPE_WIDTH = 500
"""Width of a table in a pipe, in columns, so that each row is one line."""


class Substitute(io.TextIOWrapper):
    """/dev/null in place of a standard stream that was closed at the start of this process."""


def fill_standard_streams() -> None:
    """
    Open /dev/null in place of a standard stream that was closed at the start of this process.

    Else the next descriptors that are opened, such as a reactor's own, take these places: a daemon closes them, and
    whoever writes to standard output writes to a peer.
    """
    for name, number in NUMBERS.items():
        if getattr(sys, name) is None:
            _fill(number)
            raw = open(os.devnull, "rb" if name == "stdin" else "wb")  # noqa: SIM115 - stays open
            _replace(name, Substitute(raw, encoding="utf-8"))


def _fill(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor != number:
            os.dup2(descriptor, number)
            os.close(descriptor)


def _replace(name: str, stream: IO[str]) -> None:
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    escaped = (IN_ASCII.get(sign) or sign.encode("ascii", "backslashreplace").decode("ascii") for sign in lacking)
    return "".join(escaped), error.end


codecs.register_error(ESCAPING, _escape)


def escape_unencodable(stream: IO[str] | None) -> None:
    """Make a stream replace characters that its encoding lacks, by ASCII or by escapes, instead of raising."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors in DEFAULTS:
        stream.reconfigure(errors=ESCAPING)


def discard(descriptor: int) -> None:
    """
    Send the rest of a descriptor's output to /dev/null.

    Python tries again to write it at the end of the process, and makes its failure exit status 120.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def print_out(*lines: str) -> None:
    """
    Print to standard output, all at once.

    :raise OutputError: if it can't be written to.
    """
    if isinstance(sys.stdout, Substitute):
        raise _unwritable(CLOSED)
    escape_unencodable(sys.stdout)
    try:
        print(*lines, sep="\n", flush=True)
    except OSError as error:
        discard(sys.stdout.fileno())
        raise _unwritable(error) from error


def print_error(message: str) -> None:
    """Print one line to the real standard error, even if a log has replaced it; ignore that it can't be written."""
    if sys.__stderr__ is not None:
        try:
            print(one_line(message), file=sys.__stderr__, flush=True)
        except OSError:  # there is no other place to say so
            discard(sys.__stderr__.fileno())


def _unwritable(reason: OSError | str) -> OutputError:
    if isinstance(reason, OSError):
        reason = CLOSED if reason.errno == errno.EBADF else reason.strerror or str(reason)
    return OutputError(f"can't write to standard output: {reason}")


class _Stream(io.FileIO):
    """
    A standard stream; writing waits for a non-blocking one, such as some terminals.

    :ivar missing: true if it was closed at the start of this process.
    """

    missing = False

    def write(self, data: Any) -> int:
        """Write all data; after a failure, discard the rest."""
        if self.missing:
            self.missing = False
            return self._failed(OSError(errno.EBADF, ""), len(data))
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest:
                written = super().write(rest)
                if written is None:
                    select.select([], [self], [])
                rest = rest[written or 0 :]
        except OSError as error:
            discard(self.fileno())
            return self._failed(error, size)
        return size

    def _failed(self, error: OSError, size: int) -> int:
        raise NotImplementedError


class _Output(_Stream):
    """Standard output; a failure has its own error type, but the end of a pipe's reader is no failure."""

    def _failed(self, error: OSError, size: int) -> int:
        if error.errno == errno.EPIPE:
            return size
        raise _unwritable(error) from error


class _Errors(_Stream):
    """Standard error; a command continues without it."""

    def _failed(self, error: OSError, size: int) -> int:
        return size


def _guard(name: str, kind: type[_Stream]) -> None:
    """Replace a standard stream, unless the caller has already replaced it."""
    stream, number = getattr(sys, name), NUMBERS[name]
    if stream is not getattr(sys, f"__{name}__"):
        return
    if stream is None:
        _fill(number)
    raw = kind(number, "wb", closefd=False)
    raw.missing = stream is None
    raw.name = f"<{name}>"
    guarded = io.TextIOWrapper(
        raw if stream and stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding if stream else "utf-8",
        errors=stream.errors if stream else "backslashreplace",
        line_buffering=bool(stream and stream.line_buffering),
        write_through=bool(stream and stream.write_through),
    )
    escape_unencodable(guarded)
    _replace(name, guarded)


def run(command: Callable[[], object]) -> NoReturn:
    """
    Run a command and end the process; if its output can't be written, end it with one line and status 2.

    Text that standard output can't encode is escaped. The command ignores that standard error can't be written, or
    that the reader of its output has ended, such as head(1); its exit status stays the same.

    :param command: may raise `SystemExit`; its return value is ignored.
    """
    if sys.stdin is None:
        _fill(NUMBERS["stdin"])
    _guard("stderr", _Errors)
    _guard("stdout", _Output)
    try:
        try:
            command()
        finally:
            sys.stdout.flush()
    except OutputError as error:
        print_error(f"Error: {error}")
        raise SystemExit(error.exit_status) from error
    raise SystemExit(0)
