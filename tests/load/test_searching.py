from collections import Counter

from hypothesis import given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.histogram import Histogram
from echoproto.load.outcome import Outcome
from echoproto.load.report.document import Found
from echoproto.load.search import PRECISION, Result, Search, parse_aim
from echoproto.load.searching import find_rate, judge
from echoproto.load.summary import Summary, summarise
from echoproto.load.workload import Workload
from tests.load.report.reports import WORKLOAD, histogram

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
        """What is reported is the step that held the highest rate."""

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
