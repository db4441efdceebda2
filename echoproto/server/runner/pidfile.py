"""
The file in which ``twistd`` writes its process ID.

An old file may be in the way. ``twistd`` itself takes any process of that number for another instance, and answers most
other faults by a traceback.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import suppress

from twisted.logger import Logger

from echoproto.errors import ConfigurationError, UnavailableError, one_line

log = Logger("echoproto")

MAXIMUM_SIZE = 64
"""Bytes that are read; the longest process ID, with white space around it, has fewer."""

MAX_PID = 2**31 - 1


def clear(path: str, *, keep: bool = False) -> None:
    """
    Remove a process ID file that an earlier start has left, if its process is gone.

    :param path: of the file, which may be missing.
    :param keep: only check that the file could be removed.
    :raise OSError: if the file can't be read, or removed.
    :raise ConfigurationError: if it is not a regular file.
    :raise UnavailableError: if its process runs, or it holds something else.
    """
    try:
        pid, reason = _read(path), "no such process runs"
    except FileNotFoundError:
        return
    if _runs(pid):
        program = _program(pid, os.path.dirname(path))
        if program is None:
            raise UnavailableError(
                f"process {pid} runs; stop it, or name another file, or none (--pidfile=); "
                "if that is a different program, remove the file"
            )
        reason = f"that is {program}"
    if not keep:
        os.unlink(path)
        log.info(
            "Removed {path}, left by process {pid}: {reason}",
            event="stale-pid-file-removed",
            path=one_line(path),
            pid=pid,
            reason=reason,
        )
    elif not os.access(os.path.dirname(path), os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _read(path: str) -> int:
    # The open of a named pipe would wait for a program that writes into it.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ConfigurationError("is not a regular file; name another, or none (--pidfile=)")
        text = file.read(MAXIMUM_SIZE)
    if re.fullmatch(rb"\s*0*[1-9][0-9]{0,9}\s*", text) is None or int(text) > MAX_PID:
        raise UnavailableError("holds no process ID; remove it, or name another file, or none (--pidfile=)")
    return int(text)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _program(pid: int, folder: str) -> str | None:
    """
    Return the name of a process, if it can't be the one that has written a file.

    After a crash or a restart of a container, another process may have the number, even this one.

    :param folder: of the file; only ``twistd``, or a program that is made with it and runs there, may have written it.
    :return: ``None`` if it may be that one, or this system does not tell.
    """
    if pid == os.getpid():
        return "this process itself"
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = [os.path.basename(word) for word in os.fsdecode(file.read()).rstrip("\0").split("\0")]
    except OSError:
        return None
    program = words[0]
    with suppress(OSError):  # of another user's process
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    if not re.match("python|pypy", program):
        return one_line(program) or "one that has ended"
    if any(re.match(r"twistd|twisted\.scripts\.", word) for word in words):
        return None
    try:
        home = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return None
    return None if home == os.path.realpath(folder) else one_line(" ".join(words[:2]))


def try_write(path: str) -> None:
    """
    Check that a file can be written, without a change to it.

    If the file is missing, another one in its folder is written, since another start may be about to make it.

    :raise OSError: if the file can't be written.
    """
    path = os.path.realpath(path)  # a link may point to a file that is missing
    try:
        os.stat(path)
    except FileNotFoundError:
        _try_folder(os.path.dirname(path))
    else:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


def _try_folder(folder: str) -> None:
    trial = os.path.join(folder, f".{os.getpid()}.pid")
    descriptor = os.open(trial, os.O_WRONLY | os.O_CREAT)
    try:
        os.write(descriptor, b"%d" % os.getpid())
    finally:
        os.close(descriptor)
        os.unlink(trial)
