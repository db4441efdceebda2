"""
The folder of a comparison's files: checked before the run, and without overwriting anything unasked.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from echoproto.compare.resultsfile import RESULTS
from echoproto.errors import ConfigurationError, UnavailableError
from echoproto.load.outputs import OVERWRITE, why_not

PAGE = "report.html"

PICTURES = ("matrix", "throughput", "p99", "spectrum", "cost", "memory")
"""Names of all pictures; each is a PNG and an SVG."""

NAMES = (RESULTS, PAGE, *(f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg")))


class Unwritable(UnavailableError):
    """A file of the results can't be written; the status is not that of a comparison which has become worse."""

    exit_status = 2


def save(folder: str, name: str, data: str | bytes) -> None:
    """
    Write a file whole, or not at all: what was there before stays until then.

    :raise Unwritable: if that can't be done.
    """
    path = os.path.join(folder, name)
    new = f"{path}.new"
    try:
        os.makedirs(folder, exist_ok=True)
        with open(new, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        os.replace(new, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(new)
        raise Unwritable(f"{path}: can't be written: {error.strerror or error}") from error


def check_kept(folder: str) -> None:
    """
    Check that no file would be overwritten.

    :raise ConfigurationError: if one would be; the error names it.
    """
    for name in NAMES:
        if os.path.lexists(os.path.join(folder, name)):
            raise ConfigurationError(f"--output {folder}: {name} is there already; {OVERWRITE} replaces it")


def check_writable(folder: str) -> None:
    """
    Check before the run that results can be written, and create the folder.

    :raise ConfigurationError: if they can't; the error says why.
    """
    if not folder:
        raise ConfigurationError("--output '': names no folder")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        why = "it is a file" if isinstance(error, FileExistsError) else str(error.strerror)
        raise ConfigurationError(f"--output {folder}: can't be made: {why}") from error
    denied = "" if os.access(folder, os.W_OK) else os.strerror(errno.EACCES)
    if why := denied or why_not(os.path.join(folder, f"{RESULTS}.new")):
        raise ConfigurationError(f"--output {folder}: can't be written to: {why}")


def unused(folder: str) -> str:
    """A folder that is not there yet: this one, or the same with a number."""
    found, number = folder, 1
    while os.path.lexists(found):
        number += 1
        found = f"{folder}-{number}"
    return found
