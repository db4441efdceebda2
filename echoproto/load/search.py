"""
The search for the highest rate that holds an aim such as p99<2ms.

It knows no network: it says which rate to try next, and is told how that went.
"""

from __future__ import annotations

import math
import re
from enum import Enum

from attrs import define, field, frozen

from echoproto.errors import ConfigurationError, as_given
from echoproto.units import parse_time

BEYOND = 10
"""Messages beyond a percentile, below which it says little: 1,000 messages for p99, 10,000 for p99.9."""

LEAST = 1_000
"""Messages of a step, for whatever percentile."""

FIRST_RATE = 1_000.0
"""Messages a second to begin with."""

PRECISION = 1.05
"""The search ends when the lowest rate that failed is at most so many times the highest that held."""

LONGEST = 120.0
"""Seconds that a step may take: a rate at which it would take longer is not tried."""


@frozen
class Aim:
    """
    What a rate has to hold: a percentile of the response time, below a limit.

    :ivar percent: above 0 to 100, which is the maximum.
    :ivar limit: in µs.
    """

    text: str
    percent: float
    limit: float

    @property
    def samples(self) -> int:
        """How many messages it takes to tell: `BEYOND` beyond the percentile, and `LEAST` of all."""
        rest = 1 - self.percent / 100
        return max(LEAST, math.ceil(round(BEYOND / rest, 6))) if rest else LEAST

    def seconds(self, rate: float, shortest: float) -> float:
        """How long a step has to be at a rate, if it must not be shorter than so many seconds."""
        return max(shortest, self.samples / rate)


def parse_aim(text: str) -> Aim:
    """
    Read an aim such as ``p99<2ms``, ``p99.9 < 5ms`` or ``max<10ms``.

    :raises ConfigurationError: for anything else.
    """
    found = re.fullmatch(r"(?:p([0-9]{1,2}(?:\.[0-9]{1,4})?)|max) ?< ?(.+)", text)
    percent = float(found[1] or 100) if found else 0.0
    if found is None or not percent:
        raise ConfigurationError(f"{as_given(text)}: expected PERCENTILE<TIME, such as p99<2ms, p99.9<5ms or max<10ms")
    limit = parse_time(found[2]) * 1e6
    if limit < 1:
        raise ConfigurationError(f"{text}: the time must be at least 1us, for example p99<2ms")
    return Aim(text, percent, limit)


class Result(Enum):
    """How a step went."""

    HELD = "held"
    FAILED = "failed"
    CLIENT_LIMIT = "client limit"
    """The generator itself was the limit: this says nothing about the service."""


@define
class Search:
    """
    Doubles the rate until it fails (or halves it until it holds), then bisects in ratios.

    A rate counts as failed when it has failed twice: one step may meet something else that the machine does.

    :ivar lowest: the rate below which nothing is tried.
    :ivar held: the highest rate that held, or ``None``.
    :ivar failed: the lowest that did not, or ``None``.
    :ivar client_bound: whether that one did not because of the generator.
    :ivar rate: to try now, or ``None``: the search is over, and `held` is what it found.
    """

    lowest: float
    rate: float | None
    held: float | None = None
    failed: float | None = None
    client_bound: bool = False
    _again: bool = field(default=False, init=False)

    def tell(self, result: Result) -> float | None:
        """Say how the step at `rate` went; gives the next one, which is `rate` then."""
        if self.rate is None:
            raise ValueError("the search is over")
        if result is not Result.HELD and not self._again:
            self._again = True
            return self.rate
        self._again = False
        if result is Result.HELD:
            self.held = self.rate
        else:
            self.failed, self.client_bound = self.rate, result is Result.CLIENT_LIMIT
        self.rate = self._next()
        return self.rate

    def _next(self) -> float | None:
        if self.failed is None:
            return (self.held or FIRST_RATE) * 2
        if self.held is None:
            rate = self.failed / 2
            return rate if rate >= self.lowest else None
        return math.sqrt(self.held * self.failed) if self.failed > self.held * PRECISION else None


def search_for(aim: Aim) -> Search:
    """A search that tries no rate at which a step of an aim would take longer than `LONGEST`."""
    lowest = aim.samples / LONGEST
    return Search(lowest, max(FIRST_RATE, lowest))
