from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import Spread, judge
from echoproto.compare.analysis.measures import CPU, MEASURES, MEMORY, P99, THROUGHPUT
from echoproto.compare.analysis.verdict import Kind
from echoproto.compare.results import NOT_POSSIBLE, Cell, Results
from echoproto.load.verdict import LoadVerdict
from tests.compare.runs import CELLS, TRUTHS, Truth, changed, run

CELL = Cell()
RESULTS = run(cells=[CELL])
TWINS = {"one": Truth("command", 100_000), "other": Truth("command", 100_000)}


def kind(results: Results, name: str) -> Kind:
    return judge(results).at(name, CELL).verdict.kind


class FiguresTests(SynchronousTestCase):
    def test_cell_by_cell(self) -> None:
        results = run(rounds=1)
        expected = [(name, cell) for cell in CELLS for name in TRUTHS]
        self.assertEqual([(each.contestant.name, each.cell) for each in judge(results)], expected)
        self.assertEqual([each.contestant.name for each in judge(results).under(CELLS[1])], list(TRUTHS))

    def test_samples_by_round(self) -> None:
        backwards = evolve(RESULTS, samples=RESULTS.samples[::-1])
        self.assertEqual([each.round for each in judge(backwards).at("threads", CELL).samples], list(range(7)))

    def test_spread(self) -> None:
        """Over the rounds in which a measure is known; a figure of 0 is too little to be measured."""
        ones = [
            evolve(RESULTS.of("threads", CELL)[number], server_cpu_us_per_echo=value)
            for number, value in enumerate((5, None, 1, 0, 2))
        ]
        results = evolve(RESULTS, samples=(*ones, *RESULTS.of(RESULTS.baseline, CELL)))
        figure = judge(results).at("threads", CELL)
        self.assertEqual((figure.spreads[CPU], figure.median(CPU)), (Spread(2, 1, 5), 2))
        self.assertIsNone(figure.median(MEMORY))
        self.assertEqual([measure for measure in MEASURES if measure in figure.spreads], list(MEASURES[:-1]))

    def test_void(self) -> None:
        """Results of a contestant that failed are in no table or picture."""
        figure = judge(changed(RESULTS, "threads", verdict="lost", why="7 bytes")).at("threads", CELL)
        self.assertEqual((figure.void, figure.spreads, figure.median(THROUGHPUT)), (True, {}, None))
        self.assertFalse(judge(RESULTS).at("threads", CELL).void)

    def test_client_bound(self) -> None:
        samples = [
            evolve(each, verdict=LoadVerdict.CLIENT_LIMIT) if each.round < 4 else each for each in RESULTS.samples
        ]
        self.assertTrue(all(each.client_bound for each in judge(evolve(RESULTS, samples=tuple(samples)))))
        self.assertFalse(any(each.client_bound for each in judge(RESULTS)))


class VerdictTests(SynchronousTestCase):
    """The first that holds, in this order."""

    def test_not_measured(self) -> None:
        verdict = judge(evolve(RESULTS, samples=())).at("echo-epoll", CELL).verdict
        self.assertEqual((verdict.kind, str(verdict)), (Kind.NOT_MEASURED, "not measured"))

    def test_not_possible(self) -> None:
        results = changed(RESULTS, "echo-epoll", verdict=NOT_POSSIBLE, why="it holds 1,024")
        verdict = judge(results).at("echo-epoll", CELL).verdict
        self.assertEqual(verdict.kind, Kind.NOT_POSSIBLE)
        self.assertEqual(str(verdict), "not possible, because it holds 1,024")

    def test_failed(self) -> None:
        verdict = (
            judge(changed(RESULTS, "echo-epoll", verdict="corrupt", why="at offset 7")).at("echo-epoll", CELL).verdict
        )
        self.assertEqual((verdict.kind, str(verdict)), (Kind.FAILED, "failed, because corrupt: at offset 7"))

    def test_one_failure_is_enough(self) -> None:
        first, *rest = RESULTS.of("echo-epoll", CELL)
        others = tuple(each for each in RESULTS.samples if each.contestant != "echo-epoll")
        failed = evolve(first, verdict="lost", why="7 bytes lost")
        verdict = judge(evolve(RESULTS, samples=(failed, *rest, *others))).at("echo-epoll", CELL).verdict
        self.assertEqual(str(verdict), "failed, because 7 bytes lost (in 1 of 7 rounds)")

    def test_the_baseline(self) -> None:
        self.assertEqual(str(judge(RESULTS).at("twisted-epoll", CELL).verdict), "baseline")
        bound = changed(RESULTS, "twisted-epoll", verdict=LoadVerdict.CLIENT_LIMIT)
        self.assertEqual(str(judge(bound).at("twisted-epoll", CELL).verdict), "baseline (client-bound)")

    def test_no_baseline(self) -> None:
        verdict = (
            judge(changed(RESULTS, "twisted-epoll", verdict="failed", why="it broke")).at("echo-epoll", CELL).verdict
        )
        self.assertEqual(str(verdict), "nothing to compare with (the baseline has no figures here)")
        apart = [evolve(each, round=each.round + 100 * (each.contestant == "echo-epoll")) for each in RESULTS.samples]
        verdict = judge(evolve(RESULTS, samples=tuple(apart))).at("echo-epoll", CELL).verdict
        self.assertEqual(verdict.kind, Kind.NOTHING_TO_COMPARE)

    def test_client_bound(self) -> None:
        """Then the CPU time is what tells."""
        for name in ("echo-epoll", "twisted-epoll"):
            verdict = judge(changed(RESULTS, name, verdict=LoadVerdict.CLIENT_LIMIT)).at("echo-epoll", CELL).verdict
            assert verdict.ratio is not None
            self.assertEqual((verdict.kind, verdict.measure), (Kind.CLIENT_BOUND, CPU))
            self.assertTrue(verdict.ratio.low < 62 / 107 < verdict.ratio.high)
            self.assertRegex(str(verdict), r"^client-bound: 0\.5\d × the CPU time \(0\.5\d–0\.5\d\)$")

    def test_client_bound_in_a_round_or_two(self) -> None:
        samples = [
            evolve(each, verdict=LoadVerdict.CLIENT_LIMIT) if each.round < 3 else each for each in RESULTS.samples
        ]
        self.assertEqual(kind(evolve(RESULTS, samples=tuple(samples)), "echo-epoll"), Kind.DIFFERENT)

    def test_client_bound_and_nothing_known_of_the_server(self) -> None:
        results = changed(
            changed(RESULTS, "echo-epoll", verdict=LoadVerdict.CLIENT_LIMIT),
            "twisted-epoll",
            server_cpu_us_per_echo=None,
        )
        self.assertEqual(
            str(judge(results).at("echo-epoll", CELL).verdict), "client-bound (and the CPU time is unknown)"
        )

    def test_noisy(self) -> None:
        verdict = judge(run(cells=[CELL], noise=0.2)).at("echo-epoll", CELL).verdict
        self.assertEqual(verdict.kind, Kind.NOISY)
        self.assertRegex(str(verdict), r"^noisy: \d\.\d\d × \(\d\.\d\d–\d\.\d\d\)$")

    def test_too_few_rounds(self) -> None:
        verdict = judge(run(cells=[CELL], rounds=4, noise=0.0001)).at("echo-epoll", CELL).verdict
        self.assertEqual(str(verdict), "noisy: 1.73 × (of 4 rounds only)")

    def test_no_measurable_difference(self) -> None:
        self.assertEqual(kind(run(TWINS, [CELL], baseline="one"), "other"), Kind.SAME)

    def test_a_difference_that_nobody_minds(self) -> None:
        truths = {**TWINS, "other": Truth("command", 101_000)}
        self.assertEqual(kind(run(truths, [CELL], baseline="one", noise=0.001), "other"), Kind.SAME)

    def test_a_difference(self) -> None:
        verdict = judge(RESULTS).at("echo-epoll", CELL).verdict
        self.assertEqual((verdict.kind, verdict.measure), (Kind.DIFFERENT, THROUGHPUT))
        self.assertTrue(verdict.better)
        self.assertRegex(str(verdict), r"^1\.7\d × \(1\.[67]\d–1\.7\d\)$")
        worse = judge(evolve(RESULTS, baseline="echo-epoll")).at("twisted-epoll", CELL).verdict
        self.assertEqual((worse.kind, worse.better), (Kind.DIFFERENT, False))

    def test_with_a_rate_lateness_decides(self) -> None:
        cell = Cell(rate=1_000.0)
        verdict = judge(run(cells=[cell])).at("echo-epoll", cell).verdict
        self.assertEqual((verdict.kind, verdict.measure, verdict.better), (Kind.DIFFERENT, P99, True))
        self.assertRegex(str(verdict), r"^0\.5\d × the p99 \(0\.5\d–0\.5\d\)$")

    def test_each_contestant_in_each_cell(self) -> None:
        results = run(rounds=5)
        found = judge(results)
        self.assertEqual(len(list(found)), len(TRUTHS) * len(results.cells))
        select = found.at("echo-select", CELLS[-1])
        self.assertEqual(
            (str(select.verdict), select.spreads),
            ("not possible, because it holds 1,024 connections, and here there are 10,050", {}),
        )
