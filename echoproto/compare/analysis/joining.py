"""
Several runs become one, whose rounds are those of all.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from echoproto.compare.analysis.comparability import check_environments, check_plans
from echoproto.compare.results import Calls, Cell, Results
from echoproto.errors import ConfigurationError


def join(runs: Sequence[Results], *, different_environments: bool = False, different_plans: bool = False) -> Results:
    """
    Join runs of the same plan in the same environment.

    A round of one run is never that of another: only what was measured at the same time shares its drift.

    :param runs: one or more; what they have but once (name, seed, command, environment) is that of the first.
    :param different_environments: whether they need not have been made in the same environment.
    :param different_plans: whether they may have different loads and contestants: then all of them are there.
    :raise ConfigurationError: if they don't belong together.
    """
    first, *others = runs
    for other in others:
        check_environments(first, other, may_differ=different_environments)
        check_plans(first, other, may_differ=different_plans)
    for number, run in enumerate(runs):
        if run.samples and any(run.samples == earlier.samples for earlier in runs[:number]):
            raise ConfigurationError("a run is there twice: its rounds would count as twice as many as there were")
    samples = list(first.samples)
    counted: dict[tuple[str, Cell], Calls] = {}
    for run in runs:
        for calls in run.calls:
            counted.setdefault((calls.contestant, calls.cell), calls)
    for other in others:
        begin = 1 + max((sample.round for sample in samples), default=-1)
        samples += [evolve(sample, round=sample.round + begin) for sample in other.samples]
    contestants = {each.name: each for run in reversed(runs) for each in reversed(run.contestants)}
    return evolve(
        first,
        rounds=sum(run.rounds for run in runs),
        partial=any(run.partial for run in runs),
        contestants=tuple(reversed(contestants.values())),
        cells=tuple(dict.fromkeys(cell for run in runs for cell in run.cells)),
        samples=tuple(samples),
        calls=tuple(counted.values()),
    )
