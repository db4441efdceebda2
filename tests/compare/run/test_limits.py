import os
import resource
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.results import Cell
from echoproto.compare.run import limits
from echoproto.compare.run.limits import Cores, check, cores, machine
from echoproto.load.errors import ClientLimit


class Case(SynchronousTestCase):
    def file(self, text: str) -> str:
        """A file of the system that says something else than the real one."""
        path = str(self.mktemp())
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path


class MachineTests(Case):
    def test_what_there_is(self) -> None:
        here = machine()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.assertEqual(here.descriptors, limits.PLENTY if hard == resource.RLIM_INFINITY else hard)
        self.assertGreater(here.tasks, 0)
        self.assertGreater(here.memory, 1 << 20)

    def test_limits_of_a_container(self) -> None:
        self.patch(limits, "MEMORY", self.file("4096\n"))
        self.patch(limits, "TASKS", (self.file("77\n"), self.file("max\n"), "/no/such/file"))
        self.assertEqual((machine().memory, machine().tasks), (4096, 77))
        self.patch(limits, "MEMORY", self.file("max\n"))
        self.assertGreater(machine().memory, 1 << 20)


class CheckTests(Case):
    def complaint(self, connections: int, descriptors: int = 1 << 20) -> str:
        with self.assertRaises(ClientLimit) as caught:
            check([Cell(), Cell(connections=connections)], descriptors)
        return str(caught.exception)

    def test_descriptors(self) -> None:
        """What is too few, how many it takes, and how to have them."""
        check([Cell(connections=800, idle=100)], 1_000)
        said = self.complaint(1_000, 1_000)
        for part in ("1,100 descriptors", "may have 1,000", "ulimit -Hn 1100"):
            self.assertIn(part, said)

    def test_ports(self) -> None:
        self.patch(limits, "PORTS", self.file("40000\t40499\n"))
        check([Cell(connections=500)], 1 << 20)
        for part in ("501 connections", "there are 500", "sysctl -w net.ipv4.ip_local_port_range"):
            self.assertIn(part, self.complaint(501))
        check([Cell(connections=30_000)], 1 << 20)  # which come from many addresses

    def test_another_system(self) -> None:
        self.patch(limits, "PORTS", "/no/such/file")
        check([Cell(connections=15_000)], 1 << 20)


class CoresTests(Case):
    def found(self, allowed: set[int], siblings: str) -> Cores | None:
        self.patch(limits, "SIBLINGS", self.file(siblings).replace("{", "{{"))
        with patch.object(os, "sched_getaffinity", lambda pid: allowed, create=True):
            return cores()

    def test_two_that_share_nothing(self) -> None:
        """Not the two threads of one core, unless there is no other."""
        self.assertEqual(self.found({0, 1, 2, 3}, "0-1\n"), Cores(server=3, client=0))
        self.assertEqual(self.found({0, 1, 2}, "0,2\n"), Cores(server=1, client=0))
        self.assertEqual(self.found({4, 5}, "4,5\n"), Cores(server=5, client=4))

    def test_only_one(self) -> None:
        self.assertIsNone(self.found({3}, "3\n"))

    def test_a_system_that_binds_nothing(self) -> None:
        with patch.object(os, "sched_getaffinity", create=True):
            del os.sched_getaffinity
            self.assertIsNone(cores())
