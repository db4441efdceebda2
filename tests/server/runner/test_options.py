"""Checks of the runner's options; tests with another user, or a process of their own, are in tests/integration."""

import errno
import os
import pwd
import signal
import tempfile
from typing import Any
from unittest import mock

from twisted.logger import formatEvent
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, EchoError, UnavailableError
from echoproto.server.runner import options as options_module
from echoproto.server.runner import pidfile
from echoproto.server.runner.options import ADVICE, is_daemon, is_twistd, leave_foreign_pid_file, prepare
from tests.support.logs import record_log


class RunnerOptionsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)
        self.logged = record_log(self)

    def options(self, **given: object) -> Any:
        options = ServerOptions()
        options.update({"nodaemon": 1, **given})
        return options

    def assert_logged(self, name: str, line: str) -> None:
        """The one event that was logged."""
        [event] = self.logged
        self.assertEqual((event["log_namespace"], event["event"], formatEvent(event)), ("echoproto", name, line))

    def refused(self, kind: type[EchoError], **given: object) -> str:
        for check in (False, True):
            error = self.assertRaises(kind, prepare, self.options(**given), check=check)
        self.assertEqual(os.listdir(self.folder), [])
        return str(error)


class KindTests(RunnerOptionsCase):
    def test_runners(self) -> None:
        self.assertTrue(is_twistd(self.options()))
        self.assertFalse(is_twistd({"nodaemon": 1}))

    def test_daemon(self) -> None:
        self.assertFalse(is_daemon(self.options()))
        self.assertTrue(is_daemon(self.options(nodaemon=0)))
        self.assertFalse(is_daemon(self.options(nodaemon=0, debug=True)))
        self.assertFalse(is_daemon({}))


class LeavePidFileTests(RunnerOptionsCase):
    def left(self, content: object, **given: object) -> object:
        """Return the pid file that twistd is told to remove, for one with this content."""
        with open("pid", "w", encoding="ascii") as file:
            file.write(str(content))
        options = self.options(pidfile="pid", **given)
        leave_foreign_pid_file(options)
        return options["pidfile"]

    def test_its_own(self) -> None:
        self.assertEqual(self.left(os.getpid()), "pid")

    def test_of_another_process(self) -> None:
        self.assertEqual(self.left(os.getppid()), "")
        self.assert_logged("pid-file-left", "Left pid alone: it is not of this process")

    def test_gone(self) -> None:
        options = self.options(pidfile="pid")
        leave_foreign_pid_file(options)
        self.assertEqual(options["pidfile"], "")

    def test_none(self) -> None:
        for options in (self.options(pidfile=""), {}, {"pidfile": "pid"}):
            before = dict(options)
            leave_foreign_pid_file(options)
            self.assertEqual(options, before)

    def test_not_for_this_user(self) -> None:
        options = self.options(pidfile="pid")
        with mock.patch("builtins.open", side_effect=PermissionError):
            leave_foreign_pid_file(options)
        self.assertEqual(options["pidfile"], "pid")


class PrepareTests(RunnerOptionsCase):
    def test_what_is_usual(self) -> None:
        options = self.options()
        prepare(options, check=False)
        self.assertEqual((options["pidfile"], options["rundir"]), ("twistd.pid", "."))
        self.assertEqual(os.listdir(self.folder), [])

    def test_no_pid_file(self) -> None:
        prepare(self.options(pidfile="", nodaemon=0), check=False)

    def test_usual_pid_file_that_can_not_be_written(self) -> None:
        with mock.patch.object(pidfile, "try_write", side_effect=OSError(errno.EACCES, "")):
            options = self.options()
            prepare(options, check=False)
            self.assertEqual(options["pidfile"], "")
            self.assert_logged("no-pid-file", "No twistd.pid: it can't be written here (Permission denied)")
            error = self.assertRaises(UnavailableError, prepare, self.options(nodaemon=0), check=False)
        self.assertEqual(
            str(error),
            "--pidfile twistd.pid: Permission denied; "
            "name a file in a folder that this user may write to, or none (--pidfile=)",
        )

    def test_the_same_name_given(self) -> None:
        with mock.patch.object(pidfile, "try_write", side_effect=OSError(errno.ENOSPC, "")):
            given = "".join(["twistd", ".pid"])
            error = self.assertRaises(UnavailableError, prepare, self.options(pidfile=given), check=False)
        self.assertIn("--pidfile twistd.pid: No space left on device", str(error))

    def test_pid_file_of_another_instance(self) -> None:
        with open("pid", "w", encoding="ascii") as file:
            file.write("x")
        error = self.assertRaises(UnavailableError, prepare, self.options(pidfile="pid"), check=False)
        self.assertTrue(str(error).startswith("pid: holds no process ID"))

    def test_wrong_names(self) -> None:
        self.assertIn("--pidfile a/b: No such file or directory;", self.refused(ConfigurationError, pidfile="a/b"))
        self.assertIn(
            f"--pidfile {self.folder}: Is a directory;", self.refused(ConfigurationError, pidfile=self.folder)
        )
        self.assertIn("--rundir a: No such file or directory;", self.refused(ConfigurationError, rundir="a"))
        self.assertIn("--rundir /dev/null: Not a directory;", self.refused(ConfigurationError, rundir="/dev/null"))

    def test_folder_that_is_gone(self) -> None:
        os.rmdir(self.folder)
        options = self.options()
        try:
            prepare(options, check=False)
        finally:
            os.mkdir(self.folder)
        self.assertEqual(options["pidfile"], "")

    def test_folder_that_may_not_be_entered(self) -> None:
        options = self.options()
        enter = os.chdir

        def chdir(folder: str) -> None:
            if folder == ".":
                raise PermissionError(errno.EACCES, "")
            enter(folder)

        with mock.patch.object(os, "chdir", chdir):
            prepare(options, check=False)
        self.assertEqual(options["rundir"], "/")
        self.assert_logged(
            "rundir-changed", "The service runs in /, since this user may not enter the folder that it was started in"
        )

    def test_run_folder(self) -> None:
        """It is changed to by twistd, not here."""
        prepare(self.options(rundir="/"), check=False)
        self.assertEqual(os.getcwd(), os.path.realpath(self.folder))

    def test_user_that_there_is_not(self) -> None:
        for given in ({"uid": 2**31 - 7}, {"uid": 2**31 - 7, "gid": 1}, {"uid": 2**80}, {"uid": -7}):
            complaint = self.refused(ConfigurationError, **given)
            self.assertEqual(
                complaint,
                f"--uid {given['uid']}: this system has no such user; give the name or number of one that it has",
            )
        self.assertIn(f"--gid {2**80}: this system has no such group; ", self.refused(ConfigurationError, gid=2**80))

    def test_no_room_for_a_process(self) -> None:
        """It is not for this to end what could serve."""
        before = os.listdir("/dev/fd")
        with mock.patch.object(os, "fork", side_effect=BlockingIOError):
            prepare(self.options(rundir="missing"), check=False)
        self.assertEqual(os.listdir("/dev/fd"), before)

    def test_nothing_is_left_of_the_rehearsal(self) -> None:
        before = os.listdir("/dev/fd")
        children: list[int] = []
        fork = os.fork

        def remembering() -> int:
            children.append(fork())
            return children[-1]

        with mock.patch.object(os, "fork", remembering):
            prepare(self.options(rundir="/"), check=False)
            prepare(self.options(), check=False)
        self.assertEqual(os.listdir("/dev/fd"), before)
        [child] = children
        self.assertRaises(ChildProcessError, os.waitpid, child, os.WNOHANG)

    def test_ends_of_children_that_are_ignored(self) -> None:
        self.addCleanup(signal.signal, signal.SIGCHLD, signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertIn("--rundir missing: ", self.refused(ConfigurationError, rundir="missing"))

    def test_user_that_it_is_already(self) -> None:
        prepare(self.options(uid=os.getuid()), check=False)

    def test_umask(self) -> None:
        for umask in (0, 0o77, 0o777):
            prepare(self.options(umask=umask), check=False)
        for umask in (-1, 0o1000, 8**20):
            complaint = self.refused(ConfigurationError, umask=umask)
            self.assertEqual(complaint, "--umask: must be up to three octal digits, such as 027")

    def test_logger(self) -> None:
        prepare(self.options(logger="twisted.logger.STDLibLogObserver"), check=False)
        complaint = self.refused(ConfigurationError, logger="echoproto.b")
        self.assertTrue(complaint.startswith("--logger echoproto.b: can't be imported: "), complaint)

    def test_profiler(self) -> None:
        self.assertEqual(
            self.refused(ConfigurationError, profiler="x"), "--profiler x: must be one of cprofile, profile"
        )

    def test_profile(self) -> None:
        """A file that can't be written is found at the start, not when all has been measured."""
        prepare(self.options(profile="p"), check=False)
        for path in ("/nope/profile", "/"):
            self.assertIn(
                f"--profile {path}: must be a file in a folder", self.refused(ConfigurationError, profile=path)
            )
        self.patch(os, "access", lambda *_: False)  # root may write everywhere
        self.assertIn("--profile p: Permission denied", self.refused(UnavailableError, profile="p"))


class ChrootTests(RunnerOptionsCase):
    """The call itself is a stand-in; tests/integration has the real one."""

    def chroot(self, **given: object) -> Any:
        options = self.options(chroot="jail", **given)
        with mock.patch.object(os, "chroot", return_value=None):
            prepare(options, check=False)
        return options

    def test_not_allowed(self) -> None:
        with mock.patch.object(os, "chroot", side_effect=PermissionError(errno.EPERM, "")):
            complaint = self.refused(UnavailableError, chroot="jail")
        self.assertEqual(complaint, f"--chroot jail: Operation not permitted; {ADVICE['chroot']}")

    def test_without_what_the_service_needs(self) -> None:
        with mock.patch.object(os, "devnull", "/nonexistent/null"):
            error = self.assertRaises(ConfigurationError, self.chroot)
        self.assertEqual(
            str(error),
            "--chroot jail: holds no /nonexistent/null, which the service needs; "
            "make it with: mkdir -p DIR/dev && mknod -m 666 DIR/nonexistent/null c 1 3",
        )

    def test_pid_file(self) -> None:
        """It is written where its path leads then; the usual one is done without."""
        self.assertEqual(self.chroot()["pidfile"], "twistd.pid")
        self.assertEqual(self.logged, [])
        with mock.patch.object(pidfile, "try_write", side_effect=FileNotFoundError(errno.ENOENT, "")) as write:
            self.assertEqual(self.chroot()["pidfile"], "")
            error = self.assertRaises(ConfigurationError, self.chroot, pidfile="pid")
            write.assert_not_called()  # but in the child
            self.assertEqual(self.chroot(pidfile="")["pidfile"], "")
        self.assertEqual(str(error), f"--pidfile pid: No such file or directory; {ADVICE['pidfile']}")
        self.assert_logged("no-pid-file", "No twistd.pid: it can't be written here (No such file or directory)")

    def test_folder(self) -> None:
        """The folder of the start does not exist in there."""
        calls = self.mktemp()

        def chdir(folder: str) -> None:
            with open(calls, "a", encoding="utf-8") as file:
                file.write(f"{folder}\n")

        with mock.patch.object(os, "chdir", chdir):
            self.chroot()
            self.chroot(rundir="/run")
        with open(calls, encoding="utf-8") as file:
            self.assertEqual(file.read(), "/\n/run\n")

    def test_user(self) -> None:
        error = self.assertRaises(ConfigurationError, self.chroot, uid=2**31 - 7)
        self.assertEqual(
            str(error),
            f"--uid {2**31 - 7}: the etc/passwd of --chroot has no such user; "
            "give the name or number of one that it has",
        )

    def test_another_user(self) -> None:
        """With that user's own group."""
        with mock.patch.object(options_module, "switchUID", side_effect=PermissionError(errno.EPERM, "")):
            complaint = self.refused(UnavailableError, uid=os.getuid())
        self.assertEqual(complaint, f"--uid {os.getuid()}: Operation not permitted; {ADVICE['uid']}")
        given: list[tuple[object, ...]] = []
        with mock.patch.object(options_module, "switchUID", lambda *arguments: given.append(arguments)):
            options_module._switch(os.getuid(), None, True)
            options_module._switch(None, 7, False)
        self.assertEqual(given, [(os.getuid(), pwd.getpwuid(os.getuid()).pw_gid, True), (None, 7, False)])
