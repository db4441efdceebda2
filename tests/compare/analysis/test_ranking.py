from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.measures import CPU, P99, THROUGHPUT
from echoproto.compare.analysis.ranking import Choice, choose
from echoproto.compare.analysis.statistics import Ratio
from echoproto.compare.results import CLIENT_LIMIT, Cell
from tests.compare.runs import TRUTHS, Truth, changed, run

CELL = Cell()
RESULTS = run(cells=[CELL])


class ChooseTests(SynchronousTestCase):
    def test_the_best_one(self) -> None:
        choice = choose(RESULTS, CELL, TRUTHS)
        assert choice is not None
        self.assertEqual((choice.best, choice.measure), ("uvloop-protocol", THROUGHPUT))
        self.assertEqual(list(choice.middles)[:3], ["uvloop-protocol", "echo-lean-epoll", "asyncio-protocol"])
        self.assertEqual(choice.good, ("uvloop-protocol",))
        self.assertEqual(choice.share("uvloop-protocol"), 1)
        self.assertAlmostEqual(choice.share("echo-lean-epoll"), 150 / 158, places=1)

    def test_of_some(self) -> None:
        choice = choose(RESULTS, CELL, ["threads", "echo-epoll"])
        assert choice is not None
        self.assertEqual(list(choice.middles), ["echo-epoll", "threads"])

    def test_those_that_are_as_good(self) -> None:
        truths = {"one": Truth("command", 100), "other": Truth("command", 100), "slow": Truth("command", 50)}
        for noise in (0.01, 0.2):
            choice = choose(run(truths, [CELL], baseline="one", noise=noise), CELL, truths)
            assert choice is not None
            self.assertEqual(set(choice.good), {"one", "other"})

    def test_nobody_achieves_more_than_the_best_one(self) -> None:
        noisy = Ratio(1.09, 0.5, 1.6, 7)
        choice = Choice(CELL, THROUGHPUT, {"one": 100.0, "other": 90.0}, {"other": noisy})
        self.assertEqual((choice.share("one"), choice.share("other")), (1.0, 1.0))
        self.assertTrue(choice.undecided)
        self.assertFalse(evolve(choice, ratios={"other": Ratio(0.9, 0.89, 0.91, 7)}).undecided)
        self.assertFalse(Choice(CELL, THROUGHPUT, {"one": 100.0}, {}).undecided)

    def test_by_processor_time_if_the_generator_was_the_limit(self) -> None:
        results = changed(changed(RESULTS, "threads", server_cpu_us=0.1), "echo-poll", verdict=CLIENT_LIMIT)
        choice = choose(results, CELL, TRUTHS)
        assert choice is not None
        self.assertEqual((choice.best, choice.measure), ("threads", CPU))
        self.assertLess(choice.share("uvloop-protocol"), 0.1)

    def test_by_lateness_if_there_is_a_rate(self) -> None:
        cell = Cell(rate=1_000.0)
        choice = choose(run(cells=[cell]), cell, TRUTHS)
        assert choice is not None
        self.assertEqual((choice.best, choice.measure), ("uvloop-protocol", P99))
        self.assertLess(choice.share("threads"), 0.5)

    def test_those_without_figures_are_left_out(self) -> None:
        choice = choose(changed(RESULTS, "uvloop-protocol", verdict="lost", why="7 bytes"), CELL, TRUTHS)
        assert choice is not None
        self.assertNotIn("uvloop-protocol", choice.middles)

    def test_nobody(self) -> None:
        self.assertIsNone(choose(RESULTS, CELL, []))
        self.assertIsNone(choose(changed(RESULTS, "threads", echoes_per_second=0.0), CELL, ["threads"]))
