from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from echoproto.tokenbucket import TokenBucket


class TokenBucketTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def bucket(self, rate: float, burst: float) -> TokenBucket:
        return TokenBucket(self.clock.seconds, rate, burst)

    def test_a_burst_at_once(self) -> None:
        bucket = self.bucket(rate=3, burst=3)
        self.assertEqual(bucket.fill(), 3)
        self.assertEqual([bucket.take() for _ in range(4)], [True, True, True, False])
        self.assertEqual((bucket.tokens, bucket.wait()), (0, 1 / 3))
        self.clock.advance(0.5)
        self.assertEqual(bucket.fill(), 1.5)
        self.assertEqual(bucket.wait(), 0)

    def test_a_clock_that_has_run_for_long(self) -> None:
        """Only the time since it was filled last counts."""
        self.clock.advance(1000)
        bucket = self.bucket(rate=8, burst=8)
        for available, pause in ((8, 0.125), (1, 0.125), (1, 0.25), (2, 0)):
            self.assertEqual(bucket.fill(), available)
            self.assertEqual([bucket.take() for _ in range(available + 1)], [True] * available + [False])
            self.clock.advance(pause)

    def test_other_limits(self) -> None:
        """They count from the next call on."""
        bucket = self.bucket(rate=1, burst=5)
        bucket.rate, bucket.burst = 4, 2
        self.assertEqual(bucket.fill(), 2)
        bucket.tokens = -1
        self.assertEqual(bucket.wait(), 0.5)
        self.clock.advance(0.5)
        self.assertTrue(bucket.take())

    @given(st.integers(1, 1000), st.integers(1, 1000), st.lists(st.floats(0, 10), max_size=50))
    def test_never_more_than_the_rate_and_a_burst(self, rate: int, burst: int, pauses: list[float]) -> None:
        clock = Clock()
        bucket = TokenBucket(clock.seconds, rate, burst)
        taken = 0
        for pause in pauses:
            clock.advance(pause)
            while bucket.take():
                taken += 1
        self.assertLessEqual(taken, (burst + rate * clock.seconds()) * (1 + 1e-9))
