from typing import Any

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.report.pictures.charts import (
    GROUPS,
    HEIGHT,
    LINE,
    UNKNOWN,
    Scale,
    beside,
    color,
    from_zero,
    of_times,
)
from echoproto.compare.results import Contestant

VALUES = strategies.lists(strategies.integers(1, 60_000_000), min_size=1, max_size=9)


class ScaleTests(SynchronousTestCase):
    @given(VALUES)
    def test_all_values_are_on_it(self, values: list[int]) -> None:
        for make in (from_zero, of_times):
            scale = make(values, "title")
            for value in values:
                self.assertTrue(-1e-6 <= scale.pixels(value) <= HEIGHT * 1.01, (scale, value))
                self.assertAlmostEqual(scale.value(scale.pixels(value)) / value, 1)

    def test_ends(self) -> None:
        scale = of_times([150, 700], "p99")
        self.assertEqual((scale.low, scale.high), (100, 1000))
        self.assertEqual((scale.pixels(1000), scale.pixels(100)), (0, HEIGHT))
        self.assertEqual(from_zero([10], "echoes").pixels(0), HEIGHT)

    def test_title(self) -> None:
        for make in (from_zero, of_times):
            self.assertEqual(make([1.0], "title").options["axis"]["title"], "title")


class BesideTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scale: Scale = from_zero([100], "")

    def test_names_do_not_lie_on_each_other(self) -> None:
        ends = [{"x": "1", "value": value} for value in (50, 51, 52)]
        labels = [self.scale.pixels(row["label"]) for row in beside(ends, self.scale)]
        self.assertAlmostEqual(labels[0] - labels[1], LINE)
        self.assertAlmostEqual(labels[1] - labels[2], LINE)

    def test_those_at_other_places_are_not_in_their_way(self) -> None:
        ends = [{"x": str(value), "value": value} for value in (50, 51)]
        for row in beside(ends, self.scale):
            self.assertAlmostEqual(row["label"], row["value"])


class ColorTests(SynchronousTestCase):
    def test_those_that_there_are(self) -> None:
        made: Any = color([Contestant(group, group, ()) for group in ("uvloop", "twisted", "uvloop")]).to_dict()
        self.assertEqual(made["scale"]["domain"], ["twisted", "uvloop"])
        self.assertEqual(made["scale"]["range"], [GROUPS["twisted"], GROUPS["uvloop"]])

    def test_those_of_a_later_version(self) -> None:
        made: Any = color([Contestant(group, group, ()) for group in ("go", "twisted")]).to_dict()
        self.assertEqual(made["scale"]["domain"], ["twisted", "go"])
        self.assertEqual(made["scale"]["range"], [GROUPS["twisted"], UNKNOWN])
