import math

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.analysis.measures import CPU, THROUGHPUT
from echoproto.compare.analysis.statistics import Ratio
from echoproto.compare.analysis.verdict import Kind, Verdict
from echoproto.compare.report.pictures.matrix import goodness, matrix
from echoproto.compare.results import Cell, Results
from echoproto.load.verdict import LoadVerdict
from tests.compare.report.pictures.drawing import texts
from tests.compare.report.test_words import MIXED
from tests.compare.runs import TRUTHS, changed, run

CELL = Cell()


def written(results: Results) -> list[str]:
    return texts(matrix(judge(results)))


class MatrixTests(SynchronousTestCase):
    def test_all_cells(self) -> None:
        found = written(run())
        for text in (
            *TRUTHS,
            "none idle",
            "10,000 idle",
            "baseline",
            "not possible",
            "Compared with the baseline",
            "4 × worse",
        ):
            self.assertIn(text, found)
        self.assertEqual(len([text for text in found if text.endswith(" ×")]), 4 * (len(TRUTHS) - 1) - 3)

    def test_names_of_several_lines(self) -> None:
        found = written(run(cells=MIXED))
        for text in ("10 connections", "10KiB", "2,000/s"):
            self.assertIn(text, found)
        self.assertTrue([text for text in found if text.startswith("p99 ")])

    def test_words(self) -> None:
        results = changed(run(cells=[CELL]), "threads", verdict="lost", why="7 bytes lost")
        results = changed(results, "echo-poll", verdict=LoadVerdict.CLIENT_LIMIT)
        found = written(results)
        self.assertIn("failed", found)
        self.assertTrue([text for text in found if text.startswith("CPU ")])
        self.assertTrue([text for text in written(run(cells=[CELL], noise=0.3)) if text.endswith(" × ?")])
        unknown = evolve(results, samples=tuple(evolve(each, server_cpu_us_per_echo=None) for each in results.samples))
        self.assertIn("client-bound", written(unknown))

    def test_the_best_comes_first(self) -> None:
        found = [text for text in written(run()) if text in TRUTHS]
        self.assertEqual((found[0], found[-1]), ("uvloop-protocol", "echo-select"))

    def test_nothing_to_compare(self) -> None:
        results = run({"one": TRUTHS["threads"]}, [CELL], baseline="one")
        self.assertIsNone(matrix(judge(results)))


class GoodnessTests(SynchronousTestCase):
    def test_powers_of_two(self) -> None:
        ratio = Ratio(4.0, 3.9, 4.1, 5)
        self.assertEqual(goodness(Verdict(Kind.DIFFERENT, THROUGHPUT, ratio=ratio)), 2)
        self.assertEqual(goodness(Verdict(Kind.CLIENT_BOUND, CPU, ratio=ratio)), -2)

    def test_without_a_ratio(self) -> None:
        self.assertEqual(goodness(Verdict(Kind.BASELINE, THROUGHPUT)), 0)
        self.assertIsNone(goodness(Verdict(Kind.FAILED, THROUGHPUT)))
        self.assertFalse(math.isnan(goodness(Verdict(Kind.BASELINE, THROUGHPUT)) or 0))
