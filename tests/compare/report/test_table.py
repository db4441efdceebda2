import io

from attrs import evolve
from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.analysis.regression import changes
from echoproto.compare.report.advice import advise
from echoproto.compare.report.table import headline, print_changes, print_results
from echoproto.compare.results import NOT_POSSIBLE, Cell, Results
from tests.compare.runs import TRUTHS, changed, run
from tests.load.report.reports import NASTY

CELL = Cell(idle=950)
RESULTS = run(cells=[CELL])


def on_console(*, terminal: bool = False, width: int = 160) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, highlight=False)


def output(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def printed(results: Results, *, terminal: bool = False, width: int = 160) -> str:
    console = on_console(terminal=terminal, width=width)
    figures = judge(results)
    print_results(console, figures, advise(figures))
    return output(console)


class PrintResultsTests(SynchronousTestCase):
    def test_a_row_for_each_contestant_the_best_first(self) -> None:
        lines = printed(RESULTS).splitlines()
        self.assertEqual(
            lines[0], "comparison 'made up': 9 contestants, 7 rounds of 1 s, baseline twisted-epoll, seed 1"
        )
        self.assertEqual(lines[2], "50 connections, 64B, 950 idle")
        rows = [line.split() for line in lines[4 : 4 + len(TRUTHS)]]
        self.assertEqual((rows[0][0], rows[-1][0]), ("uvloop-protocol", "twisted-poll"))
        by_name = {row[0]: row for row in rows}
        self.assertEqual(by_name["twisted-epoll"][-1], "baseline")
        self.assertRegex(
            " ".join(by_name["echo-epoll"]), r"echo-epoll 10\d,\d+ 3\d\d µs 6\d\d µs 9\.\d+ µs 2\.4 KiB 1\.\d\d × "
        )

    def test_narrow_terminals(self) -> None:
        """No figure, unit or name is cut: what does not fit goes to the next line."""
        results = changed(RESULTS, "threads", verdict="failed", why="it is out of memory, and of a long reason as well")
        words = printed(results, width=500).split()
        for width in (40, 60):
            lines = printed(results, width=width).splitlines()
            self.assertLessEqual(max(len(line) for line in lines[1:]), width)
            narrow = " ".join(lines).split()
            self.assertEqual(set(narrow), set(words))
            self.assertEqual(narrow.count("µs"), words.count("µs"))

    def test_with_a_rate_the_earliest_comes_first(self) -> None:
        lines = printed(run(cells=[Cell(rate=1_000.0)])).splitlines()
        self.assertEqual((lines[4].split()[0], lines[12].split()[0]), ("uvloop-protocol", "threads"))

    def test_without_figures(self) -> None:
        text = printed(changed(RESULTS, "threads", verdict=NOT_POSSIBLE, why="it is out of memory"))
        row = next(line for line in text.splitlines() if line.startswith("  threads"))
        self.assertEqual(row.split(maxsplit=1)[1].strip(), "not possible, because it is out of memory")

    def test_unknown_figures(self) -> None:
        results = changed(RESULTS, "threads", server_cpu_us_per_echo=None, idle_rss_bytes=None)
        results = changed(results, "threads", service_time_us={}, echoes_per_second=7.0)
        row = next(line for line in printed(results).splitlines() if line.startswith("  threads"))
        self.assertEqual(row.split()[1], "7")

    def test_words_follow(self) -> None:
        text = printed(RESULTS)
        self.assertIn("\nBest choice\n  50 connections, 64B, 950 idle: uvloop-protocol, ", text)

    def test_partial(self) -> None:
        self.assertIn("(partial)", headline(evolve(RESULTS, partial=True, preset="")))

    def test_what_others_have_written_is_text(self) -> None:
        contestants = tuple(evolve(each, name=NASTY) for each in RESULTS.contestants[:1])
        samples = tuple(evolve(each, contestant=NASTY) for each in RESULTS.of("echo-lean-epoll", CELL))
        results = evolve(RESULTS, contestants=contestants, samples=samples, baseline=NASTY, preset=NASTY)
        failed = changed(results, NASTY, verdict="failed", why=NASTY)
        for text in (printed(results), printed(failed)):
            self.assertIn("[bold]\\x1b[31m\\r\\n", text)
            self.assertNotIn("\x1b", text)
            self.assertNotIn("\r", text)

    def test_colours_at_a_terminal_only(self) -> None:
        shown = changed(RESULTS, "echo-poll", verdict="lost", why="7 bytes lost")
        for style in ("\x1b[32m", "\x1b[31m", "\x1b[1;31m"):
            self.assertIn(style, printed(shown, terminal=True))


class PrintChangesTests(SynchronousTestCase):
    def test_changes(self) -> None:
        truths = {**TRUTHS, "echo-epoll": evolve(TRUTHS["echo-epoll"], rate=50_000)}
        console = on_console()
        print_changes(console, changes(judge(run(truths, [CELL])), judge(RESULTS)))
        self.assertIn("since the earlier run: 1 of 4 worse than is tolerated", output(console))
        self.assertRegex(output(console), r"  echo-epoll +50 connections, 64B, 950 idle +worse: 0\.\d\d × \(0")

    def test_none(self) -> None:
        console = on_console()
        print_changes(console, ())
        self.assertIn("nothing that both runs have measured is to be judged", output(console))
