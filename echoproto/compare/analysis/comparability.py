"""
Whether two runs may be compared or joined at all: only figures of one machine, set up in one way, have anything to do
with each other.
"""

from __future__ import annotations

from collections.abc import Iterator

from echoproto.compare.results import Results
from echoproto.errors import ConfigurationError

MAY_DIFFER = {"date", "load_average", "echoproto"}
"""Of an environment: when it was, and what is compared."""


def check_environments(one: Results, other: Results, *, may_differ: bool) -> None:
    """
    See whether two runs were made in the same environment.

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
    See whether two runs have measured the same.

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
