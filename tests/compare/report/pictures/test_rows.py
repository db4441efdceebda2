from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.analysis.measures import THROUGHPUT
from echoproto.compare.report.pictures.rows import ends_of_the_axis, medians
from echoproto.compare.results import Cell
from tests.compare.runs import CELLS, TRUTHS, changed, run


class MediansTests(SynchronousTestCase):
    def test_a_row_for_each_that_has_figures(self) -> None:
        rows = medians(judge(run()), CELLS, THROUGHPUT)
        self.assertEqual(len(rows), 4 * len(TRUTHS) - 3)
        self.assertEqual({row["contestant"] for row in rows}, set(TRUTHS))
        for row in rows:
            self.assertTrue(row["low"] <= row["value"] <= row["high"])
            self.assertEqual(row["median"], THROUGHPUT.show(row["value"]))
            self.assertEqual(row["rounds"], f"{THROUGHPUT.show(row['low'])} to {THROUGHPUT.show(row['high'])}")

    def test_what_failed_or_was_not_measured_has_none(self) -> None:
        for changes in ({"verdict": "lost"}, {"echoes_per_second": 0.0}):
            rows = medians(judge(changed(run(cells=[Cell()]), "threads", **changes)), [Cell()], THROUGHPUT)
            self.assertNotIn("threads", {row["contestant"] for row in rows})


class EndsTests(SynchronousTestCase):
    def test_ends_of_the_axis(self) -> None:
        self.assertEqual(ends_of_the_axis(CELLS), (CELLS[0], CELLS[-1]))

    def test_no_axis(self) -> None:
        cells = (Cell(churn="fin"), Cell(churn="reset"))
        self.assertEqual(ends_of_the_axis(cells), cells[:1])
