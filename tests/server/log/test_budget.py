from twisted.internet.task import Clock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.log.budget import BURST, MAX_KINDS, EventLog, LineBudget
from echoproto.server.settings.table import table
from tests.support.logs import record_log


class LineBudgetTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[int] = []

    def budget(self, rate: float = 1) -> LineBudget:
        return LineBudget(self.clock, rate, BURST, self.told.append)

    def test_a_burst_then_nothing(self) -> None:
        budget = self.budget()
        self.assertEqual([budget.take() for _ in range(BURST + 5)], [True] * BURST + [False] * 5)
        self.assertEqual(self.told, [])

    def test_a_burst_is_of_20(self) -> None:
        """As the guide says of ``log-rate``."""
        self.assertEqual(BURST, 20)
        self.assertIn("after a burst of 20;", next(each.help for each in table() if each.name == "log-rate"))

    def test_what_was_left_out_is_told_within_a_second(self) -> None:
        budget = self.budget()
        for _ in range(BURST + 5):
            budget.take()
        self.clock.advance(1)
        self.assertEqual(self.told, [5])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_at_most_the_rate_under_attack(self) -> None:
        """E4: at most one line a second of one kind, the count of those left out included."""
        budget = self.budget()
        lines = 0
        events = 0
        for _ in range(100 * 60):
            lines += budget.take()
            events += 1
            self.clock.advance(0.01)
        self.clock.advance(1)
        self.assertEqual(lines + sum(self.told), events)
        self.assertLessEqual(lines + len(self.told), BURST + 61 + 1)
        self.assertGreaterEqual(len(self.told), 50)

    def test_a_higher_rate(self) -> None:
        budget = self.budget(rate=10)
        lines = 0
        for _ in range(100 * 60):
            lines += budget.take()
            self.clock.advance(0.01)
        self.assertTrue(9 * 60 <= lines + len(self.told) <= 10 * 60 + BURST + 1, (lines, self.told))
        self.assertLessEqual(len(self.told), 60, "what was left out is told once a second all the same")

    def test_a_share_of_a_rate(self) -> None:
        """E4: several processes that share it have so many lines together."""
        budget = self.budget(rate=0.25)
        lines = 0
        for _ in range(100 * 60):
            lines += budget.take()
            self.clock.advance(0.01)
        self.assertTrue(14 <= lines + len(self.told) <= 15 + BURST + 1, (lines, self.told))

    def test_the_line_that_tells_is_a_line(self) -> None:
        """E4: it takes the place of one, and not of two."""
        budget = LineBudget(self.clock, 1, 1, self.told.append)
        self.assertEqual([budget.take(), budget.take()], [True, False])
        self.clock.advance(1)
        self.assertEqual((self.told, budget.take()), ([1], False))
        self.clock.advance(1)
        self.assertEqual((self.told, budget.take()), ([1, 1], False))
        self.clock.advance(2)
        self.assertEqual((self.told, budget.take()), ([1, 1, 1], True))

    def test_recovers_its_burst(self) -> None:
        budget = self.budget()
        while budget.take():
            pass
        self.clock.advance(1 + BURST * 2)
        self.assertEqual([budget.take() for _ in range(BURST + 1)], [True] * BURST + [False])

    def test_close_tells_at_once(self) -> None:
        budget = self.budget()
        for _ in range(BURST + 3):
            budget.take()
        budget.close()
        self.assertEqual(self.told, [3])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_without_anything_left_out(self) -> None:
        self.budget().close()
        self.assertEqual(self.told, [])


class EventLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.events = EventLog(self.clock)
        self.logged = record_log(self)

    def test_each_kind_has_a_budget_of_its_own(self) -> None:
        self.assertTrue(self.events.room("refused connections"))
        self.assertFalse(self.events.room("refused connections"))
        self.assertTrue(self.events.room("refused datagrams"))
        self.clock.advance(0.5)
        self.assertFalse(self.events.room("refused datagrams"), "one a second, if nothing else is said")
        self.assertEqual([self.events.room("new connections", 2) for _ in range(3)], [True, True, False])

    def test_what_was_left_out_is_logged(self) -> None:
        """E4: with how many were suppressed."""
        for _ in range(8):
            self.events.room("refused connections")
        self.clock.advance(1)
        self.assertEqual(
            [(each["log_namespace"], each["event"]) for each in self.logged], [("echoproto", "suppressed")]
        )
        self.assertEqual(
            [formatEvent(event) for event in self.logged], ["7 more refused connections, not logged one by one"]
        )

    def test_another_rate_from_now_on(self) -> None:
        """O8: kinds of line that were logged before change, too."""
        self.assertTrue(self.events.room("refused connections"))
        self.events.rate = 10
        self.clock.advance(0.1)
        self.assertTrue(self.events.room("refused connections"))
        self.events.rate = 1
        self.clock.advance(0.9)
        self.assertFalse(self.events.room("refused connections"))

    def test_close_logs_what_is_left_out(self) -> None:
        for _ in range(3):
            self.events.room("refused connections")
        self.events.close()
        self.assertEqual(
            [formatEvent(event) for event in self.logged], ["2 more refused connections, not logged one by one"]
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_of_more_kinds_than_there_can_be(self) -> None:
        """E4: the others are one kind, at the rate that holds by then."""
        self.assertEqual(MAX_KINDS, 200)
        for number in range(MAX_KINDS):
            self.assertTrue(self.events.room(f"kind {number}"))
        self.events.rate = 2
        self.assertEqual([self.events.room(f"kind {MAX_KINDS + number}") for number in range(3)], [True, False, False])
        self.clock.advance(1)
        self.assertEqual(formatEvent(self.logged[-1]), "2 more events of other kinds, not logged one by one")
        self.assertTrue(self.events.room("yet another"))

    def test_rested(self) -> None:
        """Once a whole burst would fit."""
        self.assertTrue(self.events.rested("x"))
        self.events.room("x", 2)
        self.events.room("x", 2)
        self.clock.advance(1.5)
        self.assertFalse(self.events.rested("x"))
        self.clock.advance(0.5)
        self.assertTrue(self.events.rested("x"))
