from attrs import evolve
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.plan.plan import COUNTING, FEWEST, Plan, check_cell, estimate, fitted, over
from echoproto.compare.results import Cell
from echoproto.errors import ConfigurationError

PLAN = Plan(contestants=("a", "b"), cells=[Cell()], baseline="a")


class EstimateTests(SynchronousTestCase):
    def test_each_connection_takes_time(self) -> None:
        few = estimate(Cell(connections=1), PLAN, 0.01)
        self.assertAlmostEqual(estimate(Cell(connections=2, idle=99), PLAN, 0.01) - few, 1.0)
        self.assertGreater(few, PLAN.duration + PLAN.warmup)


class FittedTests(SynchronousTestCase):
    @given(
        strategies.integers(1, 100),
        strategies.floats(0.1, 1e4),
        strategies.just(0.0) | strategies.floats(0.01, 1e3),
        strategies.integers(0, 20),
    )
    def test_it_keeps_the_budget(self, rounds: int, budget: float, seconds: float, counted: int) -> None:
        """As many rounds as fit, never more than were asked for; or a complaint."""
        plan = evolve(PLAN, rounds=rounds, budget=budget)
        try:
            cut = fitted(plan, seconds, counted)
        except ConfigurationError as error:
            self.assertIn("--budget", str(error))
            self.assertGreater(min(FEWEST, rounds) * seconds + counted * COUNTING, budget * 0.999)
            return
        self.assertTrue(1 <= cut.rounds <= rounds)
        if seconds:
            self.assertLessEqual(cut.rounds * seconds + counted * COUNTING, budget * 1.001)
        if cut.rounds < rounds:
            self.assertGreater((cut.rounds + 1) * seconds + counted * COUNTING, budget * 0.999)

    def test_without_a_budget(self) -> None:
        self.assertEqual(fitted(PLAN, 1e9, 9), PLAN)


class CellTests(SynchronousTestCase):
    def test_what_can_not_be_meant(self) -> None:
        for cell, part in (
            (Cell(connections=0), "connections"),
            (Cell(idle=-1), "idle"),
            (Cell(size_bytes=0), "1 byte"),
            (Cell(rate=0.0), "rate"),
            (Cell(rate=float("inf")), "rate"),
            (Cell(transport="udp", idle=1), "UDP"),
            (Cell(transport="udp", churn="fin"), "UDP"),
            (Cell(transport="udp", size_bytes=15), "UDP"),
            (Cell(transport="udp", size_bytes=65_508), "UDP"),
        ):
            with self.assertRaises(ConfigurationError) as caught:
                check_cell(cell)
            self.assertIn(part, str(caught.exception))
        for cell in (Cell(), Cell(transport="udp", size_bytes=16), Cell(transport="tls", churn="reset", rate=0.5)):
            check_cell(cell)

    def test_over_another_transport(self) -> None:
        """What UDP has no such thing for is left out."""
        cells = (Cell(), Cell(idle=5), Cell(size_bytes=100))
        self.assertEqual(over(cells, "udp"), (Cell(transport="udp"), Cell(transport="udp", size_bytes=100)))
        self.assertEqual(over(cells, "tls"), tuple(evolve(cell, transport="tls") for cell in cells))
        with self.assertRaises(ConfigurationError) as caught:
            over([Cell(churn="fin")], "udp")
        self.assertIn("--transport udp", str(caught.exception))

    def test_each_only_once(self) -> None:
        plan = Plan(contestants=("a", "b", "a"), cells=[Cell(), Cell(idle=1), Cell()], baseline="a")
        self.assertEqual((plan.contestants, plan.cells), (("a", "b"), (Cell(), Cell(idle=1))))
