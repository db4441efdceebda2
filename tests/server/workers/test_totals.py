from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.counters import Counters, Snapshot
from echoproto.server.workers.totals import Totals


def snapshot(**counts: Any) -> Snapshot:
    return evolve(Counters().snapshot(()), **counts)


class TotalsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.totals = Totals()

    def test_nothing(self) -> None:
        self.assertEqual(self.totals.total(), snapshot())

    def test_the_latest_of_each(self) -> None:
        self.totals.report(0, snapshot(accepted=1, active=1, errors={"A": 1}))
        self.totals.report(0, snapshot(accepted=3, active=1, closed={"peer": 2}, errors={"A": 1}))
        self.totals.report(1, snapshot(accepted=5, closed={"peer": 4, "reset": 1}, errors={"B": 2}))
        expected = snapshot(accepted=8, active=1, closed={"peer": 6, "reset": 1}, errors={"A": 1, "B": 2})
        self.assertEqual(self.totals.total(), expected)

    def test_those_of_one_that_is_gone_remain(self) -> None:
        """O11: and they add up, since who was connected to it is so no more."""
        self.totals.report(1, snapshot(accepted=5, active=3, closed={"peer": 2}, bytes_received=7))
        self.totals.ended(1)
        total = self.totals.total()
        self.assertEqual((total.accepted, total.active, total.closed), (5, 0, {"peer": 2, "worker": 3}))
        self.totals.report(1, snapshot(accepted=1, active=1, bytes_received=2))
        total = self.totals.total()
        self.assertEqual((total.accepted, total.active, total.bytes_received), (6, 1, 9))

    def test_one_that_has_ended_in_order(self) -> None:
        self.totals.report(1, snapshot(accepted=5, closed={"stop": 5}))
        self.totals.ended(1)
        self.assertEqual(self.totals.total().closed, {"stop": 5})

    def test_one_that_has_never_reported(self) -> None:
        self.totals.ended(7)
        self.assertEqual(self.totals.total(), snapshot())
