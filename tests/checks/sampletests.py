"""Tests of `sample` that leave a hole: no number next to the boundary is tried."""

from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from tests.checks.sample import first, over


class SampleTests(SynchronousTestCase):
    def test_over(self) -> None:
        self.assertEqual([over(0), over(20)], [False, True])

    def test_first(self) -> None:
        self.assertEqual(first(count(7)), 7)
