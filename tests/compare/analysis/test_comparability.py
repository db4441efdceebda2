from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.comparability import check_environments, check_plans, join
from echoproto.compare.analysis.measures import THROUGHPUT, pairs
from echoproto.compare.results import Cell, Results
from echoproto.errors import ConfigurationError
from tests.compare.runs import ENVIRONMENT, TRUTHS, run

RESULTS = run(rounds=1)
CELL = Cell()
ONE = run(cells=[CELL], rounds=3, seed=1)
OTHER = run(cells=[CELL], rounds=2, seed=2)
THIRD = run(cells=[CELL], rounds=2, seed=3)


def elsewhere(**changes: str | int) -> Results:
    return evolve(RESULTS, environment={**ENVIRONMENT, **changes})


class EnvironmentTests(SynchronousTestCase):
    def test_the_same(self) -> None:
        check_environments(RESULTS, RESULTS, may_differ=False)

    def test_what_may_differ(self) -> None:
        other = elsewhere(date="another", load_average="7.0", echoproto="0.2")
        check_environments(RESULTS, other, may_differ=False)

    def test_what_may_not(self) -> None:
        error = self.assertRaises(
            ConfigurationError, check_environments, RESULTS, elsewhere(cores=4, governor="powersave"), may_differ=False
        )
        self.assertIn("cores is '2' and '4'; governor is 'unknown' and 'powersave'", str(error))
        self.assertIn("--different-environments", str(error))

    def test_told_to(self) -> None:
        check_environments(RESULTS, elsewhere(cores=4), may_differ=True)


class PlanTests(SynchronousTestCase):
    def test_the_same(self) -> None:
        check_plans(RESULTS, evolve(RESULTS, seed=9, rounds=9, cells=RESULTS.cells[::-1]), may_differ=False)

    def test_what_differs(self) -> None:
        for changes, why in (
            ({"baseline": "threads"}, "the baseline is 'twisted-epoll' and 'threads'"),
            ({"duration_seconds": 2.5}, "samples of 1 s and of 2.5 s"),
            ({"cells": (Cell(),)}, "the loads are not the same"),
            ({"contestants": RESULTS.contestants[:1]}, "the contestants, or what starts them, are not the same"),
        ):
            other = evolve(RESULTS, **changes)
            error = self.assertRaises(ConfigurationError, check_plans, RESULTS, other, may_differ=False)
            self.assertIn(why, str(error))
            check_plans(RESULTS, other, may_differ=True)


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
