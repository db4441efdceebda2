from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.analysis.measures import THROUGHPUT
from echoproto.compare.report.pictures.charts import color, from_zero
from echoproto.compare.report.pictures.curves import over_axis, spectrum
from echoproto.compare.report.pictures.rows import medians
from echoproto.compare.results import Cell
from tests.compare.report.pictures.drawing import texts
from tests.compare.runs import CELLS, TRUTHS, changed, run


class OverAxisTests(SynchronousTestCase):
    def test_each_line_has_its_name_and_each_place_its_value(self) -> None:
        rows = medians(judge(run()), CELLS, THROUGHPUT)
        scale = from_zero([row["high"] for row in rows], "echoes a second")
        found = texts(over_axis(rows, "idle", scale, color(run().contestants), 0))
        for text in (*TRUTHS, "0", "100", "1,000", "10,000", "echoes a second", "160,000"):
            self.assertIn(text, found)


class SpectrumTests(SynchronousTestCase):
    def test_at_both_ends_of_the_axis(self) -> None:
        found = texts(spectrum(judge(run())))
        self.assertIn("50 connections, 64B", found)
        self.assertIn("50 connections, 64B, 10,000 idle", found)
        self.assertEqual((found.count("echo-epoll"), found.count("echo-select")), (2, 1))
        self.assertEqual((found.count("p50"), found.count("p99.9"), found.count("p99.99")), (2, 2, 2))
        self.assertEqual(found.count("service time"), 2)

    def test_where_a_rate_is_set(self) -> None:
        found = texts(spectrum(judge(run(cells=[Cell(), Cell(size=7), Cell(rate=2_000.0)], rounds=2))))
        self.assertIn("50 connections, 64B, 2,000/s", found)
        self.assertEqual((found.count("service time"), found.count("response time")), (2, 1))

    def test_without_any(self) -> None:
        results = run(cells=[Cell()], rounds=2)
        self.assertIsNone(
            spectrum(judge(evolve(results, samples=tuple(evolve(each, spectrum=()) for each in results.samples))))
        )

    def test_one_that_failed_has_no_line(self) -> None:
        """Nor if the round that failed has no times, and the others have."""
        results = run(cells=[Cell()])
        self.assertNotIn("threads", texts(spectrum(judge(changed(results, "threads", verdict="lost")))))
        first, *others = results.of("threads", Cell())
        rest = (each for each in results.samples if each.contestant != "threads")
        samples = (evolve(first, verdict="lost", spectrum=()), *others, *rest)
        self.assertNotIn("threads", texts(spectrum(judge(evolve(results, samples=samples)))))

    def test_all_the_same(self) -> None:
        results = run({"one": TRUTHS["threads"]}, [Cell()], rounds=1, baseline="one")
        results = changed(results, "one", spectrum=[(0.0, 0), (100.0, 0)])
        self.assertIn("one", texts(spectrum(judge(results))))
