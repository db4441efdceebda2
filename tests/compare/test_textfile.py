import os
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.textfile import read_text
from echoproto.errors import ConfigurationError

MIB = 1 << 20


class ReadTests(SynchronousTestCase):
    def file(self, content: bytes) -> str:
        path = str(self.mktemp())
        with open(path, "wb") as file:
            file.write(content)
        return path

    def test_text(self) -> None:
        """With the mark that some editors put before it, or without."""
        self.assertEqual(read_text(self.file("é\n".encode()), MIB), "é\n")
        self.assertEqual(read_text(self.file("é\n".encode("utf-8-sig")), MIB), "é\n")

    def test_what_is_no_text(self) -> None:
        error = self.assertRaises(ValueError, read_text, self.file(b"\xff"), MIB)
        self.assertEqual(str(error), "it is not UTF-8 text")

    def test_what_is_no_file(self) -> None:
        self.assertRaises(FileNotFoundError, read_text, self.mktemp(), MIB)
        self.assertRaises(IsADirectoryError, read_text, os.path.dirname(__file__), MIB)

    def test_what_is_too_large(self) -> None:
        """Also where a file tells another size than it has, and without reading all of it."""
        self.assertEqual(len(read_text(self.file(b"#" * MIB), MIB)), MIB)
        endless = self.file(b"")
        os.truncate(endless, 1 << 40)
        for path in (self.file(b"#" * (MIB + 1)), endless, "/dev/zero"):
            error = self.assertRaises(ConfigurationError, read_text, path, MIB)
            self.assertEqual(str(error), f"{path}: is larger than 1 MiB")

    def test_a_pipe(self) -> None:
        """It is read to its end, as that of <(zcat …); a named one without a writer is empty, and not waited for."""
        path = str(self.mktemp())
        os.mkfifo(path)
        self.assertEqual(read_text(path, MIB), "")
        with subprocess.Popen(["printf", "%s", "later"], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            self.assertEqual(read_text(f"/dev/fd/{writer.stdout.fileno()}", MIB), "later")
