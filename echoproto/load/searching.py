"""
Looks for the highest rate that holds an aim, by running a load at one rate after another.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from echoproto.load import errors
from echoproto.load.outcome import Outcome
from echoproto.load.report.document import Found, Step
from echoproto.load.search import Aim, Result, Search, search_for
from echoproto.load.summary import CLIENT_LIMIT, GOOD, Summary
from echoproto.load.workload import Workload

ALL = 100
"""%."""

Run = tuple[Workload, Outcome, Summary]


def judge(aim: Aim, rate: float, outcome: Outcome, summary: Summary) -> Step:
    """How the step at a rate went; messages of the schedule that were not sent have taken too long."""
    times = outcome.response_time
    if not times.count:
        return Step(rate, Result.CLIENT_LIMIT if summary.client_bound else Result.FAILED, None)
    percent = aim.percent * (times.count + outcome.unsent) / times.count
    if not outcome.own_limits and percent <= ALL and times.percentile(percent) < aim.limit:
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
        if outcome.interrupted or summary.verdict not in {GOOD, CLIENT_LIMIT}:
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
