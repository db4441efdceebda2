"""
The search for the highest rate that holds a latency target such as p99<2ms.

`Search` knows no network: it chooses the next rate from the result of the last one. `find_rate` runs the steps.
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

MAX_PERCENTILE = 100
"""The percentile of the maximum."""

Run = tuple[Workload, Outcome, Summary]

FIRST_RATE = 1_000.0
"""Rate of the first step, in messages per second."""

PRECISION = 1.05
"""Maximum ratio of the lowest rate that failed to the highest that held, at which the search ends."""

MAX_STEP_SECONDS = 120.0
"""Maximum duration of a step; a rate that needs a longer step is not tried."""


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

    :ivar rate: the tried rate, in messages per second.
    :ivar time: the measured percentile of the target, in µs; ``None`` if no message came back.
    """

    rate: float
    result: Result
    time: int | None


@frozen
class Found:
    """
    The outcome of a search.

    :ivar rate: the highest rate that held, in messages per second; ``None`` if none did.
    :ivar client_bound: true if the generator, not the service, failed at the next higher rate.
    """

    aim: Aim
    rate: float | None
    client_bound: bool
    steps: Sequence[Step]


@define
class Search:
    """
    Double the rate until it fails (or halve it until it holds), then bisect by ratio.

    A rate has failed when two steps have failed: other activity of the machine may spoil one.

    :ivar lowest: minimum rate to try.
    :ivar held: the highest rate that held, or ``None``.
    :ivar failed: the lowest rate that failed, or ``None``.
    :ivar client_bound: true if that rate failed because of the generator.
    :ivar rate: the rate to try now; ``None`` when the search is over, with `held` as its result.
    """

    lowest: float
    rate: float | None
    held: float | None = None
    failed: float | None = None
    client_bound: bool = False
    _again: bool = field(default=False, init=False)

    def tell(self, result: Result) -> float | None:
        """Take the result of the step at `rate`; set `rate` to the next one, and return it."""
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
    """Return a search for a target, without rates that need steps longer than `MAX_STEP_SECONDS`."""
    lowest = aim.samples / MAX_STEP_SECONDS
    return Search(lowest, max(FIRST_RATE, lowest))


def judge(aim: Aim, rate: float, outcome: Outcome, summary: Summary) -> Step:
    """Judge the step at a rate; unsent messages of the schedule count as too slow."""
    times = outcome.response_time
    if not times.count:
        return Step(rate, Result.CLIENT_LIMIT if summary.client_bound else Result.FAILED, None)
    percent = aim.percent * (times.count + outcome.unsent) / times.count
    if not outcome.own_limits and percent <= MAX_PERCENTILE and times.percentile(percent) < aim.limit:
        return Step(rate, Result.HELD, times.percentile(aim.percent))
    result = Result.CLIENT_LIMIT if summary.client_bound else Result.FAILED
    return Step(rate, result, times.percentile(aim.percent))


def find_rate(
    aim: Aim,
    workload: Workload,
    measure: Callable[[Workload, Search], tuple[Outcome, Summary]],
) -> tuple[Found, Run]:
    """
    Search for the highest rate; harm to data and an interruption end the search at once.

    :param workload: the workload of all steps, except for its rate; its duration is the minimum of a step.
    :param measure: runs one step of a search.
    :return: the result of the search, and the run to report: the run that harmed data, else the last that held, else
        the last; its exit status is that of the search.
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
