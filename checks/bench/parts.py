"""
Parts of the benchmark: each is a comparison of its own; the report joins them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import product

from attrs import evolve, frozen

from echoproto.compare.analysis.comparability import check_environments
from echoproto.compare.plan.options import Options
from echoproto.compare.results import Results
from echoproto.units import show_size

FOLDER = os.path.dirname(os.path.abspath(__file__))

CONNECTIONS = (1, 10, 50, 1_000)
SIZES = (64, 1 << 10, 10 << 10, 100 << 10)
IDLE = (0, 10_000)


@frozen
class Part:
    """
    One comparison.

    :ivar name: name of the part, and of the file with its results.
    :ivar file: path of its plan.
    :ivar options: options that override the plan.
    """

    name: str
    file: str
    options: Options


def few(peers: dict[str, str]) -> Iterator[Part]:
    """
    Return the parts of a few minutes, with a cell for each target.

    :param peers: commands of servers in other languages, by name.
    """
    among = {name: command for name, command in peers.items() if name == "c"}  # the others cost minutes
    yield _part("tcp", "tcp", contestant=_named(among))
    yield _part("tls", "tls")
    yield _part("udp", "udp")


def all_of_them(peers: dict[str, str]) -> Iterator[Part]:
    """
    Return the whole matrix, which takes hours, with a part for each cell, so that a run can be resumed.

    No name is one of `few`: a smaller budget may have skipped rounds there, and its results must not be reused.

    :param peers: as of `few`.
    """
    for idle, connections, size in product(IDLE, CONNECTIONS, SIZES):
        name = f"{connections}x{show_size(size)}{f'+{idle}' if idle else ''}"
        calls = (connections, size) == (50, 64)
        yield _matrix(name, peers, connections=(connections,), sizes=(size,), idle=(idle,), calls=calls)
    for churn in ("fin", "reset"):
        yield _matrix(f"churn-{churn}", peers, churn=churn, calls=False)
    for part in ("tls", "udp"):
        yield _part(f"{part}-full", part, budget=600.0)


def _matrix(name: str, peers: dict[str, str], **options: object) -> Part:
    return _part(name, "matrix", contestant=_named(peers), **options)


def _part(name: str, plan: str, **options: object) -> Part:
    return Part(name, os.path.join(FOLDER, f"{plan}.toml"), Options(**options))  # type: ignore[arg-type]


def _named(peers: dict[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}={command}" for name, command in peers.items())


def joined(parts: Iterable[Results], command: str, *, different_environments: bool = False) -> Results:
    """
    Join the results of all parts.

    :param parts: at least one; a command that differs by transport is shown as in the first part.
    :param command: the command line as typed.
    :param different_environments: true to permit parts from different environments.
    :raise ConfigurationError: if the environments differ without permission.
    """
    first, *others = parts
    for other in others:
        check_environments(first, other, may_differ=different_environments)
    whole = evolve(first, preset="", command=command)
    for other in others:
        known = {each.name for each in whole.contestants}
        whole = evolve(
            whole,
            contestants=(*whole.contestants, *(each for each in other.contestants if each.name not in known)),
            cells=(*whole.cells, *other.cells),
            samples=(*whole.samples, *other.samples),
            calls=(*whole.calls, *other.calls),
            rounds=max(whole.rounds, other.rounds),
        )
    return whole
