"""Files and streams that log lines go to; what takes a process of its own stands in tests/integration."""

import errno
import os
import socket
import stat
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import UnavailableError
from echoproto.server.log.file import LogFile
from tests.support.logs import record_log


class LogFileCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "echo[1].log"

    def file(self, path: Path | None = None, rotate_bytes: int | None = 1000) -> LogFile:
        file = LogFile(str(path or self.path), rotate_bytes=rotate_bytes)
        self.addCleanup(os.close, file.descriptor)
        return file

    def written(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.folder.iterdir() if path.is_file()}


class LogFileTests(LogFileCase):
    def test_rotation_by_size(self) -> None:
        """Older ones count up; the size is the file's own, even after other programs changed it."""
        file = self.file()
        (self.folder / "echo[1].log.x").write_text("another's")
        for number in range(4):
            self.assertTrue(file.write(b"%d" % number * 1000))
        os.truncate(self.path, 0)
        self.assertTrue(file.write(b"cut"))
        name = self.path.name
        expected = {f"{name}.{3 - number}": f"{number}" * 1000 for number in range(3)}
        self.assertEqual(self.written(), {name: "cut", f"{name}.x": "another's", **expected})

    def test_no_rotation_by_size(self) -> None:
        file = self.file(rotate_bytes=None)
        for _ in range(2):
            file.write(b"x" * 2000)
        self.assertEqual(list(self.written()), [self.path.name])

    def test_same_permissions_and_owner(self) -> None:
        """Rotated or reopened under any umask, such as that of twistd's daemons."""
        for mode, change in ((0o640, LogFile.rotate), (0o604, LogFile.reopen)):
            file = self.file()
            os.chmod(self.path, mode)
            owner = (1, 1) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
            os.chown(self.path, *owner)
            if change is LogFile.reopen:
                os.rename(self.path, self.folder / "moved")
            before = os.umask(0o077)
            try:
                change(file)
            finally:
                os.umask(before)
            found = self.path.stat()
            self.assertEqual((stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid), (mode, *owner))
            self.path.unlink()

    def test_what_another_program_has_made_keeps_its_permissions(self) -> None:
        file = self.file()
        os.rename(self.path, self.folder / "moved")
        self.path.touch(0o600)
        file.reopen()
        file.write(b"x")
        self.assertEqual((self.path.read_text(), stat.S_IMODE(self.path.stat().st_mode)), ("x", 0o600))

    def test_a_link(self) -> None:
        """Its target is rotated, and the link stays; also if there was no target yet."""
        (logs := self.folder / "logs").mkdir()
        self.path.symlink_to("logs/target.log")
        file = self.file()
        file.write(b"before")
        file.rotate()
        file.write(b"after")
        self.assertTrue(self.path.is_symlink())
        self.assertEqual({path.name: path.read_text() for path in logs.iterdir()}, {
            "target.log": "after", "target.log.1": "before",
        })  # fmt: skip
        os.rename(logs / "target.log", logs / "moved")
        file.reopen()
        self.assertTrue(self.path.is_symlink())
        self.assertTrue((logs / "target.log").is_file())

    def test_rotated_after_it_was_moved_away(self) -> None:
        file = self.file()
        os.rename(self.path, self.folder / "moved")
        file.rotate()
        file.write(b"x")
        self.assertEqual(self.written(), {"moved": "", self.path.name: "x"})

    def test_a_folder_that_can_not_be_written(self) -> None:
        """By size, it is tried again when the file has grown as much once more; the log says so each time."""
        logged = record_log(self)
        file = self.file()
        with mock.patch("os.rename", side_effect=PermissionError(13, "Permission denied")):
            error: Exception = self.assertRaises(UnavailableError, file.rotate)
            self.assertEqual(str(error), f"can't rotate the log {self.path}: Permission denied")
            for _ in range(4):
                self.assertTrue(file.write(b"x" * 600))
        self.assertEqual(self.path.stat().st_size, 2400)
        self.assertEqual([event["event"] for event in logged], ["log-not-rotated"])
        file.write(b"x")
        self.assertEqual(self.path.read_text(), "x")

    def test_no_new_file_can_be_made(self) -> None:
        """The old one has its name back."""
        file = self.file()
        with mock.patch("echoproto.server.log.file._make", side_effect=OSError(28, "No space left on device")):
            self.assertRaises(UnavailableError, file.rotate)
        file.write(b"x")
        self.assertEqual(self.written(), {self.path.name: "x"})

    def test_no_regular_file_any_more(self) -> None:
        """The pipe in its place is neither renamed nor opened."""
        file = self.file()
        self.path.unlink()
        os.mkfifo(self.path)
        for change, problem in ((file.rotate, "can't rotate the log"), (file.reopen, "can't open the log")):
            error: Exception = self.assertRaises(UnavailableError, change)
            self.assertIn(problem, str(error))
            self.assertIn("it is no regular file any more", str(error))
        self.assertTrue(file.write(b"x"))
        self.assertEqual(os.listdir(self.folder), [self.path.name])

    def test_what_can_not_be_written(self) -> None:
        circle = self.folder / "circle"
        circle.symlink_to(circle.name)
        for path, problem in (
            (self.folder, "Is a directory"),
            (self.folder / "none" / "log", "No such file or directory"),
            (circle, os.strerror(errno.ELOOP)),
        ):
            for call in (LogFile, LogFile.check):
                error: Exception = self.assertRaises(UnavailableError, call, str(path))
                self.assertEqual(str(error), f"can't write the log to {path}: {problem}")

    def test_check_changes_nothing(self) -> None:
        LogFile.check(str(self.path))
        self.assertEqual(os.listdir(self.folder), [])
        self.path.write_text("x")
        LogFile.check(str(self.path))
        self.assertEqual(self.written(), {self.path.name: "x"})

    def test_check_of_a_folder_that_can_not_be_written(self) -> None:
        with mock.patch("os.access", return_value=False):
            error: Exception = self.assertRaises(UnavailableError, LogFile.check, str(self.path))
        self.assertEqual(str(error), f"can't write the log to {self.path}: Permission denied")

    def test_an_open_descriptor(self) -> None:
        """As /dev/stdout is one, even if it is that of a regular file: that is for whoever has opened it."""
        with open(self.path, "ab") as opened:
            for name in (f"/dev/fd/{opened.fileno()}", str(self.folder / "link")):
                if name.endswith("link"):
                    os.symlink(f"/dev/fd/{opened.fileno()}", name)
                file = self.file(Path(name), rotate_bytes=1)
                for change in (lambda: None, file.rotate, file.reopen):
                    change()
                    file.write(b"x")
        self.assertEqual(self.written(), {self.path.name: "x" * 6})


class SharedTests(LogFileCase):
    def test_a_socket(self) -> None:
        """As /dev/stdout may be one, which can't be opened."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            file = self.file(Path(f"/dev/fd/{ours.fileno()}"))
            assert file._socket is not None
            self.addCleanup(file._socket.close)
            file.write(b"x\n")
            self.assertEqual(theirs.recv(9), b"x\n")

    def test_a_socket_with_a_name_is_none(self) -> None:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(os.path.relpath(self.path))
            error: Exception = self.assertRaises(UnavailableError, LogFile, str(self.path))
        self.assertIn("No such device or address", str(error))


class FIFOTests(LogFileCase):
    """A named pipe, which needs no reader."""

    def setUp(self) -> None:
        super().setUp()
        os.mkfifo(self.path)

    def test_without_a_reader(self) -> None:
        """It can be opened, takes what fits into it, and never waits; a reader that comes later has whole lines."""
        file = self.file()
        lines = [b"%05d %s\n" % (number, b"x" * 1000) for number in range(1000)]
        taken = [line for line in lines if file.write(line)]
        self.assertTrue(10 < len(taken) < 1000, len(taken))
        self.assertEqual(taken, lines[: len(taken)])
        reading = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reading)
        received = os.read(reading, 1 << 20)
        self.assertTrue(file.write(b"at last\n"))
        received += os.read(reading, 1 << 20)
        self.assertEqual(received.splitlines(keepends=True), [*taken, b"at last\n"])

    def test_stays(self) -> None:
        file = self.file()
        file.rotate()
        file.reopen()
        self.assertEqual(os.listdir(self.folder), [self.path.name])
        self.assertTrue(stat.S_ISFIFO(self.path.stat().st_mode))
