import json
import os

from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.analysis.regression import changes
from echoproto.compare.report import write
from echoproto.compare.results import Cell, document
from echoproto.errors import ConfigurationError, OutputError
from tests.compare.report.test_table import on_console, output
from tests.compare.runs import run

RESULTS = run(cells=[Cell()], rounds=5)
FIGURES = judge(RESULTS)
NAMES = ("matrix", "throughput", "p99", "spectrum", "cost")


class WriteTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = os.path.join(self.mktemp(), "new")
        self.console = on_console()

    def read(self, name: str) -> bytes:
        with open(os.path.join(self.folder, name), "rb") as file:
            return file.read()

    def test_all_files(self) -> None:
        write.write(FIGURES, self.folder, self.console)
        pictures = [f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")]
        self.assertEqual(sorted(os.listdir(self.folder)), sorted([*pictures, "report.html", "results.json"]))
        self.assertEqual(write.read_file(self.folder), RESULTS)
        for name in NAMES:
            self.assertTrue(self.read(f"{name}.png").startswith(b"\x89PNG"))
            self.assertIn(self.read(f"{name}.svg"), self.read("report.html"))
        self.assertIn("Best choice", output(self.console))

    def test_pictures_of_other_results_are_removed(self) -> None:
        """Not every picture is drawn of each run, nor any without the extra; files of other names stay."""
        os.makedirs(self.folder)
        for name in ("memory.svg", "report.html", "notes.txt"):
            with open(os.path.join(self.folder, name), "wb"):
                pass
        self.patch(write, "find_spec", lambda name: None)
        write.write(FIGURES, self.folder, self.console)
        self.assertEqual(sorted(os.listdir(self.folder)), ["notes.txt", "results.json"])

    def test_what_can_not_be_removed(self) -> None:
        os.makedirs(os.path.join(self.folder, "p99.png"))
        error = self.assertRaises(OutputError, write.write, FIGURES, self.folder, self.console)
        self.assertIn("p99.png: can't be removed: ", str(error))
        self.assertIn("Best choice", output(self.console))

    def test_nothing_but_the_console(self) -> None:
        write.write(FIGURES, None, self.console)
        self.assertIn("Best choice", output(self.console))

    def test_what_has_changed(self) -> None:
        write.write(FIGURES, self.folder, self.console, changes(FIGURES, FIGURES))
        self.assertIn("since the earlier run: 0 of 4", output(self.console))
        self.assertIn(b"since the earlier run: 0 of 4", self.read("report.html"))

    def test_without_the_extra(self) -> None:
        for missing in ("altair", "hdrh", "jinja2", "vl_convert"):
            self.patch(write, "find_spec", lambda name, missing=missing: None if name == missing else object())
            console = on_console()
            write.write(FIGURES, self.folder, console)
            self.assertEqual(os.listdir(self.folder), ["results.json"])
            self.assertIn("pip install 'echoproto[compare]'", output(console))

    def test_what_can_not_be_written(self) -> None:
        os.makedirs(os.path.dirname(self.folder))
        with open(self.folder, "w", encoding="utf-8"):
            pass
        error = self.assertRaises(OutputError, write.write, FIGURES, self.folder, self.console)
        self.assertIn(self.folder, str(error))
        self.assertEqual(error.exit_status, 2, "1 is that of a comparison which has become worse")
        self.assertIn("Best choice", output(self.console))

    def test_the_figures_are_there_if_drawing_fails(self) -> None:
        self.patch(write, "_draw", lambda *arguments: 1 / 0)
        self.assertRaises(ZeroDivisionError, write.write, FIGURES, self.folder, self.console)
        self.assertEqual(os.listdir(self.folder), ["results.json"])


class ReadTests(SynchronousTestCase):
    def test_a_file(self) -> None:
        path = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document(RESULTS), file)
        self.assertEqual(write.read_file(path), RESULTS)

    def test_what_is_none(self) -> None:
        path = self.mktemp()
        self.assertIn(path, str(self.assertRaises(ConfigurationError, write.read_file, path)))
        for text in ("", "[]", '{"schema_version": 7}'):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            self.assertIn(path, str(self.assertRaises(ConfigurationError, write.read_file, path)))

    def test_what_is_no_json(self) -> None:
        path = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write("rounds = 5")
        self.assertIn("not JSON", str(self.assertRaises(ConfigurationError, write.read_file, path)))
