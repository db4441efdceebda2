"""What is on a path, before, during and after; each with real files and sockets, and no reactor."""

import contextlib
import errno
import fcntl
import os
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import UnavailableError
from echoproto.server.sockets import socketfile
from echoproto.server.sockets.socketfile import SocketFile
from tests.support.logs import record_log

NOBODY = 65534


class WatchedSocket(socket.socket):
    """
    A socket that looks at its file as soon as it has one, and again before it listens.

    :ivar seen: what it saw.
    :ivar events: what is to happen when it is ``bound``, ``in the way`` of another, or ``listening``.
    :ivar failures: how the next calls of bind fail.
    """

    def __init__(self) -> None:
        super().__init__(socket.AF_UNIX)
        self.seen: dict[str, os.stat_result] = {}
        self.events: dict[str, Callable[[], object]] = {}
        self.failures: list[int] = []

    def _happen(self, event: str) -> None:
        self.events.get(event, lambda: None)()

    def bind(self, address: Any) -> None:
        if self.failures:
            number = self.failures.pop(0)
            raise OSError(number, os.strerror(number))
        try:
            super().bind(address)
        except OSError:
            self._happen("in the way")
            raise
        self.seen["bound"] = os.lstat(address)
        self._happen("bound")

    def listen(self, backlog: int = 0) -> None:
        self.seen["before it listens"] = os.lstat(self.getsockname())
        super().listen(backlog)
        self._happen("listening")


class SocketFileCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))
        os.chmod(self.folder, 0o755)
        self.path = os.fsencode(os.path.join(self.folder, "s"))

    def unbound(self) -> WatchedSocket:
        return self.enterContext(WatchedSocket())

    def file(self, mode: int = 0o660, *, put_back: bool = False, **options: Any) -> SocketFile:
        file = SocketFile(self.path, put_back=put_back)
        file.listen(self.unbound(), 5, mode, **options)
        return file

    def other(self, kind: int = socket.SOCK_STREAM, backlog: int | None = 5) -> socket.socket:
        """A socket of another program on the path."""
        other = self.enterContext(socket.socket(socket.AF_UNIX, kind))
        other.bind(self.path)
        if kind == socket.SOCK_STREAM and backlog is not None:
            other.listen(backlog)
        return other

    def stale(self) -> int:
        """What a server leaves that is killed; its inode."""
        self.other().close()
        return self.inode()

    def inode(self) -> int:
        return os.lstat(self.path).st_ino

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.path) == 0

    def refused(self) -> str:
        return str(self.assertRaises(UnavailableError, self.file))

    @contextlib.contextmanager
    def as_nobody(self) -> Iterator[None]:
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)


class ModeTests(SocketFileCase):
    def test_from_the_first_instant(self) -> None:
        """X4: as it comes into being the file has its permissions, whatever the umask; made and then changed fails."""
        before = os.umask(0o022)
        try:
            for umask in (0, 0o022, 0o077):
                for mode in (0o660, 0o600, 0o666, 0o777, 0):
                    os.umask(umask)
                    skt = self.unbound()
                    file = SocketFile(self.path)
                    file.listen(skt, 5, mode)
                    self.assertEqual(stat.S_IMODE(skt.seen["bound"].st_mode), mode)
                    self.assertEqual(stat.S_IMODE(os.lstat(self.path).st_mode), mode)
                    self.assertEqual(os.umask(umask), umask, "it is the process's, and has to be put back")
                    file.remove()
        finally:
            os.umask(before)

    def test_umask_of_a_bind_that_fails(self) -> None:
        os.mkdir(self.path)
        before = os.umask(0o022)
        self.refused()
        self.assertEqual(os.umask(before), 0o022)

    def test_owner(self) -> None:
        """X4: nobody gets in before the file is its owner's."""
        owner = (NOBODY, NOBODY - 1) if os.geteuid() == 0 else (os.getuid(), os.getgid())
        skt = self.unbound()
        SocketFile(self.path).listen(skt, 5, 0o640, owner)
        self.assertEqual(stat.S_IMODE(skt.seen["bound"].st_mode), 0)
        found = skt.seen["before it listens"]
        self.assertEqual((found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)), (*owner, 0o640))

    def test_owner_that_is_not_allowed(self) -> None:
        """Nothing is left of what could be made."""
        os.chmod(self.folder, 0o777)
        with self.as_nobody():
            error = self.assertRaises(PermissionError, self.file, owner=(0, -1))
        self.assertEqual((error.errno, error.filename), (errno.EPERM, self.path))
        self.assertEqual(os.listdir(self.folder), [])

    def test_something_else_in_its_place(self) -> None:
        skt = self.unbound()

        def replace() -> None:
            os.unlink(self.path)
            os.symlink("/etc/passwd", self.path)

        skt.events["bound"] = replace
        error = self.assertRaises(UnavailableError, SocketFile(self.path).listen, skt, 5, 0o660, (NOBODY, -1))
        self.assertIn("something else has taken the place", str(error))
        self.assertEqual(os.readlink(self.path), b"/etc/passwd")


class TakenPathTests(SocketFileCase):
    def test_stale(self) -> None:
        """X1: it is removed, which is logged, and the new one is served."""
        events = record_log(self)
        self.stale()
        self.file()
        self.assertTrue(self.answers())
        name = os.fsdecode(self.path)
        self.assertEqual(
            [formatEvent(event) for event in events], [f"Removed {name}, which a server had left that is gone"]
        )

    def test_stale_that_may_not_be_removed(self) -> None:
        inode = self.stale()
        with self.as_nobody():
            error = self.assertRaises(PermissionError, self.file)
        self.assertEqual(error.filename, self.path)
        self.assertEqual(self.inode(), inode)

    def left_alone(self) -> None:
        inode = self.inode()
        self.assertIn("another server listens there", self.refused())
        self.assertEqual(self.inode(), inode)

    def test_live(self) -> None:
        """X2."""
        other = self.other()
        self.left_alone()
        other.settimeout(5)
        client, _ = other.accept()  # the question whether it lives
        client.close()

    def test_live_with_a_full_backlog(self) -> None:
        """X2: it lets nobody in at the moment."""
        if not sys.platform.startswith("linux"):
            self.skipTest("elsewhere, such a server answers as one that is gone")
        self.other(backlog=0)
        answer = 0
        while answer == 0:
            client = self.enterContext(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            answer = client.connect_ex(self.path)
        self.assertEqual(answer, errno.EAGAIN)
        self.left_alone()

    def test_live_of_another_kind(self) -> None:
        """X2: a log daemon's, for example."""
        self.other(socket.SOCK_DGRAM)
        self.left_alone()

    def test_live_that_may_not_be_asked(self) -> None:
        """X2: who can't know whether it lives does not remove it."""
        self.other()
        os.chmod(self.path, 0o600)
        os.chmod(self.folder, 0o777)
        inode = self.inode()
        with self.as_nobody():
            error = self.assertRaises(PermissionError, self.file)
        self.assertEqual((error.filename, error.strerror), (self.path, "Permission denied"))
        self.assertEqual(self.inode(), inode)

    def test_no_socket(self) -> None:
        """X3: whatever it is, it stays, and so does what a link points at."""
        elsewhere = os.path.join(self.folder, "elsewhere")
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(elsewhere)
        for make, kind in (
            (lambda: os.close(os.open(self.path, os.O_CREAT)), "a regular file"),
            (lambda: os.symlink(elsewhere, self.path), "a symbolic link"),
            (lambda: os.symlink("/nonexistent", self.path), "a symbolic link"),
            (lambda: os.mkfifo(self.path), "something that is no socket"),
            (lambda: os.mkdir(self.path), "a directory"),
        ):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            make()
            before = os.lstat(self.path)
            self.assertIn(f"{kind} is there, which is left alone", self.refused())
            after = os.lstat(self.path)
            self.assertEqual((after.st_ino, after.st_mode), (before.st_ino, before.st_mode))
        self.assertTrue(stat.S_ISSOCK(os.lstat(elsewhere).st_mode))

    def test_one_that_goes_away_meanwhile(self) -> None:
        """Between being in the way and being looked at."""
        self.other()
        skt = self.unbound()
        skt.events["in the way"] = lambda: os.unlink(self.path)
        SocketFile(self.path).listen(skt, 5, 0o660)
        self.assertTrue(self.answers())

    def test_folder(self) -> None:
        self.path = b"/nonexistent/s"
        self.assertEqual(self.assertRaises(FileNotFoundError, self.file).filename, b"/nonexistent")
        self.path = b"/dev/null/s"
        self.assertEqual(self.assertRaises(NotADirectoryError, self.file).filename, b"/dev/null")

    def test_path_relative_to_the_working_folder(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        self.path = b"s"
        file = self.file()
        self.assertTrue(self.answers())
        file.remove()
        self.assertEqual(os.listdir(self.folder), [])


class LockTests(SocketFileCase):
    def lock(self) -> int:
        """Lock the folder as another process would."""
        folder = os.open(self.folder, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return folder

    def assert_locked(self) -> None:
        self.assertRaises(BlockingIOError, self.lock)

    def test_held_until_it_listens(self) -> None:
        """Until then, it looks stale to another one that starts."""
        skt = self.unbound()
        skt.events = {"bound": self.assert_locked, "listening": self.assert_locked}
        file = SocketFile(self.path)
        file.listen(skt, 5, 0o660)
        os.close(self.lock())

        real = os.unlink

        def locked_unlink(path: bytes) -> None:
            self.assert_locked()
            real(path)

        self.patch(os, "unlink", locked_unlink)
        file.remove()
        os.close(self.lock())
        self.assertEqual(os.listdir(self.folder), [])

    def test_another_one_has_it_for_a_moment(self) -> None:
        folder = self.lock()
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            os.close(folder)

        self.patch(time, "sleep", sleep)
        self.file()
        self.assertEqual(pauses, [socketfile.LOCK_PAUSE_SECONDS])

    def test_another_one_keeps_it(self) -> None:
        """It waits about a second, and no longer."""
        self.addCleanup(os.close, self.lock())
        begun = time.monotonic()
        self.assertIn("another process keeps its folder locked", self.refused())
        self.assertGreater(time.monotonic() - begun, 0.9)
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual(os.listdir(self.folder), [])

    def fail_to_lock(self, number: int) -> None:
        def flock(folder: int, operation: int) -> None:
            raise OSError(number, os.strerror(number))

        self.patch(fcntl, "flock", flock)

    def test_file_system_without_locks(self) -> None:
        for number in socketfile.WITHOUT_LOCKS:
            self.fail_to_lock(number)
            self.file().remove()

    def test_lock_that_fails(self) -> None:
        self.fail_to_lock(errno.EIO)
        self.assertEqual(self.assertRaises(OSError, self.file).errno, errno.EIO)

    def test_folder_that_may_not_be_read(self) -> None:
        os.chmod(self.folder, 0o733)
        with self.as_nobody():
            file = self.file()
            self.assertTrue(self.answers())
            file.remove()
        self.assertEqual(os.listdir(self.folder), [])
