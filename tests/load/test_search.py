from collections import Counter

from hypothesis import given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.load.histogram import Histogram
from echoproto.load.options import Aim, parse_aim
from echoproto.load.outcome import Outcome
from echoproto.load.search import (
    FIRST_RATE,
    MAX_STEP_SECONDS,
    PRECISION,
    Found,
    Result,
    Search,
    find_rate,
    judge,
    search_for,
)
from echoproto.load.summary import Summary, summarise
from echoproto.load.workload import Workload
from tests.load.report.reports import WORKLOAD, histogram

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
        self.assertGreaterEqual(min(tried), 1000 / MAX_STEP_SECONDS)
        self.assertRaises(ValueError, search.tell, Result.HELD)

    def test_begins_where_a_step_takes_no_longer_than_it_may(self) -> None:
        aim = parse_aim("p99.9999<1s")
        search = search_for(aim)
        assert search.rate is not None
        self.assertEqual(aim.seconds(search.rate, 5), MAX_STEP_SECONDS)


AIM = parse_aim("p99<2ms")


def times(count: int, seconds: float) -> Histogram:
    made = Histogram()
    made.record([seconds] * min(count, 1000))
    return made


def step(workload: Workload, **found: object) -> tuple[Outcome, Summary]:
    outcome = Outcome(messages=1000, elapsed=1.0, **found)  # type: ignore[arg-type]
    return outcome, summarise(workload, outcome)


class JudgeTests(SynchronousTestCase):
    def result(self, **found: object) -> Result:
        return judge(AIM, 1000, *step(WORKLOAD, **found)).result

    def test_held(self) -> None:
        self.assertIs(self.result(response_time=histogram(*[1] * 990, *[9] * 10)), Result.HELD)

    def test_failed(self) -> None:
        self.assertIs(self.result(response_time=histogram(*[1] * 980, *[9] * 20)), Result.FAILED)

    def test_exactly_the_limit_is_not_below_it(self) -> None:
        self.assertIs(self.result(response_time=histogram(*[2] * 1000)), Result.FAILED)

    def test_what_was_not_sent_took_too_long(self) -> None:
        self.assertIs(self.result(response_time=histogram(*[1] * 1000), unsent=5), Result.HELD)
        self.assertIs(self.result(response_time=histogram(*[1] * 1000), unsent=50), Result.FAILED)

    def test_nothing_came(self) -> None:
        self.assertIs(self.result(), Result.FAILED)
        self.assertIs(self.result(own_limits=Counter(ports=1)), Result.CLIENT_LIMIT)

    def test_the_generator_was_the_limit(self) -> None:
        late = histogram(*[9] * 1000)
        self.assertIs(self.result(response_time=late, lag=late), Result.CLIENT_LIMIT)
        self.assertIs(self.result(response_time=histogram(1), own_limits=Counter(ports=1)), Result.CLIENT_LIMIT)


class FindRateTests(SynchronousTestCase):
    def find(self, answer: object) -> tuple[Found, Outcome, Summary, list[Workload]]:
        done: list[Workload] = []

        def measure(workload: Workload, search: Search) -> tuple[Outcome, Summary]:
            self.assertEqual(workload.rate, search.rate)
            done.append(workload)
            return step(workload, **answer(workload.rate))  # type: ignore[operator]

        found, (_, outcome, summary) = find_rate(AIM, WORKLOAD, measure)
        return found, outcome, summary, done

    @given(strategies.floats(100, 1_000_000))
    @settings(deadline=None, max_examples=20)
    def test_the_knee_of_a_server(self, knee: float) -> None:
        """The report is that of the step that held the highest rate."""

        def answer(rate: float) -> dict[str, object]:
            return {"response_time": times(1000, 0.001 if rate <= knee else 0.01), "sent": int(rate)}

        found, outcome, summary, _ = self.find(answer)
        assert found.rate is not None
        self.assertTrue(knee / PRECISION <= found.rate <= knee)
        self.assertEqual((outcome.sent, summary.verdict, summary.exit_status), (int(found.rate), "good", 0))
        self.assertEqual(max(s.rate for s in found.steps if s.result is Result.HELD), found.rate)

    def test_steps_are_long_enough(self) -> None:
        def answer(rate: float) -> dict[str, object]:
            return {"response_time": times(1000, 0.001 if rate <= 60 else 0.01)}

        *_, done = self.find(answer)
        for workload in done:
            assert workload.duration is not None
            assert workload.rate is not None
            self.assertGreaterEqual(round(workload.duration * workload.rate, 6), AIM.samples)
            self.assertGreaterEqual(workload.duration, WORKLOAD.duration or 0)

    def test_nothing_holds(self) -> None:
        found, _, summary, _ = self.find(lambda rate: {"response_time": times(1000, 0.01)})
        self.assertEqual((found.rate, summary.exit_status), (None, 1))

    def test_the_generator_is_the_limit(self) -> None:
        def answer(rate: float) -> dict[str, object]:
            late = times(1000, 0.001 if rate <= 5000 else 0.01)
            return {"response_time": late, "lag": late if rate > 5000 else Histogram()}

        found, _, summary, _ = self.find(answer)
        self.assertEqual((found.client_bound, summary.exit_status), (True, 4))

    def test_harm_ends_it(self) -> None:
        found, _, summary, done = self.find(
            lambda rate: {"lost": 1 if rate > 3000 else 0, "response_time": histogram(1)}
        )
        self.assertEqual((found.rate, len(done), summary.verdict, summary.exit_status), (2000, 3, "lost", 1))

    def test_interrupted(self) -> None:
        """L6"""
        found, outcome, summary, done = self.find(
            lambda rate: {"interrupted": rate > 1000, "response_time": histogram(1)}
        )
        self.assertEqual((found.rate, len(done), outcome.interrupted, summary.exit_status), (1000, 2, True, 130))
