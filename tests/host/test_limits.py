import os
import resource
from collections.abc import Mapping
from unittest.mock import Mock, patch

import psutil
from twisted.trial.unittest import SynchronousTestCase

from echoproto.host import limits
from echoproto.host.limits import Cores, available, cores, local_ports, machine, pinned


class Case(SynchronousTestCase):
    def file(self, text: str) -> str:
        """A file of the system that says something else than the real one."""
        path = str(self.mktemp())
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path


class MachineTests(Case):
    def test_now(self) -> None:
        here = machine()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.assertEqual(here.descriptors, limits.UNLIMITED if hard == resource.RLIM_INFINITY else hard)
        self.assertGreater(here.tasks, 0)
        self.assertGreater(here.memory, 1 << 20)

    def test_limits_of_a_container(self) -> None:
        self.patch(limits, "TASKS", (self.file("77\n"), self.file("max\n"), "/no/such/file"))
        self.assertEqual(machine().tasks, 77)

    def test_local_ports(self) -> None:
        self.patch(limits, "PORT_RANGE", self.file("40000\t40499\n"))
        self.assertEqual(local_ports(), 500)
        self.patch(limits, "PORT_RANGE", "/no/such/file")
        self.assertIsNone(local_ports())


class AvailableTests(SynchronousTestCase):
    def tree(self, files: Mapping[str, str]) -> tuple[str, str]:
        """A file that names groups, and a folder with theirs."""
        folder = self.mktemp()
        for name, text in files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        return os.path.join(folder, "groups"), os.path.join(folder, "mounts")

    def test_of_the_machine(self) -> None:
        with patch.object(psutil, "virtual_memory", lambda: Mock(available=5)):
            self.assertEqual(available("/nonexistent/groups"), 5)
        self.assertLessEqual(available(), psutil.virtual_memory().total)
        self.assertGreater(available(), 0)

    def test_of_version_2(self) -> None:
        """The least that any of them leaves, with what is only cached."""
        group = "mounts/outer/inner/memory"
        files = {
            "groups": "0::/outer/inner\n",
            f"{group}.max": "max\n",
            f"{group}.current": "1\n",
            f"{group}.stat": "",
            "mounts/outer/memory.max": "1000\n",
            "mounts/outer/memory.current": "900\n",
            "mounts/outer/memory.stat": "anon 1\ninactive_file 50\nactive_file 7\n",
        }
        self.assertEqual(available(*self.tree(files)), 150)

    def test_of_version_1(self) -> None:
        """Also where a container sees its own group as the root."""
        group = "mounts/memory/memory"
        files = {
            "groups": "9:cpu:/a\n4:cpuset,memory:/docker/b\n",
            f"{group}.limit_in_bytes": "2000\n",
            f"{group}.usage_in_bytes": "1999\n",
            f"{group}.stat": "total_inactive_file 9\n",
        }
        self.assertEqual(available(*self.tree(files)), 10)

    def test_none_is_left(self) -> None:
        group = "mounts/memory"
        files = {
            "groups": "0::/\n",
            f"{group}.max": "10\n",
            f"{group}.current": "12\n",
            f"{group}.stat": "anon 12\n",
        }
        self.assertEqual(available(*self.tree(files)), 0)


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


class PinnedTests(SynchronousTestCase):
    def test_while_it_is_entered(self) -> None:
        if not hasattr(os, "sched_getaffinity"):
            self.skipTest("this system binds nothing to processors")
        before = os.sched_getaffinity(0)
        with pinned(None):
            self.assertEqual(os.sched_getaffinity(0), before)
        with pinned((max(before),)):
            self.assertEqual(os.sched_getaffinity(0), {max(before)})
        self.assertEqual(os.sched_getaffinity(0), before)
