import os
import stat
import subprocess
import sys
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.load.outputs import STANDARD_OUTPUT, check, named, save, why_not


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
        self.assertEqual(self.complaint(json=there), f"--json {there}: is there already; --overwrite replaces it")
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
            "import resource, signal, sys; from echoproto.load.outputs import save; "
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
