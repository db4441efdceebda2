from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.memory import CONNECTION_BYTES, GIB, MESSAGE_BYTES, PROCESS_BYTES, needed, shortage
from echoproto.load.workload import Target, Transport, Workload

WORKLOAD = Workload(target=Target(Transport.TCP, "localhost", 7), connections=1)


class NeededTests(SynchronousTestCase):
    def test_all_that_grows(self) -> None:
        least = PROCESS_BYTES + CONNECTION_BYTES + MESSAGE_BYTES + 2 * 64
        self.assertEqual(needed(WORKLOAD), least)
        for settings, more in (
            ({"processes": 3}, 2 * (PROCESS_BYTES + 64)),
            ({"connections": 11}, 10 * (CONNECTION_BYTES + MESSAGE_BYTES + 64)),
            ({"idle": 10}, 10 * CONNECTION_BYTES),
            ({"window": 11}, 10 * (MESSAGE_BYTES + 64)),
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
