"""
Log files, which are rotated and reopened by their names.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress

from twisted.logger import Logger

from echoproto.errors import EchoError, UnavailableError
from echoproto.server.log.stream import OPEN_FLAGS, LogStream
from echoproto.server.paths import absolute

log = Logger("echoproto")

ROTATE_BYTES = 1_000_000
"""Size at which a log file is rotated, the same as twistd's."""

DESCRIPTORS = re.compile(r"/proc/(self|\d+)(/task/\d+)?/fd|/dev/fd")
"""Folders of names of open descriptors: /dev/stdout is a link there."""

MAX_LINKS = 40
"""Symbolic links that are followed one after the other, as many as the kernel follows; more are a circle."""


class LogFile(LogStream):
    """
    A file of log lines, which can be rotated and reopened if it is a regular file.

    The target of a link is rotated. A new file has the permissions and the owner of the previous one.

    :param path: of a file, a pipe or a device; a missing file is made.
    :param rotate_bytes: size at which the file is rotated by itself; ``None`` for never.
    :param owner: user and group ID of a file that is made, -1 for those of this process.
    :raise UnavailableError: if the file can't be opened.

    :ivar has_name: true for a regular file with a name of its own; that of /dev/stdout belongs to another program.
    """

    def __init__(
        self, path: str, *, rotate_bytes: int | None = ROTATE_BYTES, owner: tuple[int, int] = (-1, -1)
    ) -> None:
        self.path = absolute(path)
        try:
            shared = _descriptor_of(self.path)
            super().__init__(self._open(shared, owner))
        except OSError as error:
            raise _unwritable(path, error) from error
        self.has_name = self.is_file and shared is None
        self._rotate_bytes = self._rotate_at = rotate_bytes if self.has_name else None

    def _open(self, shared: int | None, owner: tuple[int, int]) -> int:
        try:
            return _open(self.path)
        except FileNotFoundError:
            descriptor = _make(os.path.realpath(self.path), 0o666)
            os.fchown(descriptor, *owner)
            return descriptor
        except OSError as error:
            if shared is None or error.errno != errno.ENXIO:
                raise
            return os.dup(shared)  # a socket, or a pipe whose reader is gone

    @staticmethod
    def check(path: str) -> None:
        """
        Check that a file can be written, without a change to it.

        :raise UnavailableError: if the file can't be opened.
        """
        try:
            try:
                os.close(_open(absolute(path)))
            except FileNotFoundError:
                folder = os.path.dirname(os.path.realpath(absolute(path)))
                os.stat(folder)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
        except OSError as error:
            raise _unwritable(path, error) from error

    def write(self, line: bytes) -> bool:
        """Write a line; before that, rotate a file that has reached its size."""
        if self._rotate_at is not None and os.fstat(self.descriptor).st_size >= self._rotate_at:
            try:
                self.rotate()
            except UnavailableError as error:
                self._rotate_at += self._rotate_bytes or 0  # try again when it has grown as much once more
                say_not_rotated(error)
        return super().write(line)

    def rotate(self) -> None:
        """
        Rename ``echo.log`` to ``echo.log.1``, that one to ``echo.log.2``, and so on, and continue in a new file.

        Anything but a regular file stays as it is.

        :raise UnavailableError: if that fails; then the log continues in the open file.
        """
        if not self.has_name:
            return
        path = os.path.realpath(self.path)
        try:
            _require_regular(os.lstat(path))
            for number in sorted(_numbers(path), reverse=True):
                os.rename(f"{path}.{number}", f"{path}.{number + 1}")
            os.rename(path, f"{path}.1")
            try:
                self._go_on_with(_make_like(path, os.fstat(self.descriptor)))
            except OSError:
                os.rename(f"{path}.1", path)
                raise
        except FileNotFoundError:  # another program has moved it away
            self.reopen()
        except OSError as error:
            raise UnavailableError(f"can't rotate the log {self.path}: {error.strerror}") from error
        self._rotate_at = self._rotate_bytes

    def reopen(self) -> None:
        """
        Open the file anew, by its name: another program has moved it away. Anything but a regular file stays open.

        :raise UnavailableError: if that fails; then the log continues in the open file.
        """
        if not self.has_name:
            return
        try:
            try:
                descriptor = _open(self.path)
            except FileNotFoundError:
                descriptor = _make_like(os.path.realpath(self.path), os.fstat(self.descriptor))
            try:
                _require_regular(os.fstat(descriptor))
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            raise UnavailableError(f"can't open the log {self.path} anew: {error.strerror}") from error
        self._go_on_with(descriptor)

    def _go_on_with(self, descriptor: int) -> None:
        os.dup2(descriptor, self.descriptor, inheritable=False)
        os.close(descriptor)
        self._rest = b""


def say_not_rotated(error: EchoError) -> None:
    """Log the error of a rotation."""
    log.error("{error}", event="log-not-rotated", error=str(error))


def _open(path: str) -> int:
    """
    Open a file that exists.

    :raise OSError: if that fails; `FileNotFoundError` if the file is missing.
    """
    if stat.S_ISFIFO(os.stat(path).st_mode):
        # As its own reader, too, it can be opened without another one, and keeps the lines for a later one.
        with suppress(PermissionError):
            return os.open(path, os.O_RDWR | OPEN_FLAGS)
    return os.open(path, os.O_WRONLY | OPEN_FLAGS)


def _make(path: str, mode: int) -> int:
    """
    Make a regular file, with permissions by the umask.

    :raise OSError: if that fails, or the path is taken.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | OPEN_FLAGS, mode)


def _make_like(path: str, before: os.stat_result) -> int:
    """
    Make a regular file in place of another, with the same permissions and owner, as far as this process may do so.

    :raise OSError: if that fails, or the path is taken.
    """
    mode = stat.S_IMODE(before.st_mode)
    descriptor = _make(path, mode)
    with suppress(PermissionError):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, mode)
    return descriptor


def _unwritable(path: str, error: OSError) -> UnavailableError:
    return UnavailableError(f"can't write the log to {path}: {error.strerror}")


def _require_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file any more")


def _numbers(path: str) -> Iterator[int]:
    """Yield the numbers of files that were rotated before."""
    folder, name = os.path.split(path)
    for each in os.listdir(folder):
        if found := re.fullmatch(rf"{re.escape(name)}\.([1-9]\d*)", each):
            yield int(found[1])


def _descriptor_of(path: str) -> int | None:
    """Return the descriptor that a path names, or links to, as /dev/stdout does."""
    for _ in range(MAX_LINKS):
        folder = os.path.realpath(os.path.dirname(path))
        if DESCRIPTORS.fullmatch(folder):
            return int(os.path.basename(path))
        if not os.path.islink(path):
            break
        path = os.path.join(folder, os.readlink(path))
    return None
