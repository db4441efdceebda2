from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.plan.contestants import Entry, catalogue, of_command
from echoproto.compare.plan.options import Options, chosen
from echoproto.compare.plan.plan import Plan
from echoproto.compare.results import Cell
from echoproto.errors import ConfigurationError
from echoproto.reactors.selection import auto_name

BASE = Plan(preset="p", contestants=("echo-poll", "threads"), cells=[Cell(), Cell(idle=9)], baseline="threads")


class OptionsTests(SynchronousTestCase):
    def chosen(self, base: Plan = BASE, commands: tuple[Entry, ...] = (), **given: Any) -> Plan:
        plan, entries = chosen(Options(**given), base, catalogue(), commands)
        self.assertEqual(plan.contestants, tuple(entry.name for entry in entries))
        return plan

    def complaint(self, **given: Any) -> str:
        with self.assertRaises(ConfigurationError) as caught:
            self.chosen(**given)
        return str(caught.exception)

    def test_nothing_given(self) -> None:
        self.assertEqual(self.chosen(), BASE)

    def test_times_and_rounds(self) -> None:
        given: dict[str, Any] = {"rounds": 9, "duration": 2.0, "warmup": 0.0, "budget": 7.0, "calls": False}
        self.assertEqual(self.chosen(**given), evolve(BASE, **given))

    def test_contestants_in_place_of_the_plans(self) -> None:
        self.assertEqual(self.chosen(contestants=("processes",)).contestants, ("processes",))
        plan = self.chosen(reactors=("auto", "select"), contestants=("threads", "echo-select"))
        self.assertEqual(plan.contestants, (f"echo-{auto_name()}", "echo-select", "threads"))
        self.assertEqual(plan.baseline, "threads")

    def test_one_of_ones_own_comes_to_the_others(self) -> None:
        plan = self.chosen(contestant=("mine=./a {port}", "yours=./b {port}"))
        self.assertEqual(plan.contestants, ("echo-poll", "threads", "mine", "yours"))

    def test_those_of_a_plan(self) -> None:
        base = evolve(BASE, contestants=("x",), baseline="x")
        self.assertEqual(self.chosen(base, (of_command("x=./x {port}"),)).contestants, ("x",))

    def test_the_baseline(self) -> None:
        self.assertEqual(self.chosen(baseline="echo-poll").baseline, "echo-poll")
        self.assertEqual(self.chosen(contestants=("processes", "echo-poll")).baseline, "processes")
        self.assertIn("--baseline x: must be one of the contestants", self.complaint(baseline="x"))

    def test_complaints(self) -> None:
        self.assertIn("another name", self.complaint(contestant=("threads=./a {port}",)))
        self.assertIn("no such contestant: 'nobody'", self.complaint(contestants=("nobody",)))
        self.assertIn(
            "--reactors iocp: no such reactor; must be one of auto, epoll, ", self.complaint(reactors=("iocp",))
        )
        self.assertIn("rate", self.complaint(rate=0.0))
        self.assertIn("UDP", self.complaint(transport="udp", idle=(5,)))

    def test_cells_are_all_combinations(self) -> None:
        cells = self.chosen(connections=(1, 2), idle=(0, 3), sizes=(7,), rate=5.0).cells
        expected = [Cell(c, 7, idle, "tcp", 5.0) for c, idle in ((1, 0), (1, 3), (2, 0), (2, 3))]
        self.assertEqual(list(cells), expected)
        self.assertEqual(self.chosen(churn="fin").cells, (Cell(churn="fin"),))

    def test_another_transport(self) -> None:
        self.assertEqual(self.chosen(transport="tls").cells, (Cell(transport="tls"), Cell(idle=9, transport="tls")))
        self.assertEqual(self.chosen(transport="udp").cells, (Cell(transport="udp"),))
        self.assertEqual(self.chosen(transport="udp", sizes=(99,)).cells, (Cell(size_bytes=99, transport="udp"),))
        base = evolve(BASE, cells=[Cell(transport="tls")])
        self.assertEqual(self.chosen(base, sizes=(99,)).cells, (Cell(size_bytes=99, transport="tls"),))
