import time

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from echoproto.reactors.clock import follow_monotonic_clock
from tests.support.reactorbuilder import EchoReactorBuilder


class PendingTests(SynchronousTestCase):
    def test_timers_that_are_pending_keep_their_clock(self) -> None:
        clock = Clock()
        clock.callLater(1, lambda: None)
        self.assertFalse(follow_monotonic_clock(clock))
        self.assertEqual(clock.seconds(), 0)


class MonotonicBuilder(EchoReactorBuilder):
    """E5: timers follow the monotonic clock, on each reactor."""

    def test_timers_are_unmoved_by_the_wall_clock(self) -> None:
        wall = [1_000_000.0]
        reactor = self.buildReactor()
        vars(reactor)["seconds"] = lambda: wall[0]  # stands in for the wall clock, which a test can't set
        self.assertTrue(follow_monotonic_clock(reactor))
        fired: list[float] = []
        begun = time.monotonic()

        def due() -> None:
            fired.append(time.monotonic() - begun)
            reactor.stop()

        reactor.callLater(0.05, due)
        wall[0] -= 3600
        self.runReactor(reactor, timeout=60)
        [elapsed] = fired
        self.assertGreaterEqual(elapsed, 0.05)

    def test_seconds_are_monotonic(self) -> None:
        reactor = self.buildReactor()
        follow_monotonic_clock(reactor)
        self.assertTrue(time.monotonic() - 1 < reactor.seconds() <= time.monotonic())


globals().update(MonotonicBuilder.makeTestCaseClasses())
del MonotonicBuilder, EchoReactorBuilder
