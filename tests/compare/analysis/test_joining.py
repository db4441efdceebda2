from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.joining import join
from echoproto.compare.analysis.measures import THROUGHPUT, pairs
from echoproto.compare.results import Cell
from echoproto.errors import ConfigurationError
from tests.compare.runs import ENVIRONMENT, TRUTHS, run

CELL = Cell()
ONE = run(cells=[CELL], rounds=3, seed=1)
OTHER = run(cells=[CELL], rounds=2, seed=2)
THIRD = run(cells=[CELL], rounds=2, seed=3)


class JoinTests(SynchronousTestCase):
    def test_a_single_one(self) -> None:
        self.assertEqual(join([ONE]), ONE)

    def test_rounds_follow_on_each_other(self) -> None:
        joined = join([ONE, OTHER, THIRD])
        self.assertEqual(joined.rounds, 7)
        self.assertEqual([sample.round for sample in joined.of("threads", CELL)], list(range(7)))
        self.assertEqual(joined.seed, 1)

    def test_none_of_them_twice(self) -> None:
        """It would seem to be twice as sure as it is."""
        self.assertRaises(ConfigurationError, join, [ONE, OTHER, ONE])
        self.assertRaises(ConfigurationError, join, [ONE, ONE], different_plans=True)

    def test_pairs_stay_within_a_run(self) -> None:
        found = [
            pairs(results.of("echo-epoll", CELL), results.of("threads", CELL), THROUGHPUT)
            for results in (join([ONE, OTHER]), ONE, OTHER)
        ]
        self.assertEqual(found[0], found[1] + found[2])

    def test_partial_if_one_of_them_is(self) -> None:
        self.assertFalse(join([ONE, OTHER]).partial)
        self.assertTrue(join([ONE, evolve(OTHER, partial=True)]).partial)

    def test_calls_are_told_once(self) -> None:
        self.assertEqual(join([ONE, OTHER]).calls, ONE.calls)

    def test_nothing_was_measured_before(self) -> None:
        joined = join([evolve(ONE, samples=()), OTHER])
        self.assertEqual(joined.samples, OTHER.samples)

    def test_others_are_refused(self) -> None:
        elsewhere = evolve(OTHER, environment={**ENVIRONMENT, "cores": 4})
        self.assertRaises(ConfigurationError, join, [ONE, elsewhere])
        self.assertEqual(join([ONE, elsewhere], different_environments=True).environment, ENVIRONMENT)

    def test_other_plans(self) -> None:
        few = {name: TRUTHS[name] for name in ("threads", "twisted-epoll")}
        more = run({**few, "mine": TRUTHS["echo-epoll"]}, [CELL, Cell(idle=7)], rounds=2)
        one = run(few, [CELL], rounds=2)
        self.assertRaises(ConfigurationError, join, [one, more])
        joined = join([one, more], different_plans=True)
        self.assertEqual([each.name for each in joined.contestants], ["threads", "twisted-epoll", "mine"])
        self.assertEqual(joined.cells, (CELL, Cell(idle=7)))
        self.assertEqual([sample.round for sample in joined.of("mine", Cell(idle=7))], [2, 3])
