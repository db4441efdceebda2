from __future__ import annotations

import io
import json
import math
import os
import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from contextlib import redirect_stderr

from attrs import evolve
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from checks.bench import __main__ as bench
from checks.bench.parts import Part, all_of_them, few, joined
from checks.bench.targets import LEAN, C, Row, rows
from echoproto.compare.plan.contestants import catalogue
from echoproto.compare.plan.file import read_plan
from echoproto.compare.plan.options import chosen
from echoproto.compare.plan.plan import Plan
from echoproto.compare.results import Cell, Results, document
from echoproto.compare.run.comparison import Prepared, Task, prepare
from echoproto.errors import ConfigurationError
from echoproto.load.verdict import LoadVerdict
from echoproto.progress import Progress
from echoproto.reactors.selection import candidates
from tests.compare.runs import AT_ONCE, ENVIRONMENT, Truth, run

TRUTHS = {
    "twisted-epoll": Truth("twisted", 60_000),
    "echo-epoll": Truth("echoproto", 110_000, calls=AT_ONCE),
    "echo-lean-epoll": Truth("echoproto", 150_000, memory=1_800, calls={"recv": 1.0, "send": 1.0, "epoll_ctl": 2.0}),
    "asyncio-protocol": Truth("asyncio", 130_000),
    "uvloop-protocol": Truth("uvloop", 160_000),
    "c": Truth("command", 200_000),
}
CELLS = (
    Cell(),
    Cell(idle=10_000),
    Cell(connections=10, size_bytes=10 << 10),
    Cell(connections=10, size_bytes=100 << 10),
    Cell(churn="fin"),
    Cell(transport="tls"),
    Cell(connections=20, transport="udp"),
)
PEERS = {"c": "/c {port}", "go": "/go {port}"}


def measured(truths: Mapping[str, Truth] = TRUTHS, cells: tuple[Cell, ...] = CELLS) -> dict[str, Row]:
    return {row.name: row for row in rows(run(truths, cells, noise=0.001))}


class TargetsTests(SynchronousTestCase):
    def test_each_by_what_it_is_to_reach(self) -> None:
        found = {row.name: row.verdict for row in measured().values()}
        self.assertEqual(
            found,
            {
                "default against stock Twisted, 50 × 64 B": "stretch",
                "lean-epoll against stock Twisted, 50 × 64 B": "must",
                "lean-epoll against asyncio, up to 10 KiB": "must",
                "lean-epoll against asyncio, 100 KiB": "stretch",
                "lean-epoll against uvloop, every cell": "must",
                "churn, lean-epoll against asyncio": "NOT REACHED",
                "churn, lean-epoll against uvloop": "NOT REACHED",
                "TLS, lean-epoll against asyncio": "must",
                "UDP, lean-epoll against asyncio": "must",
                "lean-epoll, echoes per CPU time against C": "must",
                "10,000 idle against none, epoll": "stretch",
                "10,000 idle against none, lean-epoll": "stretch",
                "KiB for each idle connection, epoll": "NOT REACHED",
                "KiB for each idle connection, lean-epoll": "must",
                "system calls for each small echo, epoll": "stretch",
                "system calls for each small echo, lean-epoll": "NOT REACHED",
            },
        )

    def test_a_ratio(self) -> None:
        row = measured()["default against stock Twisted, 50 × 64 B"]
        assert row.value is not None
        self.assertTrue(math.isclose(row.value, 110 / 60, rel_tol=0.01), row)
        self.assertRegex(row.shown, r"^1\.8\d \(1\.8\d–1\.8\d\)$")

    def test_where_the_generator_was_the_limit_by_cpu_time(self) -> None:
        whole = run(TRUTHS, CELLS, noise=0.001)
        samples = tuple(
            evolve(each, verdict=LoadVerdict.CLIENT_LIMIT, echoes_per_second=100_000.0)
            if each.contestant == LEAN
            else each
            for each in whole.samples
        )
        found = {row.name: row for row in rows(evolve(whole, samples=samples))}
        row = found["lean-epoll against stock Twisted, 50 × 64 B"]
        assert row.value is not None
        self.assertTrue(math.isclose(row.value, 2.5, rel_tol=0.01), row)
        self.assertIn("by CPU time", row.shown)
        self.assertIn("by CPU time", found["10,000 idle against none, lean-epoll"].shown)

    def test_the_worst_cell_decides(self) -> None:
        slow = evolve(TRUTHS[LEAN], idle=1.0)
        row = measured({**TRUTHS, LEAN: slow})["lean-epoll against uvloop, every cell"]
        self.assertEqual(row.verdict, "NOT REACHED")

    def test_every_cell_is_also_one_over_tls_or_udp(self) -> None:
        """But not churn, which has a row of its own."""
        for transport in ("tls", "udp"):
            whole = run(TRUTHS, CELLS, noise=0.001)
            samples = tuple(
                evolve(each, echoes_per_second=each.echoes_per_second / 2)
                if each.contestant == LEAN and each.cell.transport == transport
                else each
                for each in whole.samples
            )
            found = {row.name: row.verdict for row in rows(evolve(whole, samples=samples))}
            self.assertEqual(found["lean-epoll against uvloop, every cell"], "NOT REACHED")

    def test_what_was_not_measured(self) -> None:
        """It is said, and is no failure."""
        without = {name: truth for name, truth in TRUTHS.items() if name != C}
        self.assertEqual(measured(without)["lean-epoll, echoes per CPU time against C"].verdict, "not measured")
        self.assertEqual({row.verdict for row in measured({C: TRUTHS[C]}, ()).values()}, {"not measured"})


class PartsTests(SynchronousTestCase):
    def plans(self, parts: Iterable[Part]) -> list[tuple[Plan, set[str]]]:
        known, found = catalogue(), []
        for part in parts:
            read = read_plan(part.file)
            plan, entries = chosen(part.options, read.plan, known, read.commands)
            found.append((plan, {entry.name for entry in entries}))
        return found

    def test_few_take_ten_minutes_at_the_most(self) -> None:
        found = self.plans(few(PEERS))
        budgets = [plan.budget for plan, _ in found if plan.budget is not None]
        self.assertEqual(len(budgets), len(found))
        self.assertLessEqual(sum(budgets), 600)
        self.assertIn("c", found[0][1])

    def test_all_of_them_are_every_cell_once(self) -> None:
        found = self.plans(all_of_them(PEERS))
        cells = [cell for plan, _ in found for cell in plan.cells]
        self.assertEqual(len(cells), 4 * 4 * 2 + 2 + 2)
        self.assertEqual(len(set(cells)), len(cells))
        self.assertEqual(len({part.name for part in all_of_them(PEERS)}), len(cells))
        self.assertEqual({(plan.rounds, plan.duration) for plan, _ in found}, {(7, 1.0)})
        for plan, names in found:
            if plan.cells[0].transport == "tcp":
                self.assertLessEqual({"c", "go", "asyncio-streams"}, names)

    def test_few_are_not_resumed_as_all(self) -> None:
        self.assertFalse({part.name for part in few(PEERS)} & {part.name for part in all_of_them(PEERS)})

    def test_joined(self) -> None:
        whole = run(TRUTHS, CELLS)

        def of(cells: tuple[Cell, ...], *names: str) -> Results:
            return evolve(
                whole,
                cells=cells,
                contestants=tuple(each for each in whole.contestants if each.name in names),
                samples=tuple(each for each in whole.samples if each.cell in cells and each.contestant in names),
            )

        one, two = of(CELLS[:2], "c", "echo-epoll"), of(CELLS[2:], "echo-epoll", LEAN)
        both = joined([one, two], "bench")
        self.assertEqual(both.cells, CELLS)
        self.assertEqual([each.name for each in both.contestants], ["echo-epoll", "c", LEAN])
        self.assertEqual(both.samples, (*one.samples, *two.samples))

    def test_joined_are_only_those_of_one_environment(self) -> None:
        here, elsewhere = (
            run(TRUTHS, CELLS[:1]),
            evolve(run(TRUTHS, CELLS[1:]), environment={**ENVIRONMENT, "cores": 64}),
        )
        error = self.assertRaises(ConfigurationError, joined, [here, elsewhere], "bench")
        self.assertIn("cores is '2' and '64'", str(error))
        both = joined([here, elsewhere], "bench", different_environments=True)
        self.assertEqual((both.cells, both.environment), (CELLS, here.environment))


class MeasuredTests(SynchronousTestCase):
    """What is measured when it is resumed."""

    def setUp(self) -> None:
        self.output = os.path.abspath(self.mktemp())
        self.folder = os.path.join(self.output, "parts")
        os.makedirs(self.folder)
        # Not that with 10,000 idle connections, for which not every machine has descriptors.
        self.parts = [part for part in few({}) if part.name != "tcp"]
        self.asked: list[str] = []
        self.patch(bench, "measure", self.measure)

    def measure(self, prepared: Prepared, view: object, interruption: object) -> Results:
        self.asked.append(prepared.plan.cells[0].transport)
        return prepared.results

    def keep(self, part: Part, **changes: str) -> None:
        """Have a part be there already, as if it had been measured here, but for some changes of the environment."""
        here = prepare(Task(preset="", file=part.file, options=part.options, seed=1, command="")).results
        kept = evolve(here, environment={**here.environment, **changes})
        with open(os.path.join(self.folder, f"{part.name}.json"), "w", encoding="utf-8") as file:
            json.dump(document(kept), file)

    def measured(self, *, resume: bool = True, different_environments: bool = False) -> list[str]:
        """Over which transport each of the results is."""
        arguments = Namespace(resume=resume, different_environments=different_environments, seed=1)
        found = bench.measured(iter(self.parts), self.folder, arguments, Progress())
        return [results.cells[0].transport for results in found]

    def test_only_what_is_not_there(self) -> None:
        self.keep(self.parts[1])
        self.assertEqual((self.measured(), self.asked), (["tls", "udp"], ["tls"]))
        self.assertEqual((self.measured(resume=False), self.asked), (["tls", "udp"], ["tls", "tls", "udp"]))

    def test_nothing_if_what_is_there_is_of_another_environment(self) -> None:
        """Also if that is the last of the parts."""
        self.keep(self.parts[1], kernel="Minix 1.1")
        error = self.assertRaises(ConfigurationError, self.measured)
        self.assertIn("kernel is 'Minix 1.1' and ", str(error))
        self.assertEqual(self.asked, [])
        self.assertEqual((self.measured(different_environments=True), self.asked), (["tls", "udp"], ["tls"]))

    def test_it_is_refused_in_one_line(self) -> None:
        """Also if all parts are there."""
        self.keep(self.parts[0])
        self.keep(self.parts[1], kernel="Minix 1.1")
        self.patch(sys, "argv", ["bench", "--resume", "--output", self.output])
        self.patch(bench, "peers", lambda folder: {})
        self.patch(bench, "few", lambda peers: iter(self.parts))
        complaints = io.StringIO()
        with redirect_stderr(complaints):
            self.assertEqual(bench.main(), ConfigurationError.exit_status)
        [line] = complaints.getvalue().splitlines()
        self.assertIn("--different-environments", line)


class TrialsTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not any(each.name == "lean-epoll" and not each.why_not for each in candidates()):
            raise SkipTest("the trials are on lean-epoll, and there is no epoll here")

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=120)

    def test_each_is_an_echo(self) -> None:
        few = ("--rounds=1", "--turns=2", "--connections=3", "--size=1000")
        ended = self.python("-m", "checks.bench.trials", *few)
        self.assertEqual((ended.returncode, ended.stderr.strip()), (0, ""))
        lines = [line for line in ended.stdout.splitlines() if re.search(r" \d+\.\d\d +\d+\.\d\d +\d+\.\d\d–", line)]
        self.assertEqual(len(lines), 13, ended.stdout)
        self.assertIn(" 1.00–1.00", lines[0])

    def test_one_that_is_none(self) -> None:
        broken = """
from checks.bench import trials
def wrong(setting):
    class Wrong(setting.transport):
        def write(self, data):
            super().write(data[::-1])
    setting.transport = Wrong
trials.TRIALS["wrong"] = wrong
trials.sample("wrong", 64, 2, 2)
"""
        ended = self.python("-c", broken)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("RuntimeError: wrong: an echo is not what was sent", ended.stderr)

    def test_what_there_is_not(self) -> None:
        for arguments, problem in (
            (["faster"], "there is no trial 'faster'"),
            (["--size", "1000000"], "--size: 1000000 is not between 1 and 16384"),
        ):
            ended = self.python("-m", "checks.bench.trials", *arguments)
            self.assertEqual(ended.returncode, 2)
            self.assertIn(problem, ended.stderr)


class TLSCallsTests(SynchronousTestCase):
    def test_both_echo(self) -> None:
        few = ("--rounds=1", "--echoes=2", "--size=100")
        ended = subprocess.run(
            [sys.executable, "-m", "checks.bench.tlscalls", *few], capture_output=True, text=True, check=False
        )
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        numbers = r" +\d+\.\d\d" * 5
        self.assertRegex(ended.stdout, rf"(?m)^pyOpenSSL{numbers}  TLSv1\.3, ")
        self.assertRegex(ended.stdout, rf"(?m)^ssl{numbers}  TLSv1\.3, ")
