"""Files and exit statuses of the installed commands when output can't be printed, or files are there already."""

import json
import os
import subprocess

from echoproto.compare.results import Cell, document
from tests.compare.runs import TRUTHS, run
from tests.integration.twistd import TwistdCase, script
from tests.test_console import UNWRITABLE

SHORT = ("--count", "8", "--warmup", "0", "--connections", "2")
FEW = {name: TRUTHS[name] for name in ("echo-epoll", "twisted-epoll")}
HEAD = "| head -n 1 >/dev/null"
"""A reader that has seen enough after one line."""


class OutputsCase(TwistdCase):
    def setUp(self) -> None:
        super().setUp()
        self.place = self.folder()

    def shell(
        self, *words: str, streams: str = "", status: int = 0, encoding: str = "utf-8", drawn: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the command with its streams redirected as a shell does."""
        environment = {**(os.environ if drawn else self.without_pictures()), "PYTHONIOENCODING": encoding}
        shell = ("bash", "-o", "pipefail", "-c", f'"$0" "$@" {streams}')
        ended = self.run_to_end(*shell, script("echoproto"), *words, cwd=self.place, env=environment)
        self.assertNotIn("Traceback", ended.stderr)
        self.assertEqual(ended.returncode, status, ended)
        return ended

    def taken(self) -> set[str]:
        """Remove and return the files left behind."""
        names = os.listdir(self.place)
        for name in names:
            os.unlink(os.path.join(self.place, name))
        return set(names)


class LoadTests(OutputsCase):
    def setUp(self) -> None:
        super().setUp()
        server = self.serve("--log-connections", "off")
        self.words = ("load", f"tcp:127.0.0.1:{server.port}", *SHORT)

    def test_descriptors_by_name(self) -> None:
        """Standard error holds the report alone; what a shell has opened is added to, and not cut off."""
        for name in ("/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"):
            self.assertEqual(json.loads(self.shell(*self.words, "--json", name).stderr)["exit_status"], 0)
        self.shell(*self.words, "--json", "/dev/fd/3", streams="3>>kept; printf x >>kept")
        self.shell(*self.words, "--json", "/dev/fd/3", streams="3>>kept")
        with open(os.path.join(self.place, "kept"), encoding="utf-8") as file:
            self.assertEqual(file.read().count('"exit_status": 0'), 2)
        self.assertIn("it is not open", self.shell(*self.words, "--json", "/dev/fd/9", status=2).stderr)

    def test_output_that_can_not_be_printed(self) -> None:
        """The files are there all the same; also if standard output was to have one of them."""
        for streams, why in UNWRITABLE.items():
            for words, left in (
                (("--json", "json", "--html", "html"), {"html"}),
                (("--json", "-", "--hgrm", "json"), ()),
            ):
                ended = self.shell(*self.words, *words, streams=streams, status=2)
                last = ended.stderr.splitlines()[-1]
                self.assertEqual(last, f"Error: can't write to standard output: {why}")
                self.assertEqual(self.taken(), {"json", *left})

    def test_a_reader_that_has_seen_enough(self) -> None:
        for words in ((), ("--json", "-")):
            self.assertNotIn("Error", self.shell(*self.words, *words, "--hgrm", "hgrm", streams=HEAD).stderr)
            self.assertEqual(self.taken(), {"hgrm"})

    def test_an_output_without_the_letters(self) -> None:
        ended = self.shell(*self.words, "--json", "json", encoding="ascii")
        self.assertIn(" us ", ended.stdout.replace(" ms ", " us "))
        self.assertEqual(self.taken(), {"json"})
        page = self.shell(*self.words, "--html", "/dev/stdout", encoding="ascii").stdout
        self.assertTrue(page.startswith("<!doctype html>"), page[:99])
        self.assertIn("µs", page)

    def test_errors_that_can_not_be_printed(self) -> None:
        for streams in UNWRITABLE:
            self.assertIn("good: ", self.shell(*self.words, streams=f"2{streams}").stdout)

    def test_files_that_are_there(self) -> None:
        """They stay, and nothing is sent."""
        with open(os.path.join(self.place, "x"), "w", encoding="ascii") as file:
            file.write("mine")
        for option in ("--json", "--html", "--hgrm"):
            ended = self.shell(*self.words, option, "x", status=2)
            self.assertEqual(ended.stderr, f"Error: {option} x: already exists; replace it with --overwrite\n")
        self.assertEqual(os.stat(os.path.join(self.place, "x")).st_size, 4)
        self.shell(*self.words, "--json", "x", "--overwrite", "--quiet")
        self.assertGreater(os.stat(os.path.join(self.place, "x")).st_size, 4)
        ended = self.shell(*self.words, "--json", "x", "--html", "./x", status=2)
        self.assertEqual(ended.stderr, "Error: --json and --html both write to ./x: give each a file of its own\n")


class ReportTests(OutputsCase):
    def setUp(self) -> None:
        super().setUp()
        self.results = os.path.join(self.folder(), "results.json")
        with open(self.results, "w", encoding="utf-8") as file:
            json.dump(document(run(FEW, [Cell()], rounds=5)), file)

    def left(self) -> set[str]:
        return set(os.listdir(os.path.join(self.place, "out")))

    def test_output_that_can_not_be_printed(self) -> None:
        streams, why = list(UNWRITABLE.items())[-1]
        ended = self.shell("report", self.results, "--output", "out", streams=streams, status=2)
        self.assertEqual(ended.stderr, f"Error: can't write to standard output: {why}\n")
        self.assertLessEqual({"results.json", "report.html", "matrix.svg"}, self.left())
        ended = self.shell("report", self.results, "--output", "out", status=2)
        there = "Error: --output out: results.json already exists; replace it with --overwrite\n"
        self.assertEqual(ended.stderr, there)
        self.assertEqual(self.shell("report", "out", streams=HEAD).stderr, "")
        ended = self.shell("report", self.results, "--output", "out", "--overwrite", encoding="ascii", drawn=False)
        self.assertRegex(ended.stdout, r"\d us\b")

    def test_a_comparison_into_the_same_folder(self) -> None:
        """It is refused before anything is measured, for the first file that would be lost."""
        os.mkdir(os.path.join(self.place, "out"))
        for name in ("matrix.png", "report.html"):
            with open(os.path.join(self.place, "out", name), "w", encoding="ascii"):
                pass
            ended = self.shell("compare", "--output", "out", status=2)
            self.assertEqual(ended.stderr, f"Error: --output out: {name} already exists; replace it with --overwrite\n")
