"""
Options of ``twistd`` itself, checked before ``twistd`` acts on them.

Without the check, an error in them is a traceback, after the listeners were opened and, of a daemon, out of sight.
"""

from __future__ import annotations

import errno
import json
import os
import pwd
import warnings
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from attrs import frozen
from twisted.application.app import AppProfiler
from twisted.logger import Logger
from twisted.python.reflect import namedAny
from twisted.python.util import switchUID
from twisted.scripts._twistd_unix import ServerOptions

from echoproto.errors import ConfigurationError, EchoError, UnavailableError, one_line
from echoproto.server.runner import pidfile

log = Logger("echoproto")

MAX_UMASK = 0o777

WRONG_NAME_ERRORS = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)
"""Errors of a wrong name; others mean that this user may not, or that the machine can't now."""

NULL_DEVICE = "null device"
"""In place of an option: the device file that the folder of ``--chroot`` lacks."""

ADVICE = {
    "chroot": "name a folder that exists; only root may change its root folder",
    "rundir": "name a folder that exists, and that this user may enter",
    "uid": "only root may become another user; leave --uid and --gid out",
    "pidfile": "name a file in a folder that this user may write to, or none (--pidfile=)",
}


def is_twistd(options: Mapping[str, Any]) -> bool:
    """Tell if the options are those of ``twistd``, rather than of ``twist`` or of no runner."""
    return isinstance(options, ServerOptions)


def is_daemon(options: Mapping[str, Any]) -> bool:
    """Tell if the options let ``twistd`` continue in the background."""
    return is_twistd(options) and not (options["nodaemon"] or options["debug"])


@frozen
class Fault:
    """
    Fault of an option that ``twistd`` can't act on.

    :ivar option: name of the option, or `NULL_DEVICE`.
    :ivar number: of the error, as in `errno`; 0 for an unknown user.
    """

    option: str
    number: int

    def error(self, options: Mapping[str, Any]) -> EchoError:
        """Return the error for the user, by whose fault it is."""
        if self.option == NULL_DEVICE:
            return ConfigurationError(
                f"--chroot {one_line(options['chroot'])}: holds no {os.devnull}, which the service needs; "
                f"make it with: mkdir -p DIR/dev && mknod -m 666 DIR{os.devnull} c 1 3"
            )
        name = "gid" if self.option == "uid" and options["uid"] is None else self.option
        given = one_line(f"--{name} {options[name]}")
        if not self.number:
            where = "the etc/passwd of --chroot" if options["chroot"] else "this system"
            kind = "user" if name == "uid" else "group"
            return ConfigurationError(
                f"{given}: {where} has no such {kind}; give the name or number of one that it has"
            )
        by_whom = ConfigurationError if self.number in WRONG_NAME_ERRORS else UnavailableError
        return by_whom(f"{given}: {os.strerror(self.number)}; {ADVICE[self.option]}")


def prepare(options: MutableMapping[str, Any], *, check: bool) -> None:
    """
    Make sure that ``twistd`` can act on its options.

    A service in the foreground runs without the usual pid file if that can't be written, and in the root folder if it
    may not enter the folder that it is started in.

    :param options: parsed options of ``twistd``; some are changed.
    :param check: leave everything as it is.
    :raise EchoError: if ``twistd`` can't act on one.
    """
    _check_values(options)
    if options["chroot"]:
        "".encode("idna")  # imports a module that sockets need, which the new root folder may lack
    if options["rundir"] == "." and not options["chroot"] and not _can_enter("."):
        log.info(
            "The service runs in /, since this user may not enter the folder that it was started in",
            event="rundir-changed",
        )
        options["rundir"] = os.sep
    try:
        _prepare_pid_file(options, check=check)
    except OSError as error:
        _do_without_pid_file(options, error.errno or 0)
    while (fault := _rehearse(options)) is not None:
        if fault.option != "pidfile":
            raise fault.error(options)
        _do_without_pid_file(options, fault.number)


def leave_foreign_pid_file(options: MutableMapping[str, Any]) -> None:
    """Keep ``twistd`` from removing a pid file that another process has written, or that is gone."""
    path = options.get("pidfile")
    if not path or not is_twistd(options):
        return
    try:
        with open(path, "rb") as file:
            is_ours = file.read(pidfile.MAXIMUM_SIZE) == b"%d" % os.getpid()
    except PermissionError:  # twistd says so when it can't remove it
        return
    except OSError:
        is_ours = False
    if not is_ours:
        log.info("Left {path} alone: it is not of this process", event="pid-file-left", path=one_line(path))
        options["pidfile"] = ""


def _check_values(options: Mapping[str, Any]) -> None:
    umask = options["umask"]
    if umask is not None and not 0 <= umask <= MAX_UMASK:
        raise ConfigurationError("--umask: must be up to three octal digits, such as 027")
    if isinstance(options["logger"], str):
        try:
            namedAny(options["logger"])
        except Exception as error:  # a foreign module may raise any
            raise ConfigurationError(f"--logger {options['logger']}: can't be imported: {error}") from error
    if options["profiler"].lower() not in AppProfiler.profilers:
        known = ", ".join(sorted(AppProfiler.profilers))
        raise ConfigurationError(f"--profiler {options['profiler']}: must be one of {known}")
    if options["profile"] and not options["chroot"]:
        _check_profile(one_line(f"--profile {options['profile']}"), os.path.join(options["rundir"], options["profile"]))


def _check_profile(given: str, path: str) -> None:
    """Refuse a file that can't be written: ``twistd`` would report it at its end, by a traceback."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder) or os.path.isdir(path):
        raise ConfigurationError(f"{given}: must be a file in a folder that exists, such as profile.txt")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise UnavailableError(f"{given}: Permission denied; name a file that this user may write to")


def _can_enter(folder: str) -> bool:
    """Tell if this process may change to a folder, which may be removed, or closed to this user."""
    try:
        os.chdir(folder)
    except OSError:
        return False
    return True


def _prepare_pid_file(options: Mapping[str, Any], *, check: bool) -> None:
    name = options["pidfile"]
    if not name:
        return
    path = os.path.abspath(name)
    try:
        pidfile.clear(path, keep=check)
    except EchoError as error:
        raise type(error)(f"{name}: {error}") from error
    if not options["chroot"]:
        pidfile.try_write(path)


def _do_without_pid_file(options: MutableMapping[str, Any], number: int) -> None:
    """Run without a pid file, if it is the usual one of a service in the foreground."""
    usual = ServerOptions().defaults["pidfile"]
    if options["pidfile"] is not usual or is_daemon(options):  # the same name given by the user is another object
        raise Fault("pidfile", number).error(options)
    log.info(
        "No {name}: it can't be written here ({reason})", event="no-pid-file", name=usual, reason=os.strerror(number)
    )
    options["pidfile"] = ""


def _rehearse(options: Mapping[str, Any]) -> Fault | None:
    """
    Have a child process take the steps that ``twistd`` is going to take on itself, and end.

    :return: the fault of the first step that failed.
    """
    if options["rundir"] == "." and all(options[name] is None for name in ("chroot", "uid", "gid")):
        return None
    reading, writing = os.pipe()
    try:
        child = os.fork()
    except OSError:  # no process can be made; the service itself may not need one
        os.close(reading)
        os.close(writing)
        return None
    if not child:
        try:
            os.write(writing, json.dumps(_first_fault(_steps(options))).encode("ascii"))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        found = json.loads(file.read() or b"null")
    with suppress(ChildProcessError):  # SIGCHLD is ignored, by inheritance
        os.waitpid(child, 0)
    return None if found is None else Fault(*found)


def _steps(options: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
    """Return the steps that ``twistd`` takes on its own process, in its order, by the names of their options."""
    chroot, rundir, pid_file = (options[name] for name in ("chroot", "rundir", "pidfile"))
    steps: dict[str, Callable[[], object]] = {}
    path = os.path.abspath(pid_file) if pid_file else ""
    if chroot is not None:
        steps["chroot"] = lambda: os.chroot(chroot)
        steps[NULL_DEVICE] = lambda: os.stat(os.devnull)
        rundir = os.sep if rundir == "." else rundir
        if pid_file:
            steps["pidfile"] = lambda: pidfile.try_write(path)
    steps["rundir"] = lambda: os.chdir(rundir)
    steps["uid"] = lambda: _switch(options["uid"], options["gid"], bool(options["euid"]))
    return steps


def _switch(uid: int | None, gid: int | None, effective: bool) -> None:
    if uid is not None and gid is None:
        gid = pwd.getpwuid(uid).pw_gid
    with warnings.catch_warnings():  # about the user that this process has already
        warnings.simplefilter("ignore")
        switchUID(uid, gid, effective)


def _first_fault(steps: Mapping[str, Callable[[], object]]) -> tuple[str, int] | None:
    for option, step in steps.items():
        try:
            step()
        except OSError as error:
            return option, error.errno or errno.EIO
        except (KeyError, OverflowError):  # no such user, or a number that no user has
            return option, 0
    return None
