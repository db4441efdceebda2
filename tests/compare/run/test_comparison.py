import os
import stat
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.plan.options import Options
from echoproto.compare.results import Calls, Cell, Contestant, Results, Sample
from echoproto.compare.run import comparison, syscalls
from echoproto.compare.run import sample as sample_module
from echoproto.compare.run.comparison import Prepared, Task, _check_generator, measure, prepare
from echoproto.compare.run.sample import Conditions
from echoproto.errors import ConfigurationError
from echoproto.host.limits import Cores, Machine
from echoproto.host.signals import Interruption
from echoproto.load.errors import ClientLimit
from echoproto.progress import Progress

PLENTY = Machine(descriptors=1 << 20, tasks=1 << 20, memory=1 << 40)

LARGE = Machine(descriptors=20_000, tasks=1 << 20, memory=1 << 40)


class Said(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def prepared(preset: str = "quick", **options: Any) -> Prepared:
    return prepare(Task(preset=preset, file=None, options=Options(**options), seed=3, command="typed"))


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(comparison, "machine", lambda: LARGE)
        self.conditions: list[Conditions] = []
        self.pems: list[tuple[str, int]] = []

    def measured(self, made: Prepared, said: Progress | None = None) -> Results:
        """What comes of it, if all samples are good."""

        def sample(
            who: Contestant, cell: Cell, number: int, conditions: Conditions, *rest: object, **more: object
        ) -> Sample:
            self.conditions.append(conditions)
            if conditions.pem:
                with open(conditions.pem, encoding="ascii") as file:
                    self.pems.append((file.read(), os.stat(conditions.pem).st_mode))
            return Sample(contestant=who.name, cell=cell, round=number, verdict="good", idle_rss_bytes=5)

        def count(who: Contestant, cell: Cell, *rest: object, **more: object) -> Calls:
            return Calls(who.name, cell, {"read": 1.0})

        self.patch(sample_module, "measure", sample)
        self.patch(syscalls, "count", count)
        return measure(made, said or Progress(), Interruption())


class PrepareTests(Case):
    def test_what_is_told_before(self) -> None:
        """What is not possible here is known, and the rest is not begun."""
        made = prepared(contestants=("threads", "echo-select", "threads"), idle=(0, 2_000), rounds=4, budget=600.0)
        self.assertRegex(made.announcement, r"^2 contestants under 2 loads, 4 rounds: about \d+ s$")
        self.assertEqual([pair.entry.name for pair in made.pairs], ["threads", "echo-select", "threads"])
        [lacking] = made.results.samples
        self.assertEqual((lacking.contestant, lacking.verdict), ("echo-select", "not possible"))
        results = made.results
        self.assertEqual((results.seed, results.rounds, results.command, results.preset), (3, 4, "typed", "quick"))
        self.assertEqual([who.name for who in results.contestants], ["threads", "echo-select"])
        self.assertIn("twisted", results.environment)

    def test_rounds_that_do_not_fit_are_said_aloud(self) -> None:
        made = prepared(contestants=("threads",), sizes=(64,), duration=5.0, rounds=9, budget=40.0)
        self.assertEqual(made.plan.rounds, 6)
        self.assertIn("1 contestant under 1 load, 6 rounds (of 9: more would not fit into 40 s): ", made.announcement)


class MeasureTests(Case):
    def test_all_of_it(self) -> None:
        made = prepared(contestants=("threads", "echo-select"), idle=(0, 2_000), rounds=2, budget=600.0)
        made = evolve(made, cores=Cores(server=1, client=0))
        said = Said()
        results = self.measured(made, said)
        self.assertEqual(len(results.samples), 1 + 2 * 3)
        self.assertEqual([syscalls.contestant for syscalls in results.calls], ["threads", "echo-select"])
        self.assertFalse(results.partial)
        [impossible, announcement] = said.said
        self.assertTrue(impossible.startswith("echo-select: not possible, because select"))
        self.assertEqual(announcement, made.announcement)
        conditions = self.conditions[0]
        self.assertEqual((conditions.server_cores, conditions.client_cores, conditions.seed), ((1,), (0,), 3))
        self.assertEqual((conditions.duration, conditions.warmup, conditions.pem), (0.5, 0.2, ""))

    def test_a_certificate_for_as_long(self) -> None:
        """Nobody else can read its key."""
        self.measured(prepared(contestants=("asyncio-protocol",), transport="tls", rounds=1))
        self.assertTrue(all("PRIVATE KEY" in text for text, _ in self.pems))
        self.assertEqual({stat.S_IMODE(mode) for _, mode in self.pems}, {0o600})
        self.assertFalse(os.path.exists(self.conditions[0].pem))


class GeneratorTests(SynchronousTestCase):
    def complaint(self, connections: int, descriptors: int = PLENTY.descriptors) -> str:
        with self.assertRaises(ClientLimit) as caught:
            _check_generator([Cell(), Cell(connections=connections)], evolve(PLENTY, descriptors=descriptors))
        return str(caught.exception)

    def test_descriptors(self) -> None:
        """The limit, the number needed, and the way to get it."""
        _check_generator([Cell(connections=800, idle=100)], evolve(PLENTY, descriptors=1_000))
        said = self.complaint(1_000, 1_000)
        for part in ("1,100 descriptors", "may have 1,000", "ulimit -Hn 1100"):
            self.assertIn(part, said)

    def test_ports(self) -> None:
        self.patch(comparison, "local_ports", lambda: 500)
        _check_generator([Cell(connections=500)], PLENTY)
        for part in ("501 connections", "there are 500", "sysctl -w net.ipv4.ip_local_port_range"):
            self.assertIn(part, self.complaint(501))
        _check_generator([Cell(connections=30_000)], PLENTY)  # which come from many addresses

    def test_another_system(self) -> None:
        self.patch(comparison, "local_ports", lambda: None)
        _check_generator([Cell(connections=15_000)], PLENTY)

    def test_memory(self) -> None:
        """Refused once, before any server is started, and not for each contestant."""
        _check_generator([Cell(size_bytes=20 << 20)], evolve(PLENTY, memory=2 << 30))
        error = self.assertRaises(
            ConfigurationError,
            _check_generator,
            [Cell(), Cell(size_bytes=20_000 << 20)],
            evolve(PLENTY, memory=2 << 30),
        )
        self.assertEqual(
            str(error),
            "50 connections with messages of 20000MiB need up to 996.1 GiB of memory, and 2.0 GiB are available: use "
            "smaller --sizes or fewer --connections",
        )
