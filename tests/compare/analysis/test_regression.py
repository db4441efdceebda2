from collections.abc import Mapping
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.analysis.measures import CPU, P99
from echoproto.compare.analysis.regression import Change
from echoproto.compare.analysis.regression import changes as changes_of
from echoproto.compare.analysis.verdict import Kind
from echoproto.compare.results import Cell, Results
from echoproto.errors import ConfigurationError
from echoproto.load.verdict import LoadVerdict
from tests.compare.runs import ENVIRONMENT, TRUTHS, Truth, changed, run

CELL = Cell()
FEW = {name: TRUTHS[name] for name in ("echo-epoll", "echo-poll", "twisted-epoll", "asyncio-protocol")}
OLD = run(FEW, [CELL], seed=1)


def slower(by: float, name: str = "echo-epoll") -> dict[str, Truth]:
    return {**FEW, name: evolve(FEW[name], rate=FEW[name].rate * by)}


def new(truths: Mapping[str, Truth] = FEW, cell: Cell = CELL, **settings: float) -> Results:
    return run(truths, [cell], seed=2, **settings)  # type: ignore[arg-type]


def changes(results: Results, old: Results, **settings: Any) -> tuple[Change, ...]:
    return changes_of(judge(results), judge(old), **settings)


class ChangesTests(SynchronousTestCase):
    def of_epoll(self, results: Results, old: Results = OLD, **settings: float) -> Change:
        found = {change.contestant: change for change in changes(results, old, **settings)}
        self.assertEqual(found["echo-poll"].kind, Kind.SAME)
        self.assertNotIn("twisted-epoll", found)
        return found["echo-epoll"]

    def test_nothing_has_changed(self) -> None:
        change = self.of_epoll(new())
        self.assertEqual((change.kind, change.regression, change.better), (Kind.SAME, False, False))
        self.assertRegex(str(change), r"^no measurable difference: (0\.9|1\.0)\d × ")

    def test_worse(self) -> None:
        change = self.of_epoll(new(slower(0.8)))
        assert change.ratio is not None
        self.assertEqual((change.kind, change.regression, change.better), (Kind.DIFFERENT, True, False))
        self.assertTrue(change.ratio.low < 0.8 < change.ratio.high)
        self.assertRegex(str(change), r"^worse: 0\.[78]\d × \(0\.7\d–0\.8\d\)$")

    def test_better(self) -> None:
        change = self.of_epoll(new(slower(1.3)))
        self.assertEqual((change.kind, change.regression, change.better), (Kind.DIFFERENT, False, True))
        self.assertRegex(str(change), r"^better: 1\.[23]\d × ")

    def test_a_slower_machine_is_no_regression(self) -> None:
        change = self.of_epoll(new({name: evolve(truth, rate=truth.rate / 2) for name, truth in FEW.items()}))
        self.assertEqual(change.kind, Kind.SAME)

    def test_tolerance(self) -> None:
        self.assertTrue(self.of_epoll(new(slower(0.9)), tolerance=0.05).regression)
        self.assertFalse(self.of_epoll(new(slower(0.9)), tolerance=0.2).regression)

    def test_much_worse_among_noise_is_a_regression_all_the_same(self) -> None:
        noisy = new(slower(0.3), noise=0.15)
        found = {change.contestant: change for change in changes(noisy, OLD)}
        self.assertEqual((found["echo-epoll"].kind, found["echo-epoll"].regression), (Kind.DIFFERENT, True))

    def test_noise(self) -> None:
        found = {change.contestant: change for change in changes(new(noise=0.3), OLD)}
        self.assertEqual((found["echo-epoll"].kind, found["echo-epoll"].regression), (Kind.NOISY, False))

    def test_without_a_yardstick_figures_are_compared_as_they_are(self) -> None:
        ours = {"echo-epoll": FEW["echo-epoll"]}
        old = run(ours, [CELL], drift=0.001, baseline="echo-epoll")
        (change,) = changes(new({"echo-epoll": slower(0.8)["echo-epoll"]}, drift=0.001), old)
        self.assertTrue(change.regression)

    def test_what_fails_now_is_a_regression(self) -> None:
        broken = changed(new(), "echo-epoll", verdict="lost", why="7 bytes lost")
        change = self.of_epoll(broken)
        self.assertEqual((str(change), change.regression), ("failed: 7 bytes lost", True))
        self.assertFalse(self.of_epoll(broken, changed(OLD, "echo-epoll", verdict="lost", why="1")).regression)

    def test_what_was_not_measured_is_none(self) -> None:
        without = [each for each in OLD.samples if each.contestant != "echo-epoll"]
        change = self.of_epoll(evolve(OLD, samples=tuple(without)))
        self.assertEqual((str(change), change.regression), ("not measured", False))

    def test_what_failed_before(self) -> None:
        change = self.of_epoll(new(), changed(OLD, "echo-epoll", verdict="lost", why="7 bytes lost"))
        self.assertEqual(str(change), "nothing to compare with: before, it was failed")

    def test_a_yardstick_that_fails_is_left_out(self) -> None:
        broken = changed(new(slower(0.8)), "asyncio-protocol", verdict="lost", why="7 bytes lost")
        self.assertTrue(self.of_epoll(broken).regression)

    def test_no_round_with_a_yardstick(self) -> None:
        apart = [evolve(each, round=each.round + 100 * (each.contestant == "echo-epoll")) for each in OLD.samples]
        change = self.of_epoll(evolve(OLD, samples=tuple(apart)))
        self.assertEqual(change.kind, Kind.NOTHING_TO_COMPARE)

    def test_the_generator_was_the_limit(self) -> None:
        change = self.of_epoll(changed(new(slower(0.8)), "echo-epoll", verdict=LoadVerdict.CLIENT_LIMIT))
        self.assertEqual((change.measure, change.regression), (CPU, True))
        self.assertRegex(str(change), r"^worse: 1\.2\d × the CPU time ")

    def test_with_a_rate(self) -> None:
        cell = Cell(rate=100.0)
        change = self.of_epoll(new(slower(0.8), cell), run(FEW, [cell]))
        self.assertEqual((change.measure, change.regression), (P99, True))

    def test_only_what_both_have(self) -> None:
        other = run({**FEW, "mine": TRUTHS["threads"]}, [CELL, Cell(idle=7)])
        self.assertEqual({change.cell for change in changes(other, OLD)}, {CELL})
        self.assertEqual({change.contestant for change in changes(other, OLD)}, {"echo-epoll", "echo-poll"})

    def test_other_environments_are_refused(self) -> None:
        elsewhere = evolve(OLD, environment={**ENVIRONMENT, "cores": 4})
        self.assertRaises(ConfigurationError, changes, new(), elsewhere)
        self.assertEqual(len(changes(new(), elsewhere, different_environments=True)), 2)
