import pickle
from collections import Counter

from attrs import fields
from hypothesis import given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.histogram import Histogram
from echoproto.load.outcome import MAX_DESCRIBED_FINDINGS, Outcome, Second

counts = strategies.integers(0, 10**9)
times = strategies.lists(strategies.floats(0, 100), max_size=5)
counters = strategies.dictionaries(strategies.sampled_from(["lost", "corrupt", "x"]), strategies.integers(1, 9)).map(
    Counter
)


def histogram(recorded: list[float]) -> Histogram:
    made = Histogram()
    made.record(recorded)
    return made


histograms = times.map(histogram)
seconds = strategies.builds(Second, counts, counts, histograms)
FIELDS: dict[str, strategies.SearchStrategy[object]] = {
    field.name: {
        "Counter[str]": counters,
        "Histogram": histograms,
        "list[str]": strategies.lists(strategies.text(), max_size=7),
        "dict[int, Second]": strategies.dictionaries(strategies.integers(0, 5), seconds, max_size=3),
        "float": strategies.integers(0, 1000).map(float),
        "float | None": strategies.none() | strategies.integers(0, 1000).map(float),
        "int": counts,
        "int | None": strategies.none() | counts,
        "tuple[int, int] | None": strategies.none() | strategies.tuples(counts, counts),
        "bool": strategies.booleans(),
    }[str(field.type)]
    for field in fields(Outcome)
}
outcomes = strategies.builds(Outcome, **FIELDS)


def added(*parts: Outcome) -> Outcome:
    whole = Outcome()
    for part in parts:
        whole.add(part)
    return whole


class HistogramTests(SynchronousTestCase):
    def test_percentiles(self) -> None:
        made = histogram([n / 1e6 for n in range(1, 1001)])
        self.assertEqual(
            (made.count, made.percentile(50), made.percentile(99), made.percentile(100)), (1000, 500, 990, 1000)
        )
        self.assertEqual(made.percentiles(99, 50.0, 100), {50.0: 500, 99: 990, 100: 1000})

    def test_none(self) -> None:
        self.assertEqual((Histogram().count, Histogram().percentile(99), Histogram().spectrum()), (0, 0, []))
        self.assertEqual(Histogram().percentiles(50, 99), {})

    def test_out_of_range(self) -> None:
        """What the library would drop is counted as the nearest that is in range, and how often that was."""
        made = histogram([0, 1e-6, 60, 61])
        self.assertEqual((made.count, made.clamped), (4, 2))
        self.assertEqual(made.percentile(1), 1)
        self.assertAlmostEqual(made.percentile(100) / 60e6, 1, places=2)

    @given(times, times)
    def test_added(self, one: list[float], two: list[float]) -> None:
        whole = histogram(one)
        whole.add(histogram(two))
        self.assertEqual(whole, histogram([*one, *two]))
        self.assertEqual(whole.percentiles(1, 50, 100), histogram([*one, *two]).percentiles(1, 50, 100))

    @given(times)
    def test_pickled(self, recorded: list[float]) -> None:
        made = histogram(recorded)
        again = pickle.loads(pickle.dumps(made))
        self.assertEqual(again, made)
        again.record([1.0])
        self.assertNotEqual(again, made)
        self.assertEqual(again.count, made.count + 1)

    @given(times.filter(bool))
    @settings(deadline=None, max_examples=25)
    def test_spectrum(self, recorded: list[float]) -> None:
        made = histogram(recorded)
        points = made.spectrum()
        self.assertEqual(points, sorted(points))
        self.assertEqual(points[-1], (100.0, made.percentile(100)))


class OutcomeTests(SynchronousTestCase):
    @given(outcomes, outcomes)
    @settings(deadline=None, max_examples=25)
    def test_the_order_does_not_matter(self, one: Outcome, two: Outcome) -> None:
        here, there = added(one, two), added(two, one)
        here.first_findings.sort()
        there.first_findings.sort()
        if len(one.first_findings) + len(two.first_findings) > MAX_DESCRIBED_FINDINGS:
            here.first_findings = there.first_findings = []
        self.assertEqual(here, there)

    @given(outcomes, outcomes)
    @settings(deadline=None, max_examples=25)
    def test_sums(self, one: Outcome, two: Outcome) -> None:
        whole = added(one, two)
        for name in ("sent", "acked", "lost", "unknown", "messages", "connected", "unsent", "cpu"):
            self.assertEqual(getattr(whole, name), getattr(one, name) + getattr(two, name))
        for name in ("findings", "errors", "own_limits"):
            self.assertEqual(getattr(whole, name), getattr(one, name) + getattr(two, name))
        for name in ("service_time", "response_time", "connect_time", "first_byte_time", "lag"):
            self.assertEqual(getattr(whole, name).count, getattr(one, name).count + getattr(two, name).count)
        self.assertEqual(whole.elapsed, max(one.elapsed, two.elapsed))
        self.assertEqual(whole.interrupted, one.interrupted or two.interrupted)
        echoes = sum(second.echoes for part in (one, two) for second in part.seconds.values())
        self.assertEqual(sum(second.echoes for second in whole.seconds.values()), echoes)
        self.assertLessEqual(len(whole.first_findings), MAX_DESCRIBED_FINDINGS)

    @given(outcomes)
    @settings(deadline=None, max_examples=25)
    def test_alone_it_is_what_it_was(self, one: Outcome) -> None:
        self.assertEqual(added(one), one)

    @given(outcomes)
    @settings(deadline=None, max_examples=25)
    def test_pickled(self, one: Outcome) -> None:
        self.assertEqual(pickle.loads(pickle.dumps(one)), one)

    def test_the_server_is_seen_by_all(self) -> None:
        """Each has looked at the same process: its time on the processor does not add up."""
        self.assertEqual(added(Outcome(server_cpu=2.0), Outcome(server_cpu=2.5), Outcome()).server_cpu, 2.5)
        self.assertIsNone(added(Outcome(), Outcome()).server_cpu)
        both = added(Outcome(server_memory=5, server_switches=(1, 2)), Outcome(server_memory=4))
        self.assertEqual((both.server_memory, both.server_switches), (5, (1, 2)))
