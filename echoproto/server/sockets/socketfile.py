"""
The file of a Unix stream socket: made where no server listens, with its permissions from the first instant, and removed
only while it is still ours.

A process that is killed leaves its file behind, and ``bind(2)`` refuses a path that is taken. So a file on the path is
removed if it is a socket without a server. A lock of the folder is held during this: of two servers that start at once,
neither may remove the file that the other has just made, which looks stale until it listens. The lock is ``flock(2)``
on the folder's descriptor, which leaves no file behind and, after SIGKILL, no lock.
"""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import pwd
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from twisted.logger import Logger

from echoproto.errors import ConfigurationError, UnavailableError, quoted
from echoproto.server.sockets.socketnames import shown_name

log = Logger("echoproto")

LOCK_ATTEMPTS = 100
LOCK_PAUSE_SECONDS = 0.01
"""One second in all; a server holds the lock for about a millisecond."""

WITHOUT_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)
"""Errors of a file system that can't lock a folder."""

KINDS = {stat.S_IFREG: "a regular file", stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a directory"}

MAX_ID = 2**32 - 2
"""Largest user or group ID; the number above it is -1, by which chown(2) changes nothing."""

Identity = tuple[int, int]
"""Device and inode."""


class SocketFile:
    """
    The file of a Unix socket.

    :param path: of the file.
    :param put_back: put a stale file of the same path back at the end.
    """

    def __init__(self, path: bytes, *, put_back: bool = False) -> None:
        self.path = path
        self._put_back = put_back
        self._aside: bytes | None = None
        self._made: Identity | None = None

    def listen(self, skt: socket.socket, backlog: int, mode: int, owner: tuple[int, int] | None = None) -> None:
        """
        Bind a socket to the path, and listen; if that fails, no file is left there.

        :param backlog: of ``listen(2)``.
        :param mode: permissions, 0 to 0o777, from the first instant.
        :param owner: user and group ID, -1 for one that stays as it is; set before any client may connect.
        :raise UnavailableError: if the path is taken, by a server or by a file of another kind.
        :raise OSError: if the system does not allow it.
        """
        with self._locked_folder():
            try:
                self._bind_anew(skt, 0o777 & ~mode if owner is None else 0o777)
                if owner is not None:
                    os.chown(self.path, *owner, follow_symlinks=False)
                    os.chmod(self.path, mode, follow_symlinks=False)
                skt.listen(backlog)
            except BaseException:
                self._remove()
                raise

    def remove(self) -> None:
        """
        Remove the file if it is still ours.

        The socket has to be open: as long as it is, no other file has its inode.

        :raise OSError: if the system does not allow it.
        :raise UnavailableError: if another process keeps the folder locked.
        """
        with suppress(FileNotFoundError), self._locked_folder():  # else the folder is gone, and the file with it
            self._remove()

    @contextmanager
    def _locked_folder(self) -> Iterator[None]:
        try:
            folder = os.open(os.path.dirname(self.path) or b".", os.O_RDONLY | os.O_DIRECTORY)
        except PermissionError:
            # A user may be allowed to make files in a folder, but not to read it, which a lock takes.
            yield
            return
        try:
            self._lock(folder)
            yield
        finally:
            os.close(folder)

    def _lock(self, folder: int) -> None:
        for _ in range(LOCK_ATTEMPTS):
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_PAUSE_SECONDS)
            except OSError as problem:
                if problem.errno not in WITHOUT_LOCKS:
                    raise
                return
            else:
                return
        raise UnavailableError("another process keeps its folder locked")

    def _bind_anew(self, skt: socket.socket, umask: int) -> None:
        try:
            self._bind(skt, umask)
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise
            self._clear()
            self._bind(skt, umask)

    def _bind(self, skt: socket.socket, umask: int) -> None:
        """Bind, and note the identity of the file."""
        before = os.umask(umask)  # of the whole process, so it is put back at once
        try:
            skt.bind(self.path)
        finally:
            os.umask(before)
        found = os.lstat(self.path)
        if not stat.S_ISSOCK(found.st_mode):
            raise UnavailableError("something else has taken the place of the socket")
        self._made = _identity(found)

    def _clear(self) -> None:
        """Remove a stale socket from the path."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return  # the one that was there has just stopped
        if not stat.S_ISSOCK(found.st_mode):
            kind = KINDS.get(stat.S_IFMT(found.st_mode), "something that is no socket")
            raise UnavailableError(f"{kind} is there, which is left alone; choose another path")
        with socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)
            answer = client.connect_ex(self.path)
        if answer in (0, errno.EAGAIN, errno.EINPROGRESS, errno.EPROTOTYPE):
            raise UnavailableError("another server listens there; stop that one, or choose another path")
        if answer == errno.ENOENT:
            return
        if answer != errno.ECONNREFUSED:
            raise OSError(answer, os.strerror(answer), self.path)
        if self._put_back:
            aside = self.path + b".%d" % os.getpid()
            os.rename(self.path, aside)
            self._aside = aside
        else:
            os.unlink(self.path)
            log.info(
                "Removed {path}, which a server had left that is gone",
                event="stale-socket-removed",
                path=shown_name(self.path),
            )

    def _remove(self) -> None:
        if self._made is None and self._aside is None:
            return
        try:
            occupant = _identity(os.lstat(self.path))
        except FileNotFoundError:
            occupant = None
        made, self._made = self._made, None
        aside, self._aside = self._aside, None
        if occupant == made:
            if aside is not None:
                os.rename(aside, self.path)
            else:
                os.unlink(self.path)
        elif aside is not None:
            os.unlink(aside)  # another server has started since, and would have removed it


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino


def owner_ids(owner: str) -> tuple[int, int] | None:
    """
    Look up an owner in this system's lists of users and groups.

    :param owner: ``USER``, ``USER:GROUP`` or ``:GROUP``, names or numbers; a number need not be in the lists.
    :return: user and group ID as ``chown(2)`` takes them, -1 for one that is not given; ``None`` of an empty text.
    :raise ConfigurationError: if this system has no such user or group.
    """
    if not owner:
        return None
    user, _, group = owner.partition(":")
    uid = _id("user", user, lambda: pwd.getpwnam(user).pw_uid)
    gid = _id("group", group, lambda: grp.getgrnam(group).gr_gid)
    return uid, gid


def _id(kind: str, name: str, look_up: Callable[[], int]) -> int:
    if not name:
        return -1
    if name.isascii() and name.isdecimal():
        if int(name) > MAX_ID:
            raise ConfigurationError(f"{name} is no {kind}: the largest number of one is {MAX_ID}")
        return int(name)
    try:
        return look_up()
    except KeyError as problem:
        raise ConfigurationError(f"this system has no {kind} {quoted(name)}") from problem
