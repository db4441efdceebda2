from attrs import evolve
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.shares import shares
from echoproto.load.workload import Target, Transport, Workload

TARGET = Target(Transport.TCP, "localhost", 7)
counts = strategies.integers(10, 10_000)


class SharesTests(SynchronousTestCase):
    @given(strategies.integers(1, 10), counts, strategies.integers(0, 9999), counts, strategies.floats(1, 1e6))
    def test_they_add_up(self, processes: int, connections: int, idle: int, count: int, rate: float) -> None:
        whole = Workload(
            target=TARGET, processes=processes, connections=connections, idle=idle, count=count, rate=rate, seed=5
        )
        parts = [share.workload for share in shares(whole)]
        self.assertEqual(len(parts), processes)
        for name in ("connections", "idle", "count"):
            values = [getattr(part, name) for part in parts]
            self.assertEqual(sum(values), getattr(whole, name))
            self.assertLessEqual(max(values) - min(values), 1)
        self.assertAlmostEqual(sum(part.rate or 0 for part in parts), rate, places=5)
        rest = {"processes": 1, "connections": 1, "idle": 0, "count": None, "rate": None}
        for part in parts:
            self.assertEqual(evolve(part, **rest), evolve(whole, **rest))  # type: ignore[arg-type]

    @given(strategies.integers(1, 10), counts)
    def test_no_two_have_a_connection_in_common(self, processes: int, connections: int) -> None:
        numbers: set[int] = set()
        for share in shares(Workload(target=TARGET, processes=processes, connections=connections)):
            numbers.update(range(share.first, share.first + share.workload.connections))
        self.assertEqual(numbers, set(range(connections)))

    def test_what_is_not_set(self) -> None:
        [share] = shares(Workload(target=TARGET))
        self.assertEqual(share.workload, Workload(target=TARGET))
