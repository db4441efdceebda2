"""
Errors by their cause: the class decides the exit status, the text is one line for a person.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from difflib import get_close_matches

KEPT_BYTES = 0xDC00
"""First code point that stands for a byte that is not UTF-8, in an argument or a path (PEP 383)."""

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 and the number of SIGINT, as shells have it."""

QUOTED_LENGTH = 200
"""Maximum length, in characters, of a value that an error repeats."""


class EchoError(Exception):
    """
    Base class of the errors that this package reports.

    :cvar exit_status: exit status of a command that ends with this error.
    """

    exit_status = 1


class ConfigurationError(EchoError):
    """An invalid option, file or value."""

    exit_status = 2


class UnavailableError(EchoError):
    """A valid request that this machine can't fulfil now: a busy port, a reactor that it lacks."""


class OutputError(EchoError):
    """Standard output or a file of results can't be written: it is closed, or its disk is full."""

    exit_status = 2


class InternalError(Exception):
    """
    A bug in this program, in this process or in one that it started. An `EchoError` has a cause outside of it.

    :ivar trace: the traceback, as Python prints it.
    :cvar exit_status: EX_SOFTWARE of sysexits.h, which no command uses for a verdict.
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
        """Describe an unexpected exception and its place in one line."""
        summary = traceback.extract_tb(error.__traceback__)
        where = f" at {summary[-1].filename.rpartition('/')[2]}:{summary[-1].lineno}" if summary else ""
        words = "".join(traceback.format_exception_only(error)).strip()
        return cls(f"internal error{where}: {one_line(words)}", "".join(traceback.format_exception(error)))


def one_line(text: str) -> str:
    """
    Make text safe to print as one line, with escapes in place of unprintable characters.

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


def as_given(text: str) -> str:
    """Return a given value as it was typed, for the beginning of an error: in quotes only if it is hard to see."""
    plain = text and text.isprintable() and text == text.strip() and len(text) <= QUOTED_LENGTH
    return text if plain else quoted(text)


def not_installed(package: str, extra: str) -> str:
    """Name a missing package and the command that installs it, by an extra of this one."""
    return f"{package} is not installed: pip install 'echoproto[{extra}]' (this needs the extra '{extra}')"


def nearest(name: str, known: Iterable[str]) -> str:
    """
    Suggest the known name most similar to an unknown one; names that contain it as a word come first.

    :return: `` (did you mean 'port'?)``, or an empty text if none is similar.
    """
    names = {each.lower(): each for each in known}
    given = name.lower()
    parents = [each for each in names if given in each.split("-")]
    close = get_close_matches(given, parents, n=1, cutoff=0) or get_close_matches(given, names, n=1)
    return f" (did you mean {names[close[0]]!r}?)" if close else ""
