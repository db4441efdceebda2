from itertools import islice

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from tests.support.schedule import (
    BUFFERS,
    FAULTS,
    HOLD_SECONDS,
    LARGEST_PORTION,
    MAX_BUFFERFULS,
    MAX_PIECES,
    Ending,
    Fault,
    FaultKind,
    Schedule,
    Way,
    draw,
    draw_stop,
)


class DrawTests(SynchronousTestCase):
    @given(strategies.integers(), strategies.integers(0, 1 << 30))
    def test_within_its_bounds(self, seed: int, maximum: int) -> None:
        schedule = draw(seed, maximum)
        self.assertTrue(0 <= schedule.size <= maximum)
        self.assertTrue(schedule.late_after is None or 0 <= schedule.late_after <= maximum)
        self.assertIn(schedule.buffers, BUFFERS)
        self.assertTrue(schedule.buffers is None or schedule.size <= MAX_BUFFERFULS * schedule.buffers)

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

    def test_pinned(self) -> None:
        """Another one would make seeds that were printed before worthless."""
        fault = Fault(FaultKind.STALL, Way.UP, at=0, seconds=0.05, piece=584, rate=1168804)
        self.assertEqual(draw(3, 1 << 20, FAULTS), Schedule(3, 584402, Ending.HALF_CLOSE, None, 65536, fault))


class FaultTests(SynchronousTestCase):
    @given(strategies.integers(), strategies.integers(0, 1 << 30))
    def test_within_its_bounds(self, seed: int, maximum: int) -> None:
        """The slowest schedule takes about a second."""
        schedule = draw(seed, maximum, FAULTS)
        fault = schedule.fault
        self.assertTrue(0 <= fault.at <= schedule.size)
        self.assertIn(fault.seconds, HOLD_SECONDS)
        self.assertLessEqual(schedule.size / ((1 + fault.piece) / 2), MAX_PIECES)
        self.assertLessEqual(schedule.size / fault.rate, 1)

    def test_none_unless_asked_for(self) -> None:
        self.assertEqual({draw(seed, 1000).fault.kind for seed in range(100)}, {FaultKind.NONE})

    def test_only_what_is_asked_for(self) -> None:
        for kind in FaultKind:
            self.assertEqual({draw(seed, 1000, [kind]).fault.kind for seed in range(100)}, {kind})

    def test_everything_gets_drawn(self) -> None:
        faults = [draw(seed, 1000, FAULTS).fault for seed in range(300)]
        kinds = [fault.kind for fault in faults]
        self.assertEqual(set(kinds), set(FaultKind))
        self.assertTrue(100 < kinds.count(FaultKind.NONE) < 200)
        self.assertEqual({fault.ways for fault in faults}, {Way.UP, Way.DOWN, Way.BOTH})
        self.assertLess({0, 1, 1000}, {fault.at for fault in faults})

    def test_does_not_change_the_rest(self) -> None:
        for seed in range(20):
            one, two = draw(seed, 1000), draw(seed, 1000, FAULTS)
            self.assertEqual((one.size, one.ending, one.late_after), (two.size, two.ending, two.late_after))

    def test_who_is_reset(self) -> None:
        for schedule in (draw(seed, 1000, FAULTS) for seed in range(100)):
            resets = {schedule.ending.value, schedule.fault.kind.value}
            self.assertEqual(schedule.is_reset, "reset" in resets)


class StopTests(SynchronousTestCase):
    @given(strategies.integers(), strategies.integers(0, 1 << 40))
    def test_within_its_bounds(self, seed: int, total: int) -> None:
        at = draw_stop(seed, total)
        self.assertTrue(0 <= at <= total // 2)
        self.assertEqual(at, draw_stop(seed, total))

    def test_differs(self) -> None:
        self.assertGreater(len({draw_stop(seed, 1 << 30) for seed in range(100)}), 90)


class PortionsTests(SynchronousTestCase):
    def test_small_and_large_ones(self) -> None:
        sizes = list(islice(draw(1, 0).portions("send"), 2000))
        self.assertEqual((min(sizes), max(sizes) <= LARGEST_PORTION), (1, True))
        self.assertTrue(any(size > LARGEST_PORTION // 2 for size in sizes))

    def test_each_direction_has_its_own(self) -> None:
        schedule = draw(1, 0)
        self.assertNotEqual(list(islice(schedule.portions("send"), 50)), list(islice(schedule.portions("receive"), 50)))
