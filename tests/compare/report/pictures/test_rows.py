from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.report.pictures.rows import (
    COLORS,
    MEMORY,
    THROUGHPUT,
    UNKNOWN_COLOR,
    color,
    ends_of_the_axis,
    medians,
)
from echoproto.compare.results import Cell, Contestant
from tests.compare.runs import CELLS, TRUTHS, changed, run


class MediansTests(SynchronousTestCase):
    def test_a_row_for_each_that_has_figures(self) -> None:
        rows = medians(judge(run()), CELLS, THROUGHPUT)
        self.assertEqual(len(rows), 4 * len(TRUTHS) - 3)
        self.assertEqual({row["contestant"] for row in rows}, set(TRUTHS))
        show = THROUGHPUT.measure.show
        for row in rows:
            self.assertTrue(row["low"] <= row["value"] <= row["high"])
            self.assertEqual(row["median"], show(row["value"]))
            self.assertEqual(row["rounds"], f"{show(row['low'])} to {show(row['high'])}")

    def test_what_failed_or_was_not_measured_has_none(self) -> None:
        for changes in ({"verdict": "lost"}, {"echoes_per_second": 0.0}):
            rows = medians(judge(changed(run(cells=[Cell()]), "threads", **changes)), [Cell()], THROUGHPUT)
            self.assertNotIn("threads", {row["contestant"] for row in rows})

    def test_in_the_unit_of_the_axis(self) -> None:
        first, *_ = medians(judge(run()), CELLS[-1:], MEMORY)
        self.assertEqual((first["median"], round(first["value"], 2)), ("2.4 KiB", 2.44))

    def test_along_a_setting(self) -> None:
        figures = judge(run(rounds=2))
        self.assertEqual({row["x"] for row in medians(figures, CELLS, THROUGHPUT)}, {None})
        places = list(dict.fromkeys(row["x"] for row in medians(figures, CELLS, THROUGHPUT, "idle")))
        self.assertEqual(places, ["0", "100", "1,000", "10,000"])


class EndsTests(SynchronousTestCase):
    def test_ends_of_the_axis(self) -> None:
        self.assertEqual(ends_of_the_axis(CELLS), (CELLS[0], CELLS[-1]))

    def test_no_axis(self) -> None:
        cells = (Cell(churn="fin"), Cell(churn="reset"))
        self.assertEqual(ends_of_the_axis(cells), cells[:1])


class ColorTests(SynchronousTestCase):
    def made(self, *groups: str) -> Any:
        return color([Contestant(group, group, ()) for group in groups]).to_dict()

    def test_groups_that_there_are(self) -> None:
        made = self.made("uvloop", "twisted", "uvloop")
        self.assertEqual(made["scale"]["domain"], ["twisted", "uvloop"])
        self.assertEqual(made["scale"]["range"], [COLORS["twisted"], COLORS["uvloop"]])
        self.assertEqual(made["title"], "Implementation")

    def test_groups_of_a_later_version(self) -> None:
        made = self.made("go", "twisted")
        self.assertEqual(made["scale"]["domain"], ["twisted", "go"])
        self.assertEqual(made["scale"]["range"], [COLORS["twisted"], UNKNOWN_COLOR])
