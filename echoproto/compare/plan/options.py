"""
Options of the command, and the plan that they ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from attrs import evolve, frozen

from echoproto.compare.plan.contestants import Entry, of_command, on_reactors, pick
from echoproto.compare.plan.plan import Plan, check_cell, over
from echoproto.compare.results import Cell
from echoproto.errors import ConfigurationError, quoted


@frozen(kw_only=True)
class Options:
    """
    The options by their names; ``None`` or empty where one was not given.

    :ivar reactors: names of the service's reactors.
    :ivar contestants: names of the catalogue.
    :ivar contestant: each ``NAME=COMMAND``.
    :ivar sizes: in bytes.
    :ivar rate: messages per second over all connections.
    :ivar duration: in seconds, as are ``warmup`` and ``budget``.
    :ivar calls: true to count system calls.
    """

    reactors: tuple[str, ...] = ()
    contestants: tuple[str, ...] = ()
    contestant: tuple[str, ...] = ()
    connections: tuple[int, ...] = ()
    idle: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    rate: float | None = None
    churn: str | None = None
    transport: str | None = None
    rounds: int | None = None
    duration: float | None = None
    warmup: float | None = None
    budget: float | None = None
    baseline: str | None = None
    calls: bool | None = None


def chosen(
    options: Options, base: Plan, known: Mapping[str, Entry], commands: tuple[Entry, ...] = ()
) -> tuple[Plan, tuple[Entry, ...]]:
    """
    Make the plan that the options ask for, with its contestants.

    :param base: the plan whose values hold where no option was given.
    :param known: the catalogue.
    :param commands: the user's own servers, which ``base`` may name.
    :raise ConfigurationError: if the options are invalid.
    """
    added = tuple(map(of_command, options.contestant))
    entries = dict(known)
    for own in (*commands, *added):
        if own.name in entries:
            raise ConfigurationError(f"contestant {quoted(own.name)} already exists; give yours another name")
        entries[own.name] = own
    names = (*on_reactors(options.reactors), *options.contestants) or base.contestants
    picked = pick((*names, *(entry.name for entry in added)), entries)
    plan = evolve(
        base,
        contestants=tuple(entry.name for entry in picked),
        cells=_cells(options, base),
        baseline=_baseline(options, base, tuple(entry.name for entry in picked)),
        **{
            name: value
            for name in ("rounds", "duration", "warmup", "budget", "calls")
            if (value := getattr(options, name)) is not None
        },
    )
    return plan, picked


def _baseline(options: Options, base: Plan, names: tuple[str, ...]) -> str:
    if options.baseline is None:
        return base.baseline if base.baseline in names else names[0]
    if options.baseline not in names:
        raise ConfigurationError(f"--baseline {options.baseline}: must be one of the contestants: {', '.join(names)}")
    return options.baseline


def _cells(options: Options, base: Plan) -> tuple[Cell, ...]:
    """Return the plan's cells, or, if an option describes cells, all combinations of the options."""
    described = options.connections or options.idle or options.sizes or options.rate is not None or options.churn
    if not described:
        return base.cells if options.transport is None else over(base.cells, options.transport)
    usual = Cell()
    cells = tuple(
        Cell(
            connections=connections,
            size_bytes=size,
            idle=idle,
            transport=options.transport or base.cells[0].transport,
            rate=options.rate,
            churn=options.churn,
        )
        for connections, size, idle in product(
            options.connections or (usual.connections,),
            options.sizes or (usual.size_bytes,),
            options.idle or (usual.idle,),
        )
    )
    for cell in cells:
        check_cell(cell)
    return cells
