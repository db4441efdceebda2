import os
import socket
import stat
import sys
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.server.sockets.socketnames import PATH_LIMIT, check_path, shown_name, socket_name


class NamesTests(SynchronousTestCase):
    def test_as_they_are_bound(self) -> None:
        for text, name in (("/a", b"/a"), ("@a", b"\0a"), ("\0a", b"\0a"), ("./@a", b"./@a"), ("/\udcff", b"/\xff")):
            self.assertEqual(socket_name(text), name)

    def test_as_they_are_shown(self) -> None:
        """In one word, and no two of them alike."""
        for name, shown in (
            (b"/a:c%d{e}", "/a:c%d{e}"),
            (b"/a, b", r"/a,\x20b"),
            ("/\xfc".encode(), "/\xfc"),
            (b"\0a", "@a"),
            (b"@a", "./@a"),
            (b"./@a", "./@a"),
            (b"\0a\0", r"@a\x00"),
            (b"/a\nb", r"/a\nb"),
            (rb"/a\nb", r"/a\\nb"),
            (b"/\xff", r"/\xff"),
            (rb"/\xff", r"/\\xff"),
            (b"/\x1b[31m", r"/\x1b[31m"),
        ):
            self.assertEqual(shown_name(name), shown)


class CheckPathTests(SynchronousTestCase):
    def complaint(self, path: bytes) -> str:
        return str(self.assertRaises(ConfigurationError, check_path, path))

    def test_limit_is_the_system_s(self) -> None:
        """X5: the longest one can be bound, and one more byte can not."""
        folder = os.fsencode(self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))) + b"/"
        path = folder.ljust(PATH_LIMIT, b"x")
        check_path(path)
        with socket.socket(socket.AF_UNIX) as skt:
            skt.bind(path)
        self.assertTrue(stat.S_ISSOCK(os.lstat(path).st_mode))
        with socket.socket(socket.AF_UNIX) as skt:
            self.assertRaises(OSError, skt.bind, path + b"x")
        self.assertEqual(
            self.complaint(path + b"x"),
            f"its path is {PATH_LIMIT + 1} bytes long, and the limit of this system is {PATH_LIMIT}",
        )

    def test_abstract_name(self) -> None:
        self.patch(sys, "platform", "linux")
        name = b"\0" + b"x" * PATH_LIMIT
        check_path(name)
        self.assertIn(f"is {PATH_LIMIT + 2} bytes long", self.complaint(name + b"x"))

    def test_abstract_names_are_of_linux(self) -> None:
        self.patch(sys, "platform", "freebsd14")
        self.assertIn("only Linux has abstract names", self.complaint(b"\0echo"))

    def test_what_bind_would_misunderstand(self) -> None:
        """Of an empty one, Linux makes an abstract name; at a NUL, it cuts."""
        for name in (b"", b"\0"):
            self.assertIn("missing", self.complaint(name))
        self.assertIn("NUL", self.complaint(b"/tmp/echo\0.sock"))
