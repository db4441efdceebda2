import os

from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.folder import NAMES, PICTURES, check_kept, check_writable, save, unused
from echoproto.compare.report.pictures.gallery import TITLES
from echoproto.errors import ConfigurationError, UnavailableError


class FolderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())

    def complaint(self) -> str:
        return str(self.assertRaises(ConfigurationError, check_kept, self.folder))

    def test_all_pictures(self) -> None:
        self.assertEqual(set(PICTURES), set(TITLES))

    def test_nothing_is_lost(self) -> None:
        """None of the files that are written may be there; others may."""
        check_kept(self.folder)
        os.mkdir(self.folder)
        save(self.folder, "notes.txt", "mine")
        check_kept(self.folder)
        for name in NAMES:
            save(self.folder, name, b"")
            told = f"--output {self.folder}: {name} is there already; --overwrite replaces it"
            self.assertEqual(self.complaint(), told)
            os.unlink(os.path.join(self.folder, name))

    def test_a_file_is_whole_or_as_it_was(self) -> None:
        save(self.folder, "x", "old")
        os.mkdir(os.path.join(self.folder, "x.new"))
        error = self.assertRaises(UnavailableError, save, self.folder, "x", "new")
        self.assertEqual(str(error), f"{self.folder}/x: can't be written: Is a directory")
        with open(os.path.join(self.folder, "x"), encoding="ascii") as file:
            self.assertEqual(file.read(), "old")

    def test_why_it_can_not_be_one(self) -> None:
        save(self.folder, "file", "")
        path = os.path.join(self.folder, "file")
        error = self.assertRaises(ConfigurationError, check_writable, path)
        self.assertEqual(str(error), f"--output {path}: can't be made: it is a file")
        self.assertIn("names no folder", str(self.assertRaises(ConfigurationError, check_writable, "")))
        check_writable(os.path.join(self.folder, "a", "b"))
        self.assertEqual(os.listdir(os.path.join(self.folder, "a", "b")), [])

    def test_a_name_that_is_not_taken(self) -> None:
        self.assertEqual(unused(self.folder), self.folder)
        for number in (2, 3):
            os.mkdir(unused(self.folder))
            self.assertEqual(unused(self.folder), f"{self.folder}-{number}")
