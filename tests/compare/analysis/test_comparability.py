from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.comparability import check_environments, check_plans
from echoproto.compare.results import Cell, Results
from echoproto.errors import ConfigurationError
from tests.compare.runs import ENVIRONMENT, run

RESULTS = run(rounds=1)


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
