from collections import Counter

from attrs import evolve
from hypothesis import given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.diagnosis import Kind
from echoproto.load.histogram import Histogram
from echoproto.load.outcome import Outcome
from echoproto.load.summary import (
    STATUSES,
    Summary,
    percentile_name,
    summarise,
    times,
)
from echoproto.load.verdict import HARMS, LoadVerdict
from echoproto.load.workload import Target, Transport, Workload
from tests.load.test_outcome import outcomes

WORKLOAD = Workload(target=Target(Transport.TCP, "localhost", 7), rate=100.0)


def recorded(*milliseconds: float) -> Histogram:
    made = Histogram()
    made.record(time / 1000 for time in milliseconds)
    return made


def summary(processes: int = 1, **found: object) -> Summary:
    """Of a run that is good, but for what is said here."""
    outcome = Outcome(messages=1000, elapsed=10.0, cpu=5.0, service_time=recorded(*[1] * 1000))
    return summarise(evolve(WORKLOAD, processes=processes), evolve(outcome, **found))  # type: ignore[arg-type]


class VerdictTests(SynchronousTestCase):
    def test_good(self) -> None:
        found = summary()
        self.assertEqual((found.verdict, found.exit_status, found.client_bound, found.notes), ("good", 0, False, ()))

    def test_each_harm_is_named(self) -> None:
        """L2"""
        for harm in HARMS:
            found = summary(findings=Counter({harm: 1}))
            self.assertEqual((found.verdict, found.exit_status), (harm, 1))

    def test_all_kinds_of_streams_are_known(self) -> None:
        self.assertLessEqual({kind.value for kind in Kind}, set(HARMS))

    def test_lost_bytes_need_no_finding(self) -> None:
        """L1"""
        self.assertEqual(summary(lost=1).verdict, "lost")

    def test_a_kind_that_was_not_found(self) -> None:
        self.assertEqual(summary(findings=Counter({"corrupt": 0})).verdict, "good")

    @given(strategies.sets(strategies.sampled_from(HARMS), min_size=1), outcomes)
    @settings(deadline=None, max_examples=40)
    def test_the_worst_wins(self, harms: set[LoadVerdict], outcome: Outcome) -> None:
        """Whatever else there is: harm to data is the verdict, the worst of it, and never passes for a good run."""
        found = summarise(WORKLOAD, evolve(outcome, findings=Counter(harms), lost=0))
        self.assertEqual(list(LoadVerdict).index(found.verdict), min(map(list(LoadVerdict).index, harms)))
        self.assertEqual(found.exit_status, 130 if outcome.interrupted else 1)

    @given(outcomes)
    @settings(deadline=None, max_examples=40)
    def test_status_0_is_for_what_is_good(self, outcome: Outcome) -> None:
        outcome.findings.pop("x", None)
        found = summarise(WORKLOAD, outcome)
        self.assertIn(found.verdict, list(LoadVerdict))
        if found.exit_status == 0:
            self.assertEqual(found.verdict, "good")
            self.assertFalse(outcome.lost or +outcome.findings or outcome.errors or outcome.own_limits)
            self.assertFalse(found.client_bound or outcome.interrupted)

    def test_broken_connections(self) -> None:
        """L1"""
        found = summary(errors=Counter(ECONNRESET=3))
        self.assertEqual((found.verdict, found.exit_status), ("failed", 1))
        self.assertEqual(summary(errors=Counter(ECONNREFUSED=3)).verdict, "failed")

    def test_never_connected(self) -> None:
        for error in ("ECONNREFUSED", "TLS", "certificate", "greeting"):
            found = summary(errors=Counter({error: 3}), messages=0)
            self.assertEqual((found.verdict, found.exit_status), ("unreachable", 3))
        self.assertEqual(summary(errors=Counter(ECONNRESET=3, TLS=1), messages=0).verdict, "failed")

    def test_nothing_came(self) -> None:
        found = summary(messages=0)
        self.assertEqual((found.verdict, found.exit_status, found.echoes_per_second), ("nothing", 3, 0))
        self.assertEqual(summary(messages=0, interrupted=True).verdict, "good")

    def test_own_limits(self) -> None:
        """L3: which have broken the connections, too."""
        found = summary(own_limits=Counter(descriptors=2), errors=Counter(EMFILE=2))
        self.assertEqual((found.verdict, found.exit_status, found.client_bound), ("client limit", 4, True))
        self.assertIn("client limit: the generator ran out of descriptors", found.notes[0])

    def test_interrupted(self) -> None:
        """L6"""
        found = summary(interrupted=True)
        self.assertEqual((found.verdict, found.exit_status), ("good", 130))
        self.assertIn("partial", found.notes[0])

    def test_every_verdict_has_a_status(self) -> None:
        self.assertEqual(set(STATUSES), set(LoadVerdict))


class ClientBoundTests(SynchronousTestCase):
    def test_time_on_the_processor(self) -> None:
        found = summary(cpu=9.1)
        self.assertEqual((found.client_bound, found.verdict, found.exit_status), (True, "client limit", 4))
        self.assertIn("91% of a core", found.notes[0])
        self.assertFalse(summary(cpu=8.9).client_bound)

    def test_a_moment_says_nothing(self) -> None:
        self.assertFalse(summary(elapsed=0.001, cpu=0.002).client_bound)

    def test_of_each_process(self) -> None:
        found = summary(processes=2, cpu=17.0)
        self.assertEqual((found.client_bound, found.client_cpu_share), (False, 0.85))

    def test_lag(self) -> None:
        late = recorded(*[0.1] * 90, *[5] * 10)
        self.assertTrue(summary(lag=late, response_time=recorded(*[20] * 100)).client_bound)
        self.assertFalse(summary(lag=late, response_time=recorded(*[60] * 100)).client_bound)
        self.assertFalse(summary(lag=recorded(*[0.9] * 100), response_time=recorded(*[1] * 100)).client_bound)

    def test_no_time_has_passed(self) -> None:
        found = summary(elapsed=0.0)
        self.assertEqual((found.echoes_per_second, found.client_cpu_share), (0, 0))


class FiguresTests(SynchronousTestCase):
    def test_names(self) -> None:
        names = [percentile_name(percent) for percent in (50.0, 99.9, 99.99, 100)]
        self.assertEqual(names, ["p50", "p99.9", "p99.99", "max"])

    def test_times(self) -> None:
        found = times(recorded(*range(1, 101)))
        assert found is not None
        self.assertEqual(list(found.percentiles), ["p50", "p75", "p90", "p99", "p99.9", "p99.99", "max"])
        self.assertEqual(found.count, 100)
        self.assertEqual(found.percentiles["p50"] // 100, 500)
        self.assertIsNone(times(Histogram()))

    @given(strategies.lists(strategies.floats(1, 59_000), min_size=1))
    def test_percentiles_rise(self, milliseconds: list[float]) -> None:
        found = times(recorded(*milliseconds))
        assert found is not None
        self.assertEqual(list(found.percentiles.values()), sorted(found.percentiles.values()))
        self.assertAlmostEqual(found.percentiles["max"] / (max(milliseconds) * 1000), 1, places=2)

    def test_rates(self) -> None:
        found = summary(server_cpu=4.0)
        self.assertEqual((found.echoes_per_second, found.client_cpu_share), (100, 0.5))
        self.assertEqual(found.server_cpu_us_per_echo, 4_000)
        self.assertIsNone(summary().server_cpu_us_per_echo)
        self.assertIsNone(summary(server_cpu=1.0, messages=0).server_cpu_us_per_echo)


class NotesTests(SynchronousTestCase):
    def test_messages_waited_to_be_sent(self) -> None:
        """L4"""
        found = summary(response_time=recorded(*[1] * 900, *[1400] * 100))
        [note] = found.notes
        self.assertEqual(
            note,
            "messages waited to be sent: p99 of the service time is 1 ms, but p99 of the response time is 1.4 s",
        )

    def test_messages_did_not_wait(self) -> None:
        self.assertEqual(summary(response_time=recorded(*[1.5] * 1000)).notes, ())
        quick = recorded(*[0.1] * 1000)
        self.assertEqual(summary(service_time=quick, response_time=recorded(*[0.9] * 1000)).notes, ())

    def test_not_sent(self) -> None:
        [note] = summary(unsent=1234).notes
        self.assertIn("1,234 messages", note)

    def test_clamped(self) -> None:
        [note] = summary(service_time=recorded(1, 61_000)).notes
        self.assertIn("counted as these: 1", note)
