import os
from collections.abc import Mapping

import psutil
from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.memory import CONNECTION, GIB, MESSAGE, PROCESS, available, needed, shortage
from echoproto.load.workload import Target, Transport, Workload

WORKLOAD = Workload(target=Target(Transport.TCP, "localhost", 7), connections=1)


class NeededTests(SynchronousTestCase):
    def test_all_that_grows(self) -> None:
        least = PROCESS + CONNECTION + MESSAGE + 2 * 64
        self.assertEqual(needed(WORKLOAD), least)
        for settings, more in (
            ({"processes": 3}, 2 * (PROCESS + 64)),
            ({"connections": 11}, 10 * (CONNECTION + MESSAGE + 64)),
            ({"idle": 10}, 10 * CONNECTION),
            ({"window": 11}, 10 * (MESSAGE + 64)),
            ({"largest": 1 << 40}, 2 * ((1 << 40) - 64)),
        ):
            self.assertEqual(needed(evolve(WORKLOAD, **settings)), least + more, settings)  # type: ignore[arg-type]

    def test_shortage(self) -> None:
        """L3: said in one line, with all that could be lowered."""
        self.assertIsNone(shortage(WORKLOAD, needed(WORKLOAD)))
        said = shortage(evolve(WORKLOAD, largest=3 << 30, idle=1200), 2 * GIB)
        assert said is not None
        for part in ("--connections 1 ", "--window 1 ", "--size 3072MiB", "--idle 1,200", "6.1 GiB", "2.0 GiB"):
            self.assertIn(part, said)
        self.assertEqual(len(said.splitlines()), 1)
        self.assertIn("need up to 40 MiB of memory, and 2 MiB are available", shortage(WORKLOAD, 2 << 20) or "")


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
        self.assertEqual(available("/nonexistent/groups"), available("/nonexistent/groups"))
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
