import math
from itertools import pairwise

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.schedule import NEVER, Schedule
from echoproto.load.workload import Arrivals
from echoproto.units import NS

rates = strategies.floats(0.01, 1e6)
counts = strategies.integers(1, 50)
seeds = strategies.text(max_size=5)


def times(schedule: Schedule, now: int, count: int) -> list[int]:
    schedule.begin(now, count)
    found = []
    while not schedule.over:
        due = schedule.due
        found.append(schedule.next())
        assert found[-1] == due
    return found


class UniformTests(SynchronousTestCase):
    @given(rates, counts, seeds, strategies.integers(0, 10**15))
    def test_the_same_time_between_any_two(self, rate: float, count: int, seed: str, now: int) -> None:
        found = times(Schedule(rate, Arrivals.UNIFORM, seed), now, count)
        self.assertEqual(len(found), count)
        self.assertTrue(now <= found[0] <= now + NS / rate)
        for one, other in pairwise(found):
            self.assertTrue(math.isclose(other - one, NS / rate, rel_tol=1e-6, abs_tol=2))

    def test_nothing_adds_up(self) -> None:
        """100,000 messages later, the rate is still what it was."""
        schedule = Schedule(3000.0, Arrivals.UNIFORM, "s")
        schedule.begin(0, 100_001)
        first = schedule.next()
        for _ in range(99_999):
            schedule.next()
        self.assertTrue(abs(schedule.due - first - 100_000 / 3000 * NS) < 100)

    def test_processes_do_not_send_at_the_same_moments(self) -> None:
        firsts = {times(Schedule(1.0, Arrivals.UNIFORM, f"7 {first}"), 0, 1)[0] for first in range(10)}
        self.assertEqual(len(firsts), 10)


class PoissonTests(SynchronousTestCase):
    def test_gaps(self) -> None:
        """Of exponentially distributed gaps, 1 in e exceeds the mean; mean and deviation are the same."""
        found = times(Schedule(1000.0, Arrivals.POISSON, "gaps"), 0, 10_000)
        gaps = [(other - one) / NS * 1000 for one, other in pairwise(found)]
        mean = sum(gaps) / len(gaps)
        deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
        longer = sum(gap > 1 for gap in gaps) / len(gaps)
        self.assertTrue(abs(mean - 1) < 0.05 and abs(deviation - 1) < 0.06 and abs(longer - 1 / math.e) < 0.02)

    @given(rates, counts, seeds)
    def test_in_order_and_repeatable(self, rate: float, count: int, seed: str) -> None:
        found = times(Schedule(rate, Arrivals.POISSON, seed), 5, count)
        self.assertEqual(found, sorted(found))
        self.assertEqual(found, times(Schedule(rate, Arrivals.POISSON, seed), 5, count))


class OverdueTests(SynchronousTestCase):
    @given(rates, counts, strategies.integers(0, 60), strategies.floats(0, 100))
    def test_as_many_as_would_have_been_asked_for(self, rate: float, count: int, taken: int, waited: float) -> None:
        """Whatever was asked for before; without asking for each, of which there may be too many."""
        schedule, other = (Schedule(rate, Arrivals.UNIFORM, "") for _ in range(2))
        now = 7 + int(waited / rate * NS)
        for each in (schedule, other):
            each.begin(7, count)
            for _ in range(min(taken, count)):
                each.next()
        expected = 0
        while other.due < now:
            other.next()
            expected += 1
        self.assertLessEqual(abs(schedule.overdue(now) - expected), 1)
        self.assertEqual(schedule.left, count - min(taken, count))

    def test_too_many_to_count(self) -> None:
        schedule = Schedule(1e12, Arrivals.POISSON, "")
        schedule.begin(0, 1 << 62)
        self.assertAlmostEqual(schedule.overdue(NS) / 1e12, 1)

    def test_none(self) -> None:
        schedule = Schedule(1.0, Arrivals.UNIFORM, "")
        self.assertEqual(schedule.overdue(NS), 0)
        schedule.begin(NS, 5)
        self.assertEqual(schedule.overdue(NS), 0)


class EndTests(SynchronousTestCase):
    def test_before_it_begins_and_after_it_ends(self) -> None:
        schedule = Schedule(10.0, Arrivals.UNIFORM, "")
        self.assertTrue(schedule.over)
        schedule.begin(0, 5)
        self.assertFalse(schedule.over)
        schedule.end()
        self.assertTrue(schedule.over)
        self.assertEqual(schedule.due, NEVER)

    def test_begun_with_none(self) -> None:
        schedule = Schedule(10.0, Arrivals.POISSON, "")
        schedule.begin(0, 0)
        self.assertTrue(schedule.over)
