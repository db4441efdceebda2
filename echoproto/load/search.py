"""
The search for the highest rate that holds an aim such as p99<2ms.

`Search` knows no network: it says which rate to try next, and is told how that went. `find_rate` has the steps run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum

from attrs import define, evolve, field, frozen

from echoproto.load import errors
from echoproto.load.options import Aim
from echoproto.load.outcome import Outcome
from echoproto.load.summary import Summary
from echoproto.load.verdict import MEASURED
from echoproto.load.workload import Workload

WHOLE = 100
"""The maximum, as a percentile."""

Run = tuple[Workload, Outcome, Summary]

FIRST_RATE = 1_000.0
"""Messages a second to begin with."""

PRECISION = 1.05
"""The search ends when the lowest rate that failed is at most so many times the highest that held."""

LONGEST = 120.0
"""Seconds that a step may take: a rate at which it would take longer is not tried."""


class Result(Enum):
    """Verdict on a step."""

    HELD = "held"
    FAILED = "failed"
    CLIENT_LIMIT = "client limit"
    """The generator itself was the limit: this says nothing about the service."""


@frozen
class Step:
    """
    One step of a search.

    :ivar rate: that was tried, in messages a second.
    :ivar time: that the aim is about, in µs; ``None`` if nothing came back.
    """

    rate: float
    result: Result
    time: int | None


@frozen
class Found:
    """
    The outcome of a search.

    :ivar rate: the highest that held, in messages a second; ``None`` if none did.
    :ivar client_bound: whether the next higher one was beyond the generator, not the service.
    """

    aim: Aim
    rate: float | None
    client_bound: bool
    steps: Sequence[Step]


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


def judge(aim: Aim, rate: float, outcome: Outcome, summary: Summary) -> Step:
    """Judge the step at a rate; messages of the schedule that were not sent have taken too long."""
    times = outcome.response_time
    if not times.count:
        return Step(rate, Result.CLIENT_LIMIT if summary.client_bound else Result.FAILED, None)
    percent = aim.percent * (times.count + outcome.unsent) / times.count
    if not outcome.own_limits and percent <= WHOLE and times.percentile(percent) < aim.limit:
        return Step(rate, Result.HELD, times.percentile(aim.percent))
    result = Result.CLIENT_LIMIT if summary.client_bound else Result.FAILED
    return Step(rate, result, times.percentile(aim.percent))


def find_rate(
    aim: Aim,
    workload: Workload,
    measure: Callable[[Workload, Search], tuple[Outcome, Summary]],
) -> tuple[Found, Run]:
    """
    Look for the highest rate; harm to data and an interruption end the search at once.

    :param workload: of each step, but for its rate; its duration is that of a step at the least.
    :param measure: runs one step of a search.
    :return: what was found, and the run to report: the one that harmed, or the last that held, or the very last; its
        exit status is that of the search.
    """
    search = search_for(aim)
    rate: float | None = search.rate
    steps: list[Step] = []
    best: Run | None = None
    while rate is not None:
        step_workload = evolve(workload, rate=rate, duration=aim.seconds(rate, workload.duration or 0))
        outcome, summary = measure(step_workload, search)
        run = step_workload, outcome, summary
        if outcome.interrupted or summary.verdict not in MEASURED:
            return Found(aim, search.held, search.client_bound, steps), run
        step = judge(aim, rate, outcome, summary)
        steps.append(step)
        if step.result is Result.HELD:
            best = run
        rate = search.tell(step.result)
    done, last_outcome, last_summary = best or run
    status = errors.CLIENT_LIMIT if search.client_bound else errors.GOOD if search.held else errors.HARMED
    found = Found(aim, search.held, search.client_bound, steps)
    return found, (done, last_outcome, evolve(last_summary, exit_status=status))
