from itertools import pairwise

from attrs import evolve
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.report.pictures.lines import HEIGHT, LINE_HEIGHT, beside, distribution, over_axis, spread
from echoproto.compare.report.pictures.rows import THROUGHPUT, color, medians
from echoproto.compare.results import Cell
from echoproto.pages.charts import axis_from_zero
from tests.compare.report.pictures.drawing import texts
from tests.compare.runs import CELLS, TRUTHS, changed, run

PLACES = strategies.lists(strategies.floats(0, 300), max_size=20)


class OverAxisTests(SynchronousTestCase):
    def test_each_line_has_its_name_and_each_place_its_value(self) -> None:
        rows = medians(judge(run()), CELLS, THROUGHPUT, "idle")
        axis = axis_from_zero([row["high"] for row in rows], "Echoes per second")
        found = texts(over_axis(rows, "idle", axis, color(run().contestants), 0))
        for text in (*TRUTHS, "0", "100", "1,000", "10,000", "Idle connections", "Echoes per second", "160,000"):
            self.assertIn(text, found)


class DistributionTests(SynchronousTestCase):
    def test_at_both_ends_of_the_axis(self) -> None:
        found = texts(distribution(judge(run())))
        self.assertIn("50 connections, 64B", found)
        self.assertIn("50 connections, 64B, 10,000 idle", found)
        self.assertEqual((found.count("echo-epoll"), found.count("echo-select")), (2, 1))
        self.assertEqual((found.count("p50"), found.count("p99.9"), found.count("p99.99")), (2, 2, 2))
        self.assertEqual(found.count("Latency (service time)"), 2)

    def test_where_a_rate_is_set(self) -> None:
        found = texts(distribution(judge(run(cells=[Cell(), Cell(size_bytes=7), Cell(rate=2_000.0)], rounds=2))))
        self.assertIn("50 connections, 64B, 2,000/s", found)
        self.assertEqual((found.count("Latency (service time)"), found.count("Latency (response time)")), (2, 1))

    def test_without_any(self) -> None:
        results = run(cells=[Cell()], rounds=2)
        self.assertIsNone(
            distribution(judge(evolve(results, samples=tuple(evolve(each, spectrum=()) for each in results.samples))))
        )

    def test_one_that_failed_has_no_line(self) -> None:
        """Nor if the round that failed has no times, and the others have."""
        results = run(cells=[Cell()])
        self.assertNotIn("threads", texts(distribution(judge(changed(results, "threads", verdict="lost")))))
        first, *others = results.of("threads", Cell())
        rest = (each for each in results.samples if each.contestant != "threads")
        samples = (evolve(first, verdict="lost", spectrum=()), *others, *rest)
        self.assertNotIn("threads", texts(distribution(judge(evolve(results, samples=samples)))))

    def test_all_the_same(self) -> None:
        results = run({"one": TRUTHS["threads"]}, [Cell()], rounds=1, baseline="one")
        results = changed(results, "one", spectrum=[(0.0, 0), (100.0, 0)])
        self.assertIn("one", texts(distribution(judge(results))))


class BesideTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.axis = axis_from_zero([100], "")

    def test_names_do_not_lie_on_each_other(self) -> None:
        ends = [{"x": "1", "value": value} for value in (50, 51, 52)]
        heights = [HEIGHT * self.axis.share(row["label"]) for row in beside(ends, self.axis)]
        for lower, higher in pairwise(heights):
            self.assertAlmostEqual(higher - lower, LINE_HEIGHT)

    def test_names_at_other_places_are_not_in_their_way(self) -> None:
        for row in beside([{"x": str(value), "value": value} for value in (50, 51)], self.axis):
            self.assertAlmostEqual(row["label"], row["value"])


class SpreadTests(SynchronousTestCase):
    @given(PLACES)
    def test_none_lies_on_another(self, wanted: list[float]) -> None:
        placed = sorted(spread(wanted, 15, 0, 300))
        for before, after in pairwise(placed):
            self.assertGreaterEqual(after - before, 15 - 1e-6)

    @given(PLACES)
    def test_the_order_stays(self, wanted: list[float]) -> None:
        placed = spread(wanted, 15, 0, 300)
        for one, other in pairwise(wanted):
            if one != other:
                index = wanted.index(one), wanted.index(other)
                self.assertEqual(one < other, placed[index[0]] < placed[index[1]])

    @given(PLACES)
    def test_they_stay_within(self, wanted: list[float]) -> None:
        for place in spread(wanted, 15, 0, 300):
            self.assertTrue(-1e-6 <= place <= 300 + 1e-6)

    def test_those_far_apart_stay(self) -> None:
        self.assertEqual(spread([200, 10, 100], 15, 0, 300), [200, 10, 100])

    def test_those_that_touch_move_as_little_as_it_takes(self) -> None:
        self.assertEqual(spread([100, 100, 101], 10, 0, 300), [90 + 1 / 3, 100 + 1 / 3, 110 + 1 / 3])

    def test_more_than_there_is_room_for(self) -> None:
        self.assertEqual(spread([5, 5, 5], 15, 0, 20), [0, 15, 30])
