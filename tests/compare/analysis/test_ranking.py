from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.analysis.measures import CPU, P99, THROUGHPUT
from echoproto.compare.analysis.ranking import Ranking, rank
from echoproto.compare.analysis.statistics import Ratio
from echoproto.compare.results import Cell
from echoproto.load.verdict import LoadVerdict
from tests.compare.runs import TRUTHS, Truth, changed, run

CELL = Cell()
RESULTS = run(cells=[CELL])


class RankTests(SynchronousTestCase):
    def test_the_best_one(self) -> None:
        ranking = rank(judge(RESULTS), CELL, TRUTHS)
        assert ranking is not None
        self.assertEqual((ranking.best, ranking.measure), ("uvloop-protocol", THROUGHPUT))
        self.assertEqual(list(ranking.medians)[:3], ["uvloop-protocol", "echo-lean-epoll", "asyncio-protocol"])
        self.assertEqual(ranking.best_group, ("uvloop-protocol",))
        self.assertEqual(ranking.share("uvloop-protocol"), 1)
        self.assertAlmostEqual(ranking.share("echo-lean-epoll"), 150 / 158, places=1)

    def test_of_some(self) -> None:
        ranking = rank(judge(RESULTS), CELL, ["threads", "echo-epoll"])
        assert ranking is not None
        self.assertEqual(list(ranking.medians), ["echo-epoll", "threads"])

    def test_those_that_are_as_good(self) -> None:
        truths = {"one": Truth("command", 100), "other": Truth("command", 100), "slow": Truth("command", 50)}
        for noise in (0.01, 0.2):
            ranking = rank(judge(run(truths, [CELL], baseline="one", noise=noise)), CELL, truths)
            assert ranking is not None
            self.assertEqual(set(ranking.best_group), {"one", "other"})

    def test_nobody_achieves_more_than_the_best_one(self) -> None:
        noisy = Ratio(1.09, 0.5, 1.6, 7)
        ranking = Ranking(CELL, THROUGHPUT, {"one": 100.0, "other": 90.0}, {"other": noisy})
        self.assertEqual((ranking.share("one"), ranking.share("other")), (1.0, 1.0))
        self.assertTrue(ranking.undecided)
        self.assertFalse(evolve(ranking, ratios={"other": Ratio(0.9, 0.89, 0.91, 7)}).undecided)
        self.assertFalse(Ranking(CELL, THROUGHPUT, {"one": 100.0}, {}).undecided)

    def test_by_cpu_time_if_the_generator_was_the_limit(self) -> None:
        results = changed(
            changed(RESULTS, "threads", server_cpu_us_per_echo=0.1), "echo-poll", verdict=LoadVerdict.CLIENT_LIMIT
        )
        ranking = rank(judge(results), CELL, TRUTHS)
        assert ranking is not None
        self.assertEqual((ranking.best, ranking.measure), ("threads", CPU))
        self.assertLess(ranking.share("uvloop-protocol"), 0.1)

    def test_by_lateness_if_there_is_a_rate(self) -> None:
        cell = Cell(rate=1_000.0)
        ranking = rank(judge(run(cells=[cell])), cell, TRUTHS)
        assert ranking is not None
        self.assertEqual((ranking.best, ranking.measure), ("uvloop-protocol", P99))
        self.assertLess(ranking.share("threads"), 0.5)

    def test_those_without_figures_are_left_out(self) -> None:
        ranking = rank(judge(changed(RESULTS, "uvloop-protocol", verdict="lost", why="7 bytes")), CELL, TRUTHS)
        assert ranking is not None
        self.assertNotIn("uvloop-protocol", ranking.medians)

    def test_nobody(self) -> None:
        self.assertIsNone(rank(judge(RESULTS), CELL, []))
        self.assertIsNone(rank(judge(changed(RESULTS, "threads", echoes_per_second=0.0)), CELL, ["threads"]))
