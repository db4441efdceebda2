from itertools import islice

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.schedule import BUFFERFULS, BUFFERS, LARGEST_PORTION, Ending, draw


class DrawTests(SynchronousTestCase):
    @given(strategies.integers(), strategies.integers(0, 1 << 30))
    def test_within_its_bounds(self, seed: int, maximum: int) -> None:
        schedule = draw(seed, maximum)
        self.assertTrue(0 <= schedule.size <= maximum)
        self.assertTrue(schedule.late_after is None or 0 <= schedule.late_after <= maximum)
        self.assertIn(schedule.buffers, BUFFERS)
        self.assertTrue(schedule.buffers is None or schedule.size <= BUFFERFULS * schedule.buffers)

    @given(strategies.integers())
    def test_the_same_seed_gives_the_same(self, seed: int) -> None:
        one, two = draw(seed, 1000), draw(seed, 1000)
        self.assertEqual(one, two)
        self.assertEqual(list(islice(one.portions("send"), 50)), list(islice(two.portions("send"), 50)))

    def test_everything_gets_drawn(self) -> None:
        schedules = [draw(seed, 1000) for seed in range(300)]
        self.assertEqual({schedule.ending for schedule in schedules}, set(Ending))
        self.assertEqual({schedule.buffers for schedule in schedules}, set(BUFFERS))
        self.assertLess({0, 1, 1000}, {schedule.size for schedule in schedules})
        self.assertLess({None, 0}, {schedule.late_after for schedule in schedules})


class PortionsTests(SynchronousTestCase):
    def test_small_and_large_ones(self) -> None:
        sizes = list(islice(draw(1, 0).portions("send"), 2000))
        self.assertEqual((min(sizes), max(sizes) <= LARGEST_PORTION), (1, True))
        self.assertTrue(any(size > LARGEST_PORTION // 2 for size in sizes))

    def test_each_direction_has_its_own(self) -> None:
        schedule = draw(1, 0)
        self.assertNotEqual(list(islice(schedule.portions("send"), 50)), list(islice(schedule.portions("receive"), 50)))
