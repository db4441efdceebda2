"""
When messages are to be sent where a rate is set, whether or not what was sent before has come back.
"""

from __future__ import annotations

import math
from random import Random

from echoproto.load.workload import Arrivals
from echoproto.units import NS

NEVER = 1 << 62
"""ns; more than a century."""


class Agenda:
    """
    The times at which messages are due.

    :ivar due: the next of these, in ns; `NEVER` if there are no more.
    :ivar left: how many there are to be.
    :param rate: messages a second, above 0.
    :param arrivals: uniform ones have the same time between any two; those of Poisson have nothing to do with each
        other.
    :param seed: by which the times are drawn; of uniform ones, only the first, so that several processes don't send
        at the same moments.
    """

    def __init__(self, rate: float, arrivals: Arrivals, seed: str) -> None:
        self._random = Random(f"{seed} arrivals")  # noqa: S311 - to be repeated, not to be kept secret
        self._poisson = arrivals is Arrivals.POISSON
        self._rate = rate
        self._begun = 0
        self._place = 0.0
        self.left = 0
        self.due = NEVER

    def begin(self, now: int, count: int) -> None:
        """
        Begin anew.

        :param now: when, in ns.
        :param count: how many messages there are to be, 0 or more.
        """
        self._begun = now
        self._place = self._random.random()
        self.left = count
        self._set()

    def next(self) -> int:
        """Return the time at which the next message is due, in ns, and go on to the one after that."""
        due = self.due
        self.left -= 1
        self._place += self._random.expovariate(1.0) if self._poisson else 1.0
        self._set()
        return due

    def overdue(self, now: int) -> int:
        """
        How many were due before a time, and have not been asked for; of Poisson ones, as many as the rate lets expect.

        :param now: in ns.
        """
        if self.due >= now:
            return 0
        return min(self.left, math.ceil((now - self._begun) / NS * self._rate - self._place))

    def end(self) -> None:
        """End the schedule."""
        self.left = 0
        self._set()

    @property
    def over(self) -> bool:
        """True once there are no more."""
        return self.due == NEVER

    def _set(self) -> None:
        self.due = self._begun + int(self._place / self._rate * NS) if self.left else NEVER
