import os
import stat
import subprocess
import sys
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, OutputError
from echoproto.host.files import (
    STANDARD_OUTPUT,
    check,
    check_folder,
    check_kept,
    descriptor_of,
    named,
    read_text,
    save,
    save_whole,
    unused,
    why_not,
)


class OutputsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)

    def at(self, name: str, content: str | None = None) -> str:
        """A path in the folder; of a file, if it has a content."""
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
        return path


class ReasonTests(OutputsCase):
    def test_what_can_be_written(self) -> None:
        """And is left as it is, or left out."""
        there, pipe = self.at("there", "kept"), self.at("pipe")
        os.mkfifo(pipe)
        os.symlink("new", self.at("link"))
        for path in (there, self.at("new"), self.at("link"), pipe, os.devnull):
            self.assertEqual(why_not(path), "", path)
        self.assertEqual(sorted(os.listdir(self.folder)), ["link", "pipe", "there"])
        self.assertEqual(os.stat(there).st_size, 4)

    def test_why_it_can_not(self) -> None:
        there = self.at("there", "")
        for path, why in (
            (self.folder, "it is a folder"),
            (self.at("no/x"), f"there is no folder {self.at('no')}"),
            (f"{there}/x", "Not a directory"),
            (self.at("x" * 999), "File name too long"),
        ):
            self.assertEqual(why_not(path), why)

    def test_what_is_not_allowed(self) -> None:
        """For users other than root, who may do everything."""
        there = self.at("there", "")
        with patch.object(os, "open", side_effect=PermissionError(13, "Permission denied")):
            for path in (there, self.at("new")):
                self.assertEqual(why_not(path), "Permission denied")


class CheckTests(OutputsCase):
    def complaint(self, *, overwrite: bool = False, **paths: str) -> str:
        outputs = {f"--{name}": path for name, path in paths.items()}
        return str(self.assertRaises(ConfigurationError, check, outputs, overwrite=overwrite))

    def test_nothing_is_lost(self) -> None:
        there = self.at("there", "")
        self.assertEqual(self.complaint(json=there), f"--json {there}: already exists; replace it with --overwrite")
        check({"--json": there, "--html": self.at("new"), "--hgrm": None}, overwrite=True)

    def test_devices_are_no_results(self) -> None:
        check({"--json": os.devnull, "--html": os.devnull}, overwrite=False)

    def test_two_outputs_of_one_name(self) -> None:
        there = self.at("there", "")
        os.link(there, self.at("same"))
        os.symlink(there, self.at("link"))
        for one, other in (
            (self.at("new"), self.at("new")),
            (self.at("new"), self.at("../" + os.path.basename(self.folder) + "/new")),
            (there, self.at("same")),
            (there, self.at("link")),
            (STANDARD_OUTPUT, STANDARD_OUTPUT),
        ):
            told = self.complaint(overwrite=True, json=one, html=other)
            self.assertEqual(told, f"--json and --html both write to {other}: give each a file of its own")

    def test_standard_output_by_another_name(self) -> None:
        self.assertEqual([named(path) for path in ("/dev/stdout", "-", "x", None)], ["-", "-", "x", None])


class SaveTests(OutputsCase):
    def content(self, path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    def test_new_and_in_place_of_another(self) -> None:
        for path in (self.at("new"), self.at("there", "a longer one")):
            self.assertEqual(save(path, b"data"), "")
            self.assertEqual(self.content(path), b"data")
        os.chmod(self.at("there"), 0o600)
        self.assertEqual(save(self.at("there"), b""), "")
        self.assertEqual(stat.S_IMODE(os.stat(self.at("there")).st_mode), 0o600)

    def test_what_is_full(self) -> None:
        self.assertEqual(save("/dev/full", b"data"), "No space left on device")
        self.assertTrue(os.path.exists("/dev/full"))

    def test_half_a_file_is_none(self) -> None:
        path = self.at("new")
        script = (
            "import resource, signal, sys; from echoproto.host.files import save; "
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9)); "
            "print(save(sys.argv[1], b'x' * 10))"
        )
        told = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
        self.assertEqual(told.stdout, "File too large\n")
        self.assertFalse(os.path.exists(path))

    def test_a_pipe_without_a_reader_is_not_waited_for(self) -> None:
        pipe = self.at("pipe")
        os.mkfifo(pipe)
        self.assertEqual(save(pipe, b"data"), "No such device or address")
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.assertEqual(save(pipe, b"data"), "")
        self.assertEqual(os.read(reader, 99), b"data")


class DescriptorTests(OutputsCase):
    def test_names(self) -> None:
        for path, descriptor in (
            ("/dev/stdin", 0),
            ("/dev/fd/1", 1),
            ("/proc/self/fd/2", 2),
            ("/dev/stderr", 2),
            ("/dev/fd/63", 63),
            ("/dev/fd/x", None),
            ("/dev/fd/", None),
            ("stderr", None),
        ):
            self.assertEqual(descriptor_of(path), descriptor, path)

    def test_a_file_that_a_shell_has_opened(self) -> None:
        """As by 3>>file: it may be there, and keeps what it holds."""
        with open(self.at("there", "old "), "a", encoding="ascii") as file:
            path = f"/dev/fd/{file.fileno()}"
            check({"--json": path}, overwrite=False)
            self.assertEqual((why_not(path), save(path, b"new")), ("", ""))
            self.assertIn(
                "both write to",
                str(self.assertRaises(ConfigurationError, check, {"a": path, "b": file.name}, overwrite=True)),
            )
        with open(self.at("there"), encoding="ascii") as file:
            self.assertEqual(file.read(), "old new")
            self.assertEqual(why_not(f"/dev/fd/{file.fileno()}"), "it is open for reading only")
        self.assertEqual(why_not("/dev/fd/987"), "it is not open")


NAMES = ("results.json", "report.html")


class FolderTests(OutputsCase):
    def complaint(self) -> str:
        return str(self.assertRaises(ConfigurationError, check_kept, self.folder, NAMES))

    def test_nothing_is_lost(self) -> None:
        """None of the files that are written may be there; others may."""
        check_kept(f"{self.folder}/x", NAMES)
        save_whole(self.folder, "notes.txt", "mine")
        check_kept(self.folder, NAMES)
        for name in NAMES:
            save_whole(self.folder, name, b"")
            told = f"--output {self.folder}: {name} already exists; replace it with --overwrite"
            self.assertEqual(self.complaint(), told)
            os.unlink(os.path.join(self.folder, name))

    def test_a_file_is_whole_or_as_it_was(self) -> None:
        save_whole(self.folder, "x", "old")
        os.mkdir(os.path.join(self.folder, "x.new"))
        error = self.assertRaises(OutputError, save_whole, self.folder, "x", "new")
        self.assertEqual(str(error), f"{self.folder}/x: can't be written: Is a directory")
        with open(os.path.join(self.folder, "x"), encoding="ascii") as file:
            self.assertEqual(file.read(), "old")

    def test_why_it_can_not_be_one(self) -> None:
        save_whole(self.folder, "file", "")
        path = os.path.join(self.folder, "file")
        error = self.assertRaises(ConfigurationError, check_folder, path)
        self.assertEqual(str(error), f"--output {path}: can't be made: it is a file")
        self.assertIn("names no folder", str(self.assertRaises(ConfigurationError, check_folder, "")))
        check_folder(os.path.join(self.folder, "a", "b"))
        self.assertEqual(os.listdir(os.path.join(self.folder, "a", "b")), [])

    def test_a_name_that_is_not_taken(self) -> None:
        os.rmdir(self.folder)
        self.assertEqual(unused(self.folder), self.folder)
        for number in (2, 3):
            os.mkdir(unused(self.folder))
            self.assertEqual(unused(self.folder), f"{self.folder}-{number}")


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
