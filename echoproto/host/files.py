"""
Input and output files of a command: checked before the run, and overwritten only on request.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress

from echoproto.errors import ConfigurationError, OutputError

STANDARD_OUTPUT = "-"

OVERWRITE = "--overwrite"
"""Option that permits to replace files."""

PROBE_FILE = ".echoproto"
"""Name of a file that is created and removed to test a folder."""

STANDARD_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}

DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})")
"""Path of a descriptor inherited by this process, as in ``3>file`` and ``>(gzip)``."""


def named(path: str | None) -> str | None:
    """Return the path of an option, with every name of standard output as `STANDARD_OUTPUT`."""
    return STANDARD_OUTPUT if path is not None and descriptor_of(path) == 1 else path


def descriptor_of(path: str) -> int | None:
    """Return the descriptor named by a path, or ``None``."""
    if path in STANDARD_STREAMS:
        return STANDARD_STREAMS[path]
    return int(found[1]) if (found := DESCRIPTOR.fullmatch(path)) else None


def why_not(path: str) -> str:
    """
    Check that a file can be written, without changing an existing one.

    :return: reason why it can't be written, or nothing.
    """
    if (descriptor := descriptor_of(path)) is not None:
        return _why_not_open(descriptor)
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


def _why_not_open(descriptor: int) -> str:
    try:
        mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        return "it is not open"
    return "it is open for reading only" if mode == os.O_RDONLY else ""


def _why_not_made(path: str) -> str:
    """Create a file and remove it, the only reliable check."""
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
    Check that no two outputs share a file, and that none overwrites a file without permission.

    :param outputs: paths by option.
    :param overwrite: true to permit replacing files.
    :raise ConfigurationError: if two outputs share a file, or a file exists.
    """
    places: dict[object, str] = {}
    given = {option: path for option, path in outputs.items() if path and path != os.devnull}
    for option, path in given.items():
        place = _place(path)
        if place in places:
            raise ConfigurationError(f"{places[place]} and {option} both write to {path}: give each a file of its own")
        places[place] = option
    for option, path in given.items():
        if os.path.isfile(path) and descriptor_of(path) is None and not overwrite:
            raise ConfigurationError(f"{option} {path}: already exists; replace it with {OVERWRITE}")


def _place(path: str) -> object:
    """Return the identity of a file, equal for all its names."""
    if path == STANDARD_OUTPUT:
        return path
    try:
        found = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def save(path: str, data: bytes) -> str:
    """
    Write a file or standard output.

    :return: reason why it can't be written, or nothing.
    """
    if path == STANDARD_OUTPUT:
        return _print(data)
    made = not os.path.lexists(path)
    try:
        _write(path, data)
    except OSError as error:
        if made:
            with suppress(OSError):  # half a file is useless
                os.unlink(path)
        return error.strerror or str(error)
    return ""


def _print(data: bytes) -> str:
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.buffer.write(data)  # bypasses the encoding of its text
        else:
            sys.stdout.write(data.decode())
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader is gone, as with a pipe to head(1)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _write(path: str, data: bytes) -> None:
    if (descriptor := descriptor_of(path)) is not None:  # opening it by name would truncate the file
        with open(os.dup(descriptor), "wb") as file:
            file.write(data)
        return
    # Without O_NONBLOCK, opening a named pipe would wait for a reader, perhaps forever.
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK, 0o666)) as file:
        os.set_blocking(file.fileno(), True)
        file.write(data)


def save_whole(folder: str, name: str, data: str | bytes) -> None:
    """
    Write or replace a file atomically.

    :raise OutputError: if it can't be written.
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
        raise OutputError(f"{path}: can't be written: {error.strerror or error}") from error


def remove(folder: str, name: str) -> None:
    """
    Remove a file, if it is there.

    :raise OutputError: if that can't be done.
    """
    path = os.path.join(folder, name)
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise OutputError(f"{path}: can't be removed: {error.strerror or error}") from error


def check_kept(folder: str, names: Iterable[str]) -> None:
    """
    Check that none of these files exists in the folder.

    :raise ConfigurationError: if one exists; the error names it.
    """
    for name in names:
        if os.path.lexists(os.path.join(folder, name)):
            raise ConfigurationError(f"--output {folder}: {name} already exists; replace it with {OVERWRITE}")


def check_folder(folder: str) -> None:
    """
    Create the folder of the results, and check that files can be written there.

    :raise ConfigurationError: if they can't; the error gives the reason.
    """
    if not folder:
        raise ConfigurationError("--output '': names no folder")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        why = "it is a file" if isinstance(error, FileExistsError) else str(error.strerror)
        raise ConfigurationError(f"--output {folder}: can't be made: {why}") from error
    denied = "" if os.access(folder, os.W_OK) else os.strerror(errno.EACCES)
    if why := denied or why_not(os.path.join(folder, PROBE_FILE)):
        raise ConfigurationError(f"--output {folder}: can't be written to: {why}")


def unused(folder: str) -> str:
    """Return the path of a folder that does not exist: this one, with a number if it exists."""
    found, number = folder, 1
    while os.path.lexists(found):
        number += 1
        found = f"{folder}-{number}"
    return found


def read_text(path: str, most: int) -> str:
    """
    Read a file of UTF-8 text.

    The file may be a pipe, such as that of ``<(zcat results.json.gz)``; a named pipe without a writer is empty.

    :param most: maximum bytes.
    :raise OSError: if it can't be read.
    :raise ConfigurationError: if it is too large.
    :raise ValueError: if it is not UTF-8.
    """
    # Without O_NONBLOCK, opening a named pipe would wait for a writer, perhaps forever.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        os.set_blocking(file.fileno(), True)
        large = os.fstat(file.fileno()).st_size > most
        content = b"" if large else file.read(most + 1)
    if large or len(content) > most:
        raise ConfigurationError(f"{path}: is larger than {most >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
