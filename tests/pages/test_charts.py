from typing import Any

import altair as alt
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.pages.charts import axis_from_zero, axis_of_times, by_rarity, percentile_axis, rarity, specification
from tests.load.report.reports import NASTY

TIMES = strategies.lists(strategies.integers(1, 60_000_000), min_size=1, max_size=9)


class ValueAxisTests(SynchronousTestCase):
    @given(TIMES)
    def test_times_lie_between_marks(self, times: list[int]) -> None:
        axis = axis_of_times(times, "Latency")
        self.assertTrue(axis.low <= min(times) <= max(times) <= axis.high)
        self.assertLess(axis.low, axis.high)
        self.assertEqual((axis.marks[0], axis.marks[-1]), (axis.low, axis.high))
        self.assertTrue(2 <= len(axis.marks) <= 10, axis.marks)

    @given(TIMES)
    def test_all_values_are_on_it(self, values: list[int]) -> None:
        for make in (axis_from_zero, axis_of_times):
            axis = make(values, "title")
            for value in values:
                self.assertTrue(-1e-9 <= axis.share(value) <= 1 + 1e-9, (axis, value))
                self.assertAlmostEqual(axis.value(axis.share(value)) / value, 1)

    def test_ends(self) -> None:
        axis = axis_of_times([150, 700], "p99 latency")
        self.assertEqual((axis.low, axis.high), (100, 1000))
        self.assertEqual((axis.share(1000), axis.share(100)), (1, 0))
        self.assertEqual(axis_from_zero([10], "Throughput").share(0), 0)

    def test_times_below_a_microsecond(self) -> None:
        self.assertEqual(axis_of_times([0, 0.2], "Latency").marks, [1, 2])

    def test_encoding(self) -> None:
        for make, kind in ((axis_from_zero, None), (axis_of_times, "log")):
            found: Any = make([7.0], "title").encode("time").to_dict()
            self.assertEqual((found["field"], found["title"], found["scale"].get("type")), ("time", "title", kind))


class PercentileAxisTests(SynchronousTestCase):
    def test_the_maximum_stands_where_the_point_before_it_does(self) -> None:
        points = [(percent, round(rare, 6), time) for percent, rare, time in by_rarity([(0, 1), (99, 7), (100, 9)])]
        self.assertEqual(points, [(0, 1.0, 1), (99, 100.0, 7), (100, 100.0, 9)])
        self.assertEqual(list(by_rarity([(100, 9)])), [(100, 1.0, 9)])

    def test_marks_up_to_the_rarest(self) -> None:
        found: Any = percentile_axis("rare", rarity(99.5)).to_dict()
        self.assertEqual([round(mark, 6) for mark in found["axis"]["values"]], [2, 4, 10, 100])
        self.assertIn("'p99.99'", found["axis"]["labelExpr"])

    def test_one_value(self) -> None:
        found: Any = percentile_axis("rare", 1.0).to_dict()
        self.assertEqual(found["scale"]["domain"], [1, 2])


class SpecificationTests(SynchronousTestCase):
    def test_names_that_no_picture_can_hold(self) -> None:
        """A control character, or half a pair of surrogates, would end the process that draws it."""
        chart = alt.Chart(alt.Data(values=[{"x": 1, "name": f"{NASTY}\udcff"}])).mark_text().encode(text="name:N")
        found = specification(chart)
        [row] = found["data"]["values"]
        self.assertEqual(row["name"], "</svg><script>document.title='harmed'</script>[bold]\\x1b[31m\\r\\n\\xff")

    def test_the_theme_is_that_of_all(self) -> None:
        chart = alt.Chart(alt.Data(values=[])).mark_text()
        for each in (chart, alt.vconcat(chart, chart), alt.layer(chart)):
            self.assertEqual(specification(each)["config"]["legend"]["orient"], "top")
