from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.plan.contestants import catalogue
from echoproto.compare.plan.plan import estimate, fitted
from echoproto.compare.plan.presets import DESCRIPTIONS, MINUTE, preset
from echoproto.compare.run.rounds import split_by_feasibility
from echoproto.host.limits import Machine

MOST = {"quick": 2, "standard": 15, "c10k": 10, "sizes": 10, "seed": 5.5, "churn": 5.5}
"""Minutes that each may take."""

LARGE = Machine(descriptors=1 << 20, tasks=1 << 20, memory=1 << 40)


class PresetTests(SynchronousTestCase):
    def test_each_has_a_budget_that_its_rounds_keep(self) -> None:
        """On a machine where all of it is possible."""
        known = catalogue()
        for name in DESCRIPTIONS:
            plan = preset(name, "epoll")
            assert plan.budget is not None
            self.assertLess(plan.budget, MOST[name] * MINUTE)
            pairs, _ = split_by_feasibility(plan, tuple(known[each] for each in plan.contestants), LARGE)
            seconds = sum(estimate(pair.cell, plan, pair.entry.connecting) for pair in pairs)
            counted = len({pair.entry.name for pair in pairs}) if plan.calls else 0
            self.assertEqual(fitted(plan, seconds, counted).rounds, plan.rounds, name)

    def test_they_name_what_there_is(self) -> None:
        for native in ("epoll", "kqueue", "poll"):
            for name in DESCRIPTIONS:
                plan = preset(name, native)
                lacking = set(plan.contestants) - set(catalogue())
                self.assertEqual(lacking, set(), f"{name} on {native}")
                self.assertEqual((plan.preset, plan.baseline), (name, plan.contestants[0]))
                self.assertGreater(len(plan.contestants), 3)

    def test_what_they_are_for(self) -> None:
        self.assertEqual([cell.idle for cell in preset("c10k", "epoll").cells], [0, 100, 1_000, 10_000])
        self.assertEqual(
            [cell.size_bytes for cell in preset("sizes", "epoll").cells], [64, 1 << 10, 10 << 10, 100 << 10]
        )
        self.assertEqual([cell.churn for cell in preset("churn", "epoll").cells], ["fin", "reset"])
        seed = set(preset("seed", "epoll").contestants)
        self.assertEqual(seed, {"threads", "processes", *(f"echo-{n}" for n in ("select", "poll", "epoll", "kqueue"))})
