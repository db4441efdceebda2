from itertools import pairwise

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.report.pictures.labels import spread

PLACES = strategies.lists(strategies.floats(0, 300), max_size=20)


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
