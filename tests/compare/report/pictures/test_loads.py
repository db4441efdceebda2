from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.report.pictures.loads import p99, throughput
from echoproto.compare.results import Cell
from tests.compare.report.pictures.drawing import texts
from tests.compare.report.test_words import MIXED
from tests.compare.runs import run


class LoadsTests(SynchronousTestCase):
    def test_along_an_axis(self) -> None:
        for draw in (throughput, p99):
            found = texts(draw(judge(run())))
            self.assertIn("idle connections, beside those that are busy", found)
            self.assertEqual(found.count("50 connections, 64B"), 1)

    def test_without_one(self) -> None:
        results = run(cells=[Cell(churn="fin"), Cell(churn="reset")])
        for draw in (throughput, p99):
            found = texts(draw(judge(results)))
            self.assertEqual(len([text for text in found if text.endswith(("closed by FIN", "closed by RESET"))]), 2)
            self.assertEqual(found.count("threads"), 2)

    def test_both(self) -> None:
        """And with a rate, throughput says nothing."""
        results = run(cells=MIXED)
        self.assertIn("10 connections, 10KiB", texts(throughput(judge(results))))
        self.assertNotIn("50 connections, 64B, 2,000/s", texts(throughput(judge(results))))
        self.assertIn("50 connections, 64B, 2,000/s", texts(p99(judge(results))))

    def test_only_rates(self) -> None:
        self.assertIsNone(throughput(judge(run(cells=[Cell(rate=1.0)], rounds=1))))

    def test_nothing_was_measured(self) -> None:
        self.assertIsNone(throughput(judge(evolve(run(rounds=1), samples=()))))

    def test_only_one_place_has_figures(self) -> None:
        results = run(rounds=2)
        some = [each for each in results.samples if each.cell.idle == 100]
        self.assertNotIn(
            "idle connections, beside those that are busy",
            texts(throughput(judge(evolve(results, samples=tuple(some))))),
        )
