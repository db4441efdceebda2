"""
A plan: which contestants in which cells, how many rounds, how long, and whether that fits into its budget of time.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, field, frozen

from echoproto.compare.results import Cell
from echoproto.errors import ConfigurationError
from echoproto.load.options import HIGHEST_RATE, LARGEST_DATAGRAM, LOWEST_RATE, RATE_BOUNDS, SMALLEST_DATAGRAM

SAMPLE = 0.6
"""Seconds that a sample takes besides warm-up and measuring: a server starts, the generator does, both end."""

COUNTING = 2.5
"""Seconds in which the system calls of one contestant are counted."""

FEWEST = 2
"""Rounds without which there is nothing to be said of how sure a figure is."""


def _names(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(given))


def _cells(given: Iterable[Cell]) -> tuple[Cell, ...]:
    return tuple(dict.fromkeys(given))


@frozen(kw_only=True)
class Plan:
    """
    The measurements of a comparison.

    :ivar preset: by which it is called; empty for one of the user's own.
    :ivar contestants: their names, each once.
    :ivar cells: each once; all over one transport.
    :ivar rounds: in each of which every contestant is measured once in every cell.
    :ivar duration: seconds of each sample.
    :ivar warmup: seconds before that, of which nothing counts.
    :ivar budget: seconds that all of it may take; ``None`` for any number.
    :ivar baseline: the contestant that the others are compared with.
    :ivar calls: whether system calls are counted, too: in the first cell, in runs of their own.
    """

    preset: str = ""
    contestants: tuple[str, ...] = field(converter=_names)
    cells: tuple[Cell, ...] = field(converter=_cells)
    rounds: int = 5
    duration: float = 1.0
    warmup: float = 0.2
    budget: float | None = None
    baseline: str
    calls: bool = True


def estimate(cell: Cell, plan: Plan, connecting: float) -> float:
    """
    Seconds that a sample takes, about.

    :param connecting: seconds for each connection.
    """
    return SAMPLE + plan.warmup + plan.duration + (cell.connections + cell.idle) * connecting


def fitted(plan: Plan, seconds: float, counted: int) -> Plan:
    """
    The same plan with as many of its rounds as fit into its budget.

    :param seconds: that a round takes.
    :param counted: contestants whose system calls are counted.
    :raise ConfigurationError: if that is not even enough to compare anything.
    """
    if plan.budget is None:
        return plan
    counting = counted * COUNTING
    fewest = min(FEWEST, plan.rounds)
    rounds = min(plan.rounds, int((plan.budget - counting) / seconds)) if seconds else plan.rounds
    if rounds < fewest:
        least = f"{fewest} {'round' if fewest == 1 else 'rounds'}"
        raise ConfigurationError(
            f"the budget of {plan.budget:.0f} s has no room for {least} of {seconds:.0f} s and {counting:.0f} s of "
            "counting system calls: take fewer contestants or cells, a shorter --duration, or a larger --budget"
        )
    return evolve(plan, rounds=rounds)


def over(cells: Iterable[Cell], transport: str) -> tuple[Cell, ...]:
    """
    The same cells over another transport, but for those that it has no such thing for.

    :raise ConfigurationError: if none is left.
    """
    found = []
    for cell in cells:
        changed = evolve(cell, transport=transport)
        try:
            check_cell(changed)
        except ConfigurationError as error:
            why = error
        else:
            found.append(changed)
    if not found:
        raise ConfigurationError(f"--transport {transport}: fits none of the plan's cells: {why}")
    return tuple(found)


def check_cell(cell: Cell) -> None:
    """
    Check whether a cell is valid.

    :raise ConfigurationError: if it is not.
    """
    udp = cell.transport == "udp"
    for wrong, why in (
        (cell.connections < 1, f"connections {cell.connections}: must be at least 1"),
        (cell.idle < 0, f"idle {cell.idle}: must be at least 0"),
        (cell.size_bytes < 1, f"size {cell.size_bytes}: must be at least 1 byte, for example 64"),
        (
            cell.rate is not None and not LOWEST_RATE <= cell.rate <= HIGHEST_RATE,
            f"rate {cell.rate or 0:g}: {RATE_BOUNDS}",
        ),
        (udp and (cell.idle or cell.churn), f"{'idle' if cell.idle else 'churn'} needs connections, and UDP has none"),
        (
            udp and not SMALLEST_DATAGRAM <= cell.size_bytes <= LARGEST_DATAGRAM,
            f"size {cell.size_bytes}: must be from {SMALLEST_DATAGRAM} to {LARGEST_DATAGRAM:,} bytes over UDP",
        ),
    ):
        if wrong:
            raise ConfigurationError(why)
