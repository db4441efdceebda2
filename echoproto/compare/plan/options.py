"""
From the options of the command to the plan that they ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from attrs import evolve, frozen

from echoproto.compare.plan.contestants import Entry, of_command, on_reactors, pick
from echoproto.compare.plan.plan import Plan, check_cell, over
from echoproto.compare.results import Cell
from echoproto.errors import ConfigurationError


@frozen(kw_only=True)
class Options:
    """
    What was asked for, each option by its name; ``None`` or empty where it was not given.

    :ivar reactors: names as the service has them.
    :ivar contestants: names of the catalogue.
    :ivar contestant: each ``NAME=COMMAND``.
    :ivar sizes: in bytes.
    :ivar rate: messages a second over all connections.
    :ivar duration: in seconds, as are ``warmup`` and ``budget``.
    :ivar calls: whether system calls are counted.
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
    The plan that is meant, and its contestants.

    :param base: what holds where no option says otherwise.
    :param known: the catalogue.
    :param commands: servers of the user's own that ``base`` may name.
    :raise ConfigurationError: if the options are invalid.
    """
    added = tuple(map(of_command, options.contestant))
    entries = dict(known)
    for own in (*commands, *added):
        if own.name in entries:
            raise ConfigurationError(f"there is a contestant {own.name!r} already: give yours another name")
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
        raise ConfigurationError(f"--baseline {options.baseline}: is none of the contestants: {', '.join(names)}")
    return options.baseline


def _cells(options: Options, base: Plan) -> tuple[Cell, ...]:
    """Those of the plan; or, if an option says anything of cells, all that the options can be combined to."""
    asked = options.connections or options.idle or options.sizes or options.rate is not None or options.churn
    if not asked:
        return base.cells if options.transport is None else over(base.cells, options.transport)
    usual = Cell()
    cells = tuple(
        Cell(
            connections=connections,
            size=size,
            idle=idle,
            transport=options.transport or base.cells[0].transport,
            rate=options.rate,
            churn=options.churn,
        )
        for connections, size, idle in product(
            options.connections or (usual.connections,), options.sizes or (usual.size,), options.idle or (usual.idle,)
        )
    )
    for cell in cells:
        check_cell(cell)
    return cells
