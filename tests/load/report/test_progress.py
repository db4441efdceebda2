import io

from attrs import evolve
from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.processes import ProgressReport
from echoproto.load.report.progress import LoadProgress, Pace, figures, share_done
from echoproto.load.workload import Target, Transport, Workload
from echoproto.progress import LINE_SECONDS, Board, Lines, Progress, State, panel
from tests.load.report.reports import WORKLOAD, histogram

ONE = ProgressReport(100, 0, 1.0, histogram(1, 1, 1, 5))
TWO = ProgressReport(350, 2, 2.0, histogram(2))


class PaceTests(SynchronousTestCase):
    def test_between_the_last_two(self) -> None:
        pace = Pace()
        self.assertIsNone(pace.rate)
        pace.see(ONE)
        self.assertEqual(pace.rate, 100)
        pace.see(TWO)
        pace.see(TWO)
        self.assertEqual(pace.rate, 250)

    def test_another_run_begins_anew(self) -> None:
        pace = Pace()
        pace.see(TWO)
        pace.see(ProgressReport())
        self.assertIsNone(pace.rate)
        pace.see(ONE)
        self.assertEqual(pace.rate, 100)

    def test_share_done(self) -> None:
        self.assertEqual(share_done(WORKLOAD, ONE), 0.1)
        self.assertEqual(share_done(evolve(WORKLOAD, count=200, duration=None), ONE), 0.5)
        self.assertEqual(share_done(evolve(WORKLOAD, duration=1.5), TWO), 1)


class LinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = io.StringIO()
        self.lines = Lines(Console(file=self.file, width=80))

    def test_a_line_now_and_then(self) -> None:
        with self.lines:
            shown = LoadProgress(WORKLOAD, "", self.lines)
            shown.begin()
            for elapsed in (0, 1, LINE_SECONDS, 6, 7, 10, 10):
                shown.see(evolve(ONE, elapsed=elapsed, messages=int(50 * elapsed)))
        self.assertEqual(
            self.file.getvalue().splitlines(),
            [
                "tcp:127.0.0.1:8888: running",
                "5 s: echoes/s 50, echoes 250, p50 1 ms, p99 5 ms, errors 0",
                "10 s: echoes/s 50, echoes 500, p50 1 ms, p99 5 ms, errors 0",
            ],
        )

    def test_what_a_run_is_for(self) -> None:
        LoadProgress(WORKLOAD, "trying 1,000/s", self.lines).begin()
        self.assertEqual(self.file.getvalue(), "tcp:127.0.0.1:8888: trying 1,000/s\n")


class PanelTests(SynchronousTestCase):
    def shown(self, what: str, report: ProgressReport, *, width: int = 80, workload: Workload = WORKLOAD) -> str:
        board = Board(Console(file=io.StringIO()))
        progress = LoadProgress(workload, what, board)
        progress.begin()
        progress.see(report)
        console = Console(file=io.StringIO(), width=width, record=True)
        console.print(board)
        return console.export_text()

    def test_figures(self) -> None:
        text = self.shown("", ONE)
        for part in ("tcp:127.0.0.1:8888", "running", "echoes/s", "100", "p50", "1 ms", "p99", "5 ms", "errors", "0"):
            self.assertIn(part, text)

    def test_before_anything_has_come(self) -> None:
        self.assertIn("warming up", self.shown("", ProgressReport()))
        self.assertEqual(dict(figures(ProgressReport(), Pace()))["p99"], "-")

    def test_a_step_of_a_search(self) -> None:
        lines = self.shown("trying 1,000/s", ONE).splitlines()
        self.assertEqual(len(lines), 6)
        self.assertTrue(lines[2].startswith("│ trying 1,000/s "), lines)

    def test_narrow_terminals(self) -> None:
        """Nothing is cut: neither figures nor the target, which is no markup."""
        path = "/run/[bold]a/rather/long/path/of/a/socket/for/[/nope]/echoes.sock"
        workload = evolve(WORKLOAD, target=Target(Transport.UNIX, path=path))
        for width in (40, 60):
            text = self.shown("trying 1,000/s for 5 s, 500/s held", evolve(ONE, messages=12345678), width=width)
            for part in ("12,345,678", "1 ms", "5 ms", "errors", "trying 1,000/s for 5 s", "held"):
                self.assertIn(part, text)
            text = self.shown("", ONE, width=width, workload=workload)
            self.assertIn(f"unix:{path}", "".join(line[2:-2].rstrip() for line in text.splitlines()))

    def test_at_a_terminal_it_is_drawn_and_removed(self) -> None:
        file = io.StringIO()
        with Board(Console(file=file, width=80, height=30, force_terminal=True)) as board:
            shown = LoadProgress(WORKLOAD, "", board)
            shown.begin()
            shown.see(ONE)
        text = file.getvalue()
        self.assertIn("echoes/s", text)
        self.assertTrue(text.endswith("\x1b[2K"), repr(text[-40:]))

    def test_errors_are_red(self) -> None:
        for errors, style in ((0, "bold"), (2, "bold red")):
            report = evolve(ONE, errors=errors)
            console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
            with console.capture() as captured:
                console.print(panel("", State(what="", figures=figures(report, Pace()))))
            self.assertEqual("\x1b[1;31m" in captured.get(), style == "bold red")

    def test_nothing(self) -> None:
        with Progress() as progress:
            LoadProgress(WORKLOAD, "", progress).begin()
        self.assertIsNone(progress.interval)
