"""
The files that a command writes: checked before the run, and without overwriting anything unasked.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress

from echoproto.errors import ConfigurationError

STANDARD_OUTPUT = "-"

OVERWRITE = "--overwrite"
"""The option that has files replaced."""

ALIASES = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""Names of standard output as a file, which a table would be mixed with."""


def named(path: str | None) -> str | None:
    """Return an option's path, or `STANDARD_OUTPUT` for another name of that."""
    return STANDARD_OUTPUT if path in ALIASES else path


def why_not(path: str) -> str:
    """
    Find out why a file can't be written, without changing an existing one.

    :return: the reason, or nothing if it can be.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return _why_not_made(path)
    except OSError as error:
        return str(error.strerror)
    if stat.S_ISDIR(found.st_mode):
        return "it is a folder"
    if stat.S_ISREG(found.st_mode):
        try:
            os.close(os.open(path, os.O_WRONLY))
        except OSError as error:
            return str(error.strerror)
    return "" if os.access(path, os.W_OK) else os.strerror(errno.EACCES)


def _why_not_made(path: str) -> str:
    """Make a file, and remove it: nothing else tells whether it can be made."""
    place = os.path.realpath(path)
    folder = os.path.dirname(place)
    if not path:
        return os.strerror(errno.ENOENT)
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    try:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        os.unlink(place)
    except OSError as error:
        return str(error.strerror)
    return ""


def check(outputs: Mapping[str, str | None], *, overwrite: bool) -> None:
    """
    Check that each output has a place of its own, and overwrites nothing unasked.

    :param outputs: options and the paths that they give.
    :param overwrite: allow to replace files.
    :raise ConfigurationError: if two of them are one, or a file is there.
    """
    places: dict[object, str] = {}
    given = {option: path for option, path in outputs.items() if path and path != os.devnull}
    for option, path in given.items():
        place = _place(path)
        if place in places:
            raise ConfigurationError(f"{places[place]} and {option} both write to {path}: give each a file of its own")
        places[place] = option
    for option, path in given.items():
        if os.path.isfile(path) and not overwrite:
            raise ConfigurationError(f"{option} {path}: is there already; {OVERWRITE} replaces it")


def _place(path: str) -> object:
    """Return a value that is equal for all names of one file."""
    if path == STANDARD_OUTPUT:
        return path
    try:
        found = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def save(path: str, data: bytes) -> str:
    """
    Write a file, or to standard output.

    :return: why it can't be written, or nothing.
    """
    if path == STANDARD_OUTPUT:
        return _print(data)
    made = not os.path.lexists(path)
    try:
        _write(path, data)
    except OSError as error:
        if made:
            with suppress(OSError):  # half a file is none
                os.unlink(path)
        return error.strerror or str(error)
    return ""


def _print(data: bytes) -> str:
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.buffer.write(data)  # whatever text its encoding has
        else:
            sys.stdout.write(data.decode())
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader is gone, as with a pipe to head(1)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _write(path: str, data: bytes) -> None:
    # Without O_NONBLOCK, to open a named pipe waits for a reader, who may never come.
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK, 0o666)) as file:
        os.set_blocking(file.fileno(), True)
        file.write(data)
