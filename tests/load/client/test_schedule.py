import math
from itertools import pairwise

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.schedule import NEVER, Agenda
from echoproto.load.workload import Arrivals
from echoproto.units import NS

rates = strategies.floats(0.01, 1e6)
counts = strategies.integers(1, 50)
seeds = strategies.text(max_size=5)


def times(agenda: Agenda, now: int, count: int) -> list[int]:
    agenda.begin(now, count)
    found = []
    while not agenda.over:
        due = agenda.due
        found.append(agenda.next())
        assert found[-1] == due
    return found


class UniformTests(SynchronousTestCase):
    @given(rates, counts, seeds, strategies.integers(0, 10**15))
    def test_the_same_time_between_any_two(self, rate: float, count: int, seed: str, now: int) -> None:
        found = times(Agenda(rate, Arrivals.UNIFORM, seed), now, count)
        self.assertEqual(len(found), count)
        self.assertTrue(now <= found[0] <= now + NS / rate)
        for one, other in pairwise(found):
            self.assertTrue(math.isclose(other - one, NS / rate, rel_tol=1e-6, abs_tol=2))

    def test_nothing_adds_up(self) -> None:
        """100,000 messages later, the rate is still what it was."""
        agenda = Agenda(3000.0, Arrivals.UNIFORM, "s")
        agenda.begin(0, 100_001)
        first = agenda.next()
        for _ in range(99_999):
            agenda.next()
        self.assertTrue(abs(agenda.due - first - 100_000 / 3000 * NS) < 100)

    def test_processes_do_not_send_at_the_same_moments(self) -> None:
        firsts = {times(Agenda(1.0, Arrivals.UNIFORM, f"7 {first}"), 0, 1)[0] for first in range(10)}
        self.assertEqual(len(firsts), 10)


class PoissonTests(SynchronousTestCase):
    def test_gaps(self) -> None:
        """Of exponentially distributed gaps, 1 in e exceeds the mean; mean and deviation are the same."""
        found = times(Agenda(1000.0, Arrivals.POISSON, "gaps"), 0, 10_000)
        gaps = [(other - one) / NS * 1000 for one, other in pairwise(found)]
        mean = sum(gaps) / len(gaps)
        deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
        longer = sum(gap > 1 for gap in gaps) / len(gaps)
        self.assertTrue(abs(mean - 1) < 0.05 and abs(deviation - 1) < 0.06 and abs(longer - 1 / math.e) < 0.02)

    @given(rates, counts, seeds)
    def test_in_order_and_repeatable(self, rate: float, count: int, seed: str) -> None:
        found = times(Agenda(rate, Arrivals.POISSON, seed), 5, count)
        self.assertEqual(found, sorted(found))
        self.assertEqual(found, times(Agenda(rate, Arrivals.POISSON, seed), 5, count))


class OverdueTests(SynchronousTestCase):
    @given(rates, counts, strategies.integers(0, 60), strategies.floats(0, 100))
    def test_as_many_as_would_have_been_asked_for(self, rate: float, count: int, taken: int, waited: float) -> None:
        """Whatever was asked for before; without asking for each, of which there may be too many."""
        agenda, other = (Agenda(rate, Arrivals.UNIFORM, "") for _ in range(2))
        now = 7 + int(waited / rate * NS)
        for each in (agenda, other):
            each.begin(7, count)
            for _ in range(min(taken, count)):
                each.next()
        expected = 0
        while other.due < now:
            other.next()
            expected += 1
        self.assertLessEqual(abs(agenda.overdue(now) - expected), 1)
        self.assertEqual(agenda.left, count - min(taken, count))

    def test_too_many_to_count(self) -> None:
        agenda = Agenda(1e12, Arrivals.POISSON, "")
        agenda.begin(0, 1 << 62)
        self.assertAlmostEqual(agenda.overdue(NS) / 1e12, 1)

    def test_none(self) -> None:
        agenda = Agenda(1.0, Arrivals.UNIFORM, "")
        self.assertEqual(agenda.overdue(NS), 0)
        agenda.begin(NS, 5)
        self.assertEqual(agenda.overdue(NS), 0)


class EndTests(SynchronousTestCase):
    def test_before_it_begins_and_after_it_ends(self) -> None:
        agenda = Agenda(10.0, Arrivals.UNIFORM, "")
        self.assertTrue(agenda.over)
        agenda.begin(0, 5)
        self.assertFalse(agenda.over)
        agenda.end()
        self.assertTrue(agenda.over)
        self.assertEqual(agenda.due, NEVER)

    def test_begun_with_none(self) -> None:
        agenda = Agenda(10.0, Arrivals.POISSON, "")
        agenda.begin(0, 0)
        self.assertTrue(agenda.over)
