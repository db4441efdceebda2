"""
Comparability: which runs may be compared, and the joining of those that may.

Only figures of one machine, set up in one way, have anything to do with each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve

from echoproto.compare.results import Calls, Cell, Results
from echoproto.errors import ConfigurationError

MAY_DIFFER = {"date", "load_average", "echoproto"}
"""Facts of an environment that two runs need not share: their time, and the version that is compared."""


def check_environments(one: Results, other: Results, *, may_differ: bool) -> None:
    """
    Check that two runs were made in the same environment.

    :param may_differ: whether the user says that it does not matter.
    :raise ConfigurationError: that names what differs.
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
    Check that two runs have measured the same.

    :param may_differ: whether the user says that it does not matter.
    :raise ConfigurationError: that names what differs.
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
