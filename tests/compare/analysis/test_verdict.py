import math
from random import Random

from attrs import evolve
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from checks.coverage_of_intervals import lognormal, simulated
from echoproto.compare.analysis.measures import CPU, P99, THROUGHPUT
from echoproto.compare.analysis.statistics import Ratio
from echoproto.compare.analysis.verdict import (
    NO_DIFFERENCE,
    NOISY_WIDTH,
    Kind,
    Verdict,
    judge,
    kind_of,
    show_ratio,
    verdicts,
)
from echoproto.compare.results import CLIENT_LIMIT, NOT_POSSIBLE, Cell, Results
from tests.compare.runs import TRUTHS, Truth, changed, run

CELL = Cell()
RESULTS = run(cells=[CELL])
TWINS = {"one": Truth("command", 100_000), "other": Truth("command", 100_000)}


def kind(results: Results, name: str) -> Kind:
    return judge(results, name, CELL).kind


class JudgeTests(SynchronousTestCase):
    """The first that holds, in this order."""

    def test_not_measured(self) -> None:
        verdict = judge(evolve(RESULTS, samples=()), "echo-epoll", CELL)
        self.assertEqual((verdict.kind, str(verdict)), (Kind.NOT_MEASURED, "not measured"))

    def test_not_possible(self) -> None:
        results = changed(RESULTS, "echo-epoll", verdict=NOT_POSSIBLE, why="it holds 1,024")
        verdict = judge(results, "echo-epoll", CELL)
        self.assertEqual(verdict.kind, Kind.NOT_POSSIBLE)
        self.assertEqual(str(verdict), "not possible, because it holds 1,024")

    def test_failed(self) -> None:
        verdict = judge(changed(RESULTS, "echo-epoll", verdict="corrupt", why="at offset 7"), "echo-epoll", CELL)
        self.assertEqual((verdict.kind, str(verdict)), (Kind.FAILED, "failed, because corrupt: at offset 7"))

    def test_one_failure_is_enough(self) -> None:
        first, *rest = RESULTS.of("echo-epoll", CELL)
        others = tuple(each for each in RESULTS.samples if each.contestant != "echo-epoll")
        failed = evolve(first, verdict="lost", why="7 bytes lost")
        verdict = judge(evolve(RESULTS, samples=(failed, *rest, *others)), "echo-epoll", CELL)
        self.assertEqual(str(verdict), "failed, because 7 bytes lost (in 1 of 7 rounds)")

    def test_the_baseline(self) -> None:
        self.assertEqual(str(judge(RESULTS, "twisted-epoll", CELL)), "baseline")
        bound = changed(RESULTS, "twisted-epoll", verdict=CLIENT_LIMIT)
        self.assertEqual(str(judge(bound, "twisted-epoll", CELL)), "baseline (client-bound)")

    def test_no_baseline(self) -> None:
        verdict = judge(changed(RESULTS, "twisted-epoll", verdict="failed", why="it broke"), "echo-epoll", CELL)
        self.assertEqual(str(verdict), "nothing to compare with (the baseline has no figures here)")
        apart = [evolve(each, round=each.round + 100 * (each.contestant == "echo-epoll")) for each in RESULTS.samples]
        verdict = judge(evolve(RESULTS, samples=tuple(apart)), "echo-epoll", CELL)
        self.assertEqual(verdict.kind, Kind.NOTHING_TO_COMPARE)

    def test_client_bound(self) -> None:
        """Then the processor time is what tells."""
        for name in ("echo-epoll", "twisted-epoll"):
            verdict = judge(changed(RESULTS, name, verdict=CLIENT_LIMIT), "echo-epoll", CELL)
            assert verdict.ratio is not None
            self.assertEqual((verdict.kind, verdict.measure), (Kind.CLIENT_BOUND, CPU))
            self.assertTrue(verdict.ratio.low < 62 / 107 < verdict.ratio.high)
            self.assertRegex(str(verdict), r"^client-bound: 0\.5\d × the processor time \(0\.5\d–0\.5\d\)$")

    def test_client_bound_in_a_round_or_two(self) -> None:
        samples = [evolve(each, verdict=CLIENT_LIMIT) if each.round < 3 else each for each in RESULTS.samples]
        self.assertEqual(kind(evolve(RESULTS, samples=tuple(samples)), "echo-epoll"), Kind.DIFFERENT)

    def test_client_bound_and_nothing_known_of_the_server(self) -> None:
        results = changed(changed(RESULTS, "echo-epoll", verdict=CLIENT_LIMIT), "twisted-epoll", server_cpu_us=None)
        self.assertEqual(str(judge(results, "echo-epoll", CELL)), "client-bound (and the processor time is unknown)")

    def test_noisy(self) -> None:
        verdict = judge(run(cells=[CELL], noise=0.2), "echo-epoll", CELL)
        self.assertEqual(verdict.kind, Kind.NOISY)
        self.assertRegex(str(verdict), r"^noisy: \d\.\d\d × \(\d\.\d\d–\d\.\d\d\)$")

    def test_too_few_rounds(self) -> None:
        verdict = judge(run(cells=[CELL], rounds=4, noise=0.0001), "echo-epoll", CELL)
        self.assertEqual(str(verdict), "noisy: 1.73 × (of 4 rounds only)")

    def test_no_measurable_difference(self) -> None:
        self.assertEqual(kind(run(TWINS, [CELL], baseline="one"), "other"), Kind.SAME)

    def test_a_difference_that_nobody_minds(self) -> None:
        truths = {**TWINS, "other": Truth("command", 101_000)}
        self.assertEqual(kind(run(truths, [CELL], baseline="one", noise=0.001), "other"), Kind.SAME)

    def test_a_difference(self) -> None:
        verdict = judge(RESULTS, "echo-epoll", CELL)
        self.assertEqual((verdict.kind, verdict.measure), (Kind.DIFFERENT, THROUGHPUT))
        self.assertTrue(verdict.better)
        self.assertRegex(str(verdict), r"^1\.7\d × \(1\.[67]\d–1\.7\d\)$")
        worse = judge(evolve(RESULTS, baseline="echo-epoll"), "twisted-epoll", CELL)
        self.assertEqual((worse.kind, worse.better), (Kind.DIFFERENT, False))

    def test_with_a_rate_lateness_decides(self) -> None:
        cell = Cell(rate=1_000.0)
        verdict = judge(run(cells=[cell]), "echo-epoll", cell)
        self.assertEqual((verdict.kind, verdict.measure, verdict.better), (Kind.DIFFERENT, P99, True))
        self.assertRegex(str(verdict), r"^0\.5\d × the p99 \(0\.5\d–0\.5\d\)$")

    def test_each_contestant_in_each_cell(self) -> None:
        results = run(rounds=5)
        found = verdicts(results)
        self.assertEqual(len(found), len(TRUTHS) * len(results.cells))
        select = [str(each) for each in found if each.contestant == "echo-select"][-1]
        self.assertEqual(select, "not possible, because it holds 1,024 connections, and here there are 10,050")


class KnownTruthTests(SynchronousTestCase):
    def called_different(self, noise: float, rounds: int) -> int:
        random = Random(f"{noise} {rounds}")
        ratios = [simulated(random, lambda draw: draw.gauss(0, noise), rounds, truth=1.0) for _ in range(200)]
        return sum(kind_of(ratio) is Kind.DIFFERENT for ratio in ratios)

    def test_equals_are_rarely_called_different(self) -> None:
        """At most 5 of 100 times, whatever the noise."""
        for noise, rounds in ((0.01, 5), (0.1, 7)):
            self.assertLessEqual(self.called_different(noise, rounds), 10, noise)

    def test_what_differs_by_a_fifth_is_found(self) -> None:
        random = Random(12)
        ratios = [simulated(random, lognormal, 7, 1.2) for _ in range(50)]
        self.assertGreater(sum(kind_of(ratio) is Kind.DIFFERENT for ratio in ratios), 45)


BOUNDS = strategies.floats(0.01, 100)


class KindTests(SynchronousTestCase):
    @given(BOUNDS, BOUNDS)
    def test_what_a_ratio_says(self, one: float, other: float) -> None:
        low, high = sorted((one, other))
        ratio = Ratio(math.sqrt(low * high), low, high, 5)
        found = kind_of(ratio)
        if (high - low) / ratio.value > NOISY_WIDTH:
            self.assertIs(found, Kind.NOISY)
        elif low <= 1 <= high or ratio.within(NO_DIFFERENCE):
            self.assertIs(found, Kind.SAME)
        else:
            self.assertIs(found, Kind.DIFFERENT)


class TextTests(SynchronousTestCase):
    def test_digits(self) -> None:
        for value, text in ((0.0123, "0.012"), (0.1, "0.10"), (1.683, "1.68"), (12.34, "12.3"), (123.4, "123")):
            self.assertEqual(show_ratio(Ratio(value, value, value, 5), THROUGHPUT), f"{text} × ({text}–{text})")

    def test_a_single_round(self) -> None:
        self.assertEqual(show_ratio(Ratio(2.0, 0, math.inf, 1), THROUGHPUT), "2.00 × (of 1 round only)")

    def test_without_a_reason(self) -> None:
        self.assertEqual(str(Verdict("echo-epoll", CELL, Kind.FAILED, THROUGHPUT)), "failed")
