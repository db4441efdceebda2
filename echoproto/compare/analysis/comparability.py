"""
Comparability: checks whether runs may be compared, and the joining of runs.

Only figures of one machine with one setup are comparable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve

from echoproto.compare.results import Calls, Cell, Results
from echoproto.errors import ConfigurationError

MAY_DIFFER = {"date", "load_average", "echoproto"}
"""Facts of an environment that may differ between two runs: their time, and the compared version."""


def check_environments(one: Results, other: Results, *, may_differ: bool) -> None:
    """
    Check that two runs were made in the same environment.

    :param may_differ: true to permit differences.
    :raise ConfigurationError: names the differences.
    """
    differences = [] if may_differ else list(_environments(one, other))
    if differences:
        raise ConfigurationError(
            f"the environments differ, and so the figures say nothing about the programs: {'; '.join(differences)} "
            "(--different-environments takes them all the same)"
        )


def _environments(one: Results, other: Results) -> Iterator[str]:
    for name in dict.fromkeys((*one.environment, *other.environment)):
        here, there = (str(run.environment.get(name, "unknown")) for run in (one, other))
        if here != there and name not in MAY_DIFFER:
            yield f"{name} is {here!r} and {there!r}"


def check_plans(one: Results, other: Results, *, may_differ: bool) -> None:
    """
    Check that two runs have the same plan.

    :param may_differ: true to permit differences.
    :raise ConfigurationError: names the differences.
    """
    differences = [] if may_differ else list(_plans(one, other))
    if differences:
        raise ConfigurationError(
            f"the plans differ: {', '.join(differences)} (--different-plans takes them all the same)"
        )


def _plans(one: Results, other: Results) -> Iterator[str]:
    if one.baseline != other.baseline:
        yield f"the baseline is {one.baseline!r} and {other.baseline!r}"
    if one.duration_seconds != other.duration_seconds:
        yield f"samples of {one.duration_seconds:.6g} s and of {other.duration_seconds:.6g} s"
    if set(one.cells) != set(other.cells):
        yield "the loads are not the same"
    if {(each.name, each.command) for each in one.contestants} != {
        (each.name, each.command) for each in other.contestants
    }:
        yield "the contestants, or what starts them, are not the same"


def join(runs: Sequence[Results], *, different_environments: bool = False, different_plans: bool = False) -> Results:
    """
    Join runs of the same plan in the same environment.

    Rounds of different runs stay apart, since only samples taken at the same time share their drift.

    :param runs: one or more; preset, seed, command and environment of the result are those of the first.
    :param different_environments: true to permit different environments.
    :param different_plans: true to permit different loads and contestants; the result has all of them.
    :raise ConfigurationError: if the runs can't be joined.
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
