"""
A bounded rate of log lines about events that peers cause.

One log event costs about 16 µs, more than an echo: under an attack, the log must neither take the CPU time nor fill the
disk. Suppressed lines are counted, and the count is logged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from echoproto.tokenbucket import TokenBucket

log = Logger("echoproto")

BURST = 20
"""Lines of one kind that are logged before the rate limits them, where each is worth reading."""

MAX_KINDS = 200
"""Kinds of events with a budget of their own; this package has about 30."""


class LineBudget:
    """
    The lines that one kind of event may still log: a token bucket, and a count of suppressed lines.

    :param clock: tells the time and, once a second at most, calls ``report``.
    :param rate: lines a second in the long run, above 0.
    :param burst: lines that are logged before the rate limits them, at least 1.
    :param report: called with the number of lines that were suppressed since the last call.
    """

    def __init__(self, clock: IReactorTime, rate: float, burst: int, report: Callable[[int], None]) -> None:
        self._clock = clock
        self.bucket = TokenBucket(clock.seconds, rate, burst)
        self._report = report
        self._suppressed = 0
        self._next_report: IDelayedCall | None = None

    @property
    def rested(self) -> bool:
        """Tell if a whole burst would fit."""
        return self.bucket.fill() == self.bucket.burst

    def take(self) -> bool:
        """Take the room for a line; if there is none, the line counts as suppressed."""
        if self.bucket.take():
            return True
        self._suppressed += 1
        if self._next_report is None:
            self._next_report = self._clock.callLater(max(1, 1 / self.bucket.rate), self._report_now)
        return False

    def _report_now(self) -> None:
        self._next_report = None
        suppressed, self._suppressed = self._suppressed, 0
        self.bucket.tokens -= 1  # the report is a line, too
        self._report(suppressed)

    def close(self) -> None:
        """Report suppressed lines now."""
        if self._next_report is not None:
            self._next_report.cancel()
            self._report_now()


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
        self._others = LineBudget(clock, rate, 1, partial(_report, "events of other kinds"))

    def room(self, kind: str, burst: int = 1) -> bool:
        """
        Tell if one more event may be logged; if not, it counts as suppressed.

        :param kind: name of such events, in the plural; beyond `MAX_KINDS`, all others are one kind.
        :param burst: lines that are logged before the rate limits them; for a kind, always the same.
        """
        budget = self._budgets.get(kind)
        if budget is None and len(self._budgets) >= MAX_KINDS:
            self._others.bucket.rate = self.rate
            return self._others.take()
        if budget is None:
            budget = LineBudget(self._clock, self.rate, burst, partial(_report, kind))
            self._budgets[kind] = budget
        budget.bucket.rate = self.rate
        return budget.take()

    def rested(self, kind: str) -> bool:
        """Tell if a whole burst of a kind could be logged."""
        budget = self._budgets.get(kind)
        return budget is None or budget.rested

    def close(self) -> None:
        """Log the counts of suppressed lines now."""
        for budget in (*self._budgets.values(), self._others):
            budget.close()


def _report(kind: str, count: int) -> None:
    log.info("{count} more {kind}, not logged one by one", event="suppressed", count=count, kind=kind)
