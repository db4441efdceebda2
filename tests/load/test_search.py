from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.load.search import FIRST_RATE, LONGEST, PRECISION, Aim, Result, Search, parse_aim, search_for

knees = strategies.floats(20, 10_000_000)
MOST_STEPS = 60


class AimTests(SynchronousTestCase):
    def test_written(self) -> None:
        for text, percent, limit in (
            ("p99<2ms", 99, 2000),
            ("p50<500us", 50, 500),
            ("p99.9 < 5ms", 99.9, 5000),
            ("max<10ms", 100, 10_000),
            ("p9<1", 9, 1_000_000),
        ):
            aim = parse_aim(text)
            self.assertEqual((aim.percent, round(aim.limit, 6)), (percent, limit))

    def test_refused(self) -> None:
        for text in (
            "",
            "p99",
            "p99>2ms",
            "p100<1ms",
            "p0<1ms",
            "p00.0<1ms",
            "avg<1ms",
            "p99<",
            "p99<2 cows",
            "max<0ms",
        ):
            error = self.assertRaises(ConfigurationError, parse_aim, text)
            self.assertEqual(len(str(error).splitlines()), 1)

    def test_samples(self) -> None:
        """10 messages beyond a percentile, and 1,000 in all, are what it takes."""
        for text, samples in (
            ("p50<1", 1000),
            ("p99<1", 1000),
            ("p99.9<1", 10_000),
            ("p99.99<1", 100_000),
            ("max<1", 1000),
        ):
            self.assertEqual(parse_aim(text).samples, samples)

    def test_seconds(self) -> None:
        aim = parse_aim("p99.9<5ms")
        self.assertEqual(aim.seconds(1000, 5), 10)
        self.assertEqual(aim.seconds(10_000, 5), 5)


class SearchTests(SynchronousTestCase):
    def search(self, search: Search, judge: object, steps: int = MOST_STEPS) -> list[float]:
        tried: list[float] = []
        while search.rate is not None:
            self.assertLess(len(tried), steps)
            tried.append(search.rate)
            search.tell(judge(search.rate))  # type: ignore[operator]
        return tried

    @given(knees)
    def test_finds_the_knee(self, knee: float) -> None:
        """Within 5 %, from below."""
        search = Search(1, FIRST_RATE)
        self.search(search, lambda rate: Result.HELD if rate <= knee else Result.FAILED)
        assert search.held is not None
        self.assertTrue(knee / PRECISION <= search.held <= knee, (knee, search))
        self.assertFalse(search.client_bound)

    @given(knees, strategies.sets(strategies.integers(0, MOST_STEPS)))
    def test_one_bad_step_is_tried_again(self, knee: float, bad: set[int]) -> None:
        """A step now and then fails for a reason of the machine's, but not twice in succession."""
        bad = {number for number in bad if number - 1 not in bad}
        turns = iter(range(10**6))

        def judge(rate: float) -> Result:
            return Result.HELD if rate <= knee and next(turns) not in bad else Result.FAILED

        search = Search(1, FIRST_RATE)
        self.search(search, judge, 3 * MOST_STEPS)
        assert search.held is not None
        self.assertTrue(knee / PRECISION <= search.held <= knee, (knee, search))

    @given(knees, knees)
    def test_the_generator_may_be_the_limit(self, knee: float, own: float) -> None:
        def judge(rate: float) -> Result:
            return Result.CLIENT_LIMIT if rate > own else Result.HELD if rate <= knee else Result.FAILED

        search = Search(1, FIRST_RATE)
        self.search(search, judge)
        assert search.held is not None
        self.assertTrue(min(knee, own) / PRECISION <= search.held <= min(knee, own))
        if knee > own:
            self.assertTrue(search.client_bound)
        elif own > knee * 2:
            self.assertFalse(search.client_bound)

    def test_nothing_holds(self) -> None:
        search = search_for(Aim("p99<1us", 99, 1))
        tried = self.search(search, lambda _: Result.FAILED)
        self.assertIsNone(search.held)
        self.assertGreaterEqual(min(tried), 1000 / LONGEST)
        self.assertRaises(ValueError, search.tell, Result.HELD)

    def test_begins_where_a_step_takes_no_longer_than_it_may(self) -> None:
        aim = parse_aim("p99.9999<1s")
        search = search_for(aim)
        assert search.rate is not None
        self.assertEqual(aim.seconds(search.rate, 5), LONGEST)
