from attrs import evolve
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.plan.contestants import Entry, catalogue, of_command, on_reactors, pick
from echoproto.compare.results import Cell
from echoproto.errors import ConfigurationError
from echoproto.host.limits import Machine
from echoproto.reactors.selection import auto_name, candidates

LARGE = Machine(descriptors=1 << 20, tasks=1 << 20, memory=1 << 40)


class CatalogueTests(SynchronousTestCase):
    def test_who_there_is(self) -> None:
        known = catalogue()
        groups = {entry.group for entry in known.values()}
        self.assertEqual(groups, {"echoproto", "twisted", "asyncio", "uvloop", "socketserver"})
        for name in ("echo-epoll", "echo-epoll-buffered", "echo-lean-epoll", "twisted-select", "threads", "processes"):
            self.assertIn(name, known)
        for name, entry in known.items():
            self.assertEqual(name, entry.name)
            self.assertTrue(entry.description)
            for command in entry.commands.values():
                self.assertIn("{port}", command)
            if entry.group == "echoproto":
                self.assertIn("--greeting ''", entry.commands["tcp"])

    def test_reactors_that_are_not_here(self) -> None:
        """All that this platform has can be started, and what it lacks says why."""
        usable = {candidate.name for candidate in candidates() if not candidate.why_not}
        for entry in catalogue().values():
            if entry.reactor:
                self.assertEqual(bool(entry.why_not), entry.reactor not in usable, entry)
        self.assertIn(f"echo-{auto_name()}", catalogue())

    def test_what_results_tell(self) -> None:
        told = catalogue()["echo-poll"].contestant("tcp")
        self.assertEqual((told.name, told.group), ("echo-poll", "echoproto"))
        self.assertEqual(told.command[:2], ("{twistd}", "-n"))
        self.assertIn("", told.command)
        self.assertEqual(catalogue()["threads"].contestant("udp").command, ())


class CannotTests(SynchronousTestCase):
    def cannot(self, name: str, cell: Cell, machine: Machine = LARGE, why_not: str = "") -> str:
        return evolve(catalogue()[name], why_not=why_not).cannot(cell, machine)

    def test_select(self) -> None:
        for name in ("echo-select", "twisted-select", "echo-select-buffered"):
            self.assertIn("FD_SETSIZE", self.cannot(name, Cell(idle=1_000)))
            self.assertEqual(self.cannot(name, Cell(idle=900)), "")

    def test_udp_has_no_connections(self) -> None:
        self.assertEqual(self.cannot("echo-select", Cell(connections=2_000, transport="udp")), "")

    def test_descriptors(self) -> None:
        small = evolve(LARGE, descriptors=1_024)
        for name in ("echo-epoll", "threads"):
            self.assertIn("1,024 descriptors", self.cannot(name, Cell(idle=1_000), small))
        self.assertEqual(self.cannot("processes", Cell(idle=1_000), small), "")

    def test_threads_and_processes(self) -> None:
        self.assertIn("100 threads", self.cannot("threads", Cell(idle=100), evolve(LARGE, tasks=100)))
        self.assertIn("MiB", self.cannot("processes", Cell(idle=10_000), evolve(LARGE, memory=20 << 30)))
        self.assertEqual(self.cannot("threads", Cell(idle=10_000), evolve(LARGE, memory=20 << 30)), "")

    def test_not_here_and_not_that_transport(self) -> None:
        self.assertEqual(self.cannot("threads", Cell(), why_not="no"), "no")
        self.assertIn("UDP", self.cannot("asyncio-streams", Cell(transport="udp")))


class CommandTests(SynchronousTestCase):
    def test_one_of_ones_own(self) -> None:
        entry = of_command("mine=./server --port={port} 'a b'")
        self.assertEqual(entry.contestant("udp").command, ("./server", "--port={port}", "a b"))
        self.assertEqual((entry.name, entry.group, entry.cannot(Cell(), LARGE)), ("mine", "command", ""))

    @given(strategies.text())
    def test_anything_else_is_a_complaint(self, text: str) -> None:
        try:
            self.assertIn("{port}", of_command(text).commands["tcp"])
        except ConfigurationError as error:
            self.assertTrue(str(error))

    def test_complaints(self) -> None:
        for text, part in (("x", "NAME="), ("=x {port}", "NAME="), ("a=b", "{port}"), ("a='b {port}", "quotation")):
            with self.assertRaises(ConfigurationError) as caught:
                of_command(text)
            self.assertIn(part, str(caught.exception))


class PickTests(SynchronousTestCase):
    def test_each_once_and_in_order(self) -> None:
        known = {name: Entry(name=name, group="", description="") for name in "abc"}
        self.assertEqual([entry.name for entry in pick("cac", known)], ["c", "a"])

    def test_no_such_name(self) -> None:
        with self.assertRaises(ConfigurationError) as caught:
            pick(["echo-epol"], catalogue())
        self.assertIn("did you mean 'echo-epoll'", str(caught.exception))

    def test_reactors(self) -> None:
        self.assertEqual(on_reactors(["poll", "auto"]), ("echo-poll", f"echo-{auto_name()}"))
