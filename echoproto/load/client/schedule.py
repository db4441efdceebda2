"""
The send times of an open loop, which do not depend on replies.
"""

from __future__ import annotations

import math
from random import Random

from echoproto.load.workload import Arrivals
from echoproto.units import NS

NEVER = 1 << 62
"""Due time, in ns, of a schedule without further messages: more than a century."""


class Schedule:
    """
    The send times of messages at a rate.

    :ivar due: next send time in ns, or `NEVER`.
    :ivar left: number of messages left.
    :param rate: messages per second, above 0.
    :param arrivals: uniform (equal intervals) or Poisson (independent intervals).
    :param seed: seed of the intervals. Uniform arrivals draw only the first one, so that several processes don't send
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
        Start the schedule.

        :param now: start time in ns.
        :param count: number of messages, 0 or more.
        """
        self._begun = now
        self._place = self._random.random()
        self.left = count
        self._set()

    def next(self) -> int:
        """Return the next send time in ns, and advance the schedule."""
        due = self.due
        self.left -= 1
        self._place += self._random.expovariate(1.0) if self._poisson else 1.0
        self._set()
        return due

    def overdue(self, now: int) -> int:
        """
        Return the number of messages due before a time and not sent; for Poisson arrivals, the expected number.

        :param now: time in ns.
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
        """True once no messages are left."""
        return self.due == NEVER

    def _set(self) -> None:
        self.due = self._begun + int(self._place / self._rate * NS) if self.left else NEVER
