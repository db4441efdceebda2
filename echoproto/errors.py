"""
What can go wrong, by whose fault it is: the class decides the exit status, the text is one line for a person.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from difflib import get_close_matches

KEPT_BYTES = 0xDC00
"""Where Python's code points begin for bytes that are not UTF-8, in an argument or a path (PEP 383)."""

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 and the number of SIGINT, as shells have it."""

QUOTED_LENGTH = 200
"""Characters of a value that a message repeats."""


class EchoError(Exception):
    """
    Anything that this package reports as an error.

    :cvar exit_status: what a command that ends with this error returns to the shell.
    """

    exit_status = 1


class ConfigurationError(EchoError):
    """An invalid option, file or value."""

    exit_status = 2


class UnavailableError(EchoError):
    """What the user wrote is fine, but this machine can't do it now: a busy port, a reactor that it lacks."""


class OutputError(EchoError):
    """Standard output can't be written: it is closed, or its disk is full."""

    exit_status = 2


class InternalError(Exception):
    """
    A fault of this program itself, in this process or in one of its own; no `EchoError`, which has a cause outside.

    :ivar trace: where it happened, as Python prints it.
    :cvar exit_status: EX_SOFTWARE of sysexits.h, which is no command's verdict on what it was to measure.
    """

    exit_status = 70

    def __init__(self, words: str, trace: str) -> None:
        super().__init__(words, trace)
        self.words = words
        self.trace = trace

    def __str__(self) -> str:
        return self.words

    @classmethod
    def of(cls, error: BaseException) -> InternalError:
        """Say in one line what an unexpected exception was, and where it was raised."""
        summary = traceback.extract_tb(error.__traceback__)
        where = f" at {summary[-1].filename.rpartition('/')[2]}:{summary[-1].lineno}" if summary else ""
        words = "".join(traceback.format_exception_only(error)).strip()
        return cls(f"internal error{where}: {one_line(words)}", "".join(traceback.format_exception(error)))


def one_line(text: str) -> str:
    """
    Make text safe to print as one line: whatever is not printable is shown as its escape.

    :param text: any text, also of a peer or of a file.
    :return: the same text without control characters, line ends and lone surrogates; those that stand for a byte
        which is not UTF-8 become an escape of that byte.
    """
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return rf"\x{ord(character) - KEPT_BYTES:02x}"
    return character.encode("unicode_escape").decode("ascii")


def quoted(text: str) -> str:
    """Return a given value as it was typed, in quotes, safe to print on one line, and shortened if it is long."""
    return f"'{one_line(text if len(text) <= QUOTED_LENGTH else f'{text[:QUOTED_LENGTH]}…')}'"


def not_installed(package: str, extra: str) -> str:
    """Say that a package is missing, and how to get it with an extra of this one."""
    return f"{package} is not installed: pip install 'echoproto[{extra}]' (this needs the extra '{extra}')"


def nearest(name: str, known: Iterable[str]) -> str:
    """
    A hint at the known name that is nearest to an unknown one.

    :return: `` (did you mean 'port'?)``, or nothing if none is near.
    """
    names = {each.lower(): each for each in known}
    close = [names[each] for each in get_close_matches(name.lower(), names, n=1)]
    return f" (did you mean {close[0]!r}?)" if close else ""
