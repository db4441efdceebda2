"""
Log lines of events that others bring about, at a bounded rate.

One log event costs about 16 µs, which is more than an echo: under an attack, the log must not be what takes the
processor's time, nor what fills the disk. What is left out is counted, and the count is logged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from echoproto.tokenbucket import TokenBucket

log = Logger("echoproto")

BURST = 20
"""Lines of one kind that are logged at once, before the rate counts, where each is worth reading."""

MOST_KINDS = 200
"""Kinds of events that have a budget of their own; in this package there are about 30."""


class LineBudget:
    """
    How many lines one kind of event may still log: a token bucket, and a count of what did not fit.

    :param clock: tells the time and, once a second at the most, calls ``left_out``.
    :param rate: lines a second in the long run, above 0.
    :param burst: lines that are logged at once, before the rate counts, at least 1.
    :param left_out: called with how many lines were left out since it was last called.
    """

    def __init__(self, clock: IReactorTime, rate: float, burst: int, left_out: Callable[[int], None]) -> None:
        self._clock = clock
        self.bucket = TokenBucket(clock.seconds, rate, burst)
        self._left_out = left_out
        self._suppressed = 0
        self._report: IDelayedCall | None = None

    @property
    def rested(self) -> bool:
        """Tell if a whole burst would fit."""
        return self.bucket.fill() == self.bucket.burst

    def take(self) -> bool:
        """Take the room for a line, if there is any; if not, the line is counted."""
        if self.bucket.take():
            return True
        self._suppressed += 1
        if self._report is None:
            self._report = self._clock.callLater(max(1, 1 / self.bucket.rate), self._tell)
        return False

    def _tell(self) -> None:
        self._report = None
        suppressed, self._suppressed = self._suppressed, 0
        self.bucket.tokens -= 1  # the line that tells of them is a line, too
        self._left_out(suppressed)

    def close(self) -> None:
        """Tell now what has not been told yet."""
        if self._report is not None:
            self._report.cancel()
            self._tell()


class EventLog:
    """
    A budget of lines for each kind of event.

    :param clock: the reactor.
    :param rate: lines a second of each kind, in the long run, above 0.
    """

    def __init__(self, clock: IReactorTime, rate: float = 1) -> None:
        self._clock = clock
        self.rate = rate
        self._budgets: dict[str, LineBudget] = {}
        self._others = LineBudget(clock, rate, 1, partial(_left_out, "events of other kinds"))

    def room(self, kind: str, burst: int = 1) -> bool:
        """
        Whether one more event may be logged; if not, it is counted, and logged with others of its kind.

        :param kind: what such events are called, in the plural; of more than there can be, all others are one kind.
        :param burst: how many are logged at once, before the rate counts; of a kind, always the same.
        """
        budget = self._budgets.get(kind)
        if budget is None and len(self._budgets) >= MOST_KINDS:
            self._others.bucket.rate = self.rate
            return self._others.take()
        if budget is None:
            budget = LineBudget(self._clock, self.rate, burst, partial(_left_out, kind))
            self._budgets[kind] = budget
        budget.bucket.rate = self.rate
        return budget.take()

    def rested(self, kind: str) -> bool:
        """Tell if no event of a kind was logged for so long that a whole burst of them would fit."""
        budget = self._budgets.get(kind)
        return budget is None or budget.rested

    def close(self) -> None:
        """Log now how many were left out, if that is not logged yet."""
        for budget in (*self._budgets.values(), self._others):
            budget.close()


def _left_out(kind: str, count: int) -> None:
    log.info("{count} more {kind}, not logged one by one", event="suppressed", count=count, kind=kind)
