"""
Plan files of the user, in TOML; each error names the file, the key, the value and the values allowed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Annotated, Any

from attrs import frozen

from echoproto.compare.plan.contestants import Entry, of_command
from echoproto.compare.plan.plan import Plan, check_cell
from echoproto.compare.results import Cell
from echoproto.compare.structure import Mismatch, number, one_of, reader_of, shown, text, whole
from echoproto.errors import ConfigurationError
from echoproto.host.files import read_text
from echoproto.units import parse_size, parse_time

LARGEST = 1 << 20
"""Maximum size of a plan file, in bytes."""

MOST = 10**9
"""The largest number in a plan."""

SECONDS = number(most=MOST, unit="seconds, or text such as '500ms'")


def _name(value: Any) -> str:
    if not text(value):
        raise Mismatch("'': must be text, for example 'echo-epoll'")
    return str(value)


def _time(value: Any) -> float:
    return parse_time(value) if isinstance(value, str) else float(SECONDS(value))


def _positive_time(value: Any) -> float:
    if not (seconds := _time(value)):
        raise Mismatch(f"{shown(value)}: must be greater than 0 seconds")
    return seconds


def _size(value: Any) -> int:
    return int(whole(1, MOST, example=64)(parse_size(value) if isinstance(value, str) else value))


def _commands(value: Any) -> tuple[Entry, ...]:
    if not isinstance(value, dict):
        raise Mismatch(f"{shown(value)}: must be a table of commands by name, under [commands]")
    return tuple(of_command(f"{name}={_name(command)}") for name, command in value.items())


def _tables(value: Any) -> tuple[Table, ...]:
    if not isinstance(value, list) or not value:
        raise Mismatch(f"{shown(value)}: must be tables, each under [[cell]]")
    tables: tuple[Table, ...] = reader_of(tuple[Table, ...], written=True)(value)
    return tables


@frozen(kw_only=True)
class Table:
    """A table ``[[cell]]`` of a plan file: the settings of a `Cell`, but for the transport, which all share."""

    connections: Annotated[int, whole(1, MOST, example=50)] = 50
    size: Annotated[int, _size] = 64
    idle: Annotated[int, whole(0, MOST, example=1000)] = 0
    rate: Annotated[float | None, number(most=MOST, unit="messages per second")] = None
    churn: Annotated[str | None, one_of("fin", "reset")] = None


@frozen(kw_only=True)
class Document:
    """The keys of a plan file, as `Plan` has them; ``None`` where one is missing."""

    contestants: tuple[Annotated[str, _name], ...] = ()
    baseline: Annotated[str | None, _name] = None
    rounds: Annotated[int | None, whole(1, MOST, example=5)] = None
    duration: Annotated[float | None, _positive_time] = None
    warmup: Annotated[float | None, _time] = None
    budget: Annotated[float | None, _positive_time] = None
    calls: bool | None = None
    transport: Annotated[str, one_of("tcp", "tls", "udp")] = "tcp"
    commands: Annotated[tuple[Entry, ...], _commands] = ()
    cell: Annotated[tuple[Table, ...], _tables] = (Table(),)


@frozen
class PlanFile:
    """
    The content of a plan file.

    :ivar commands: the user's own servers, which the plan may name.
    """

    plan: Plan
    commands: tuple[Entry, ...]


def read_plan(path: str) -> PlanFile:
    """
    Read a plan file.

    :raise ConfigurationError: if it can't be read, or is invalid.
    """
    try:
        document = tomllib.loads(read_text(path, LARGEST))
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{path}: not TOML: brackets are nested too deeply") from error
    except ValueError as error:  # also digits beyond Python's own limit
        raise ConfigurationError(f"{path}: not TOML: {error}") from error
    return plan_of(document, path)


def plan_of(document: Mapping[str, Any], path: str) -> PlanFile:
    """
    Make a plan of a decoded document.

    :param path: its name in errors.
    :raise ConfigurationError: if it is invalid.
    """
    try:
        return _plan_file(reader_of(Document, written=True)(document))
    except Mismatch as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _plan_file(read: Document) -> PlanFile:
    contestants = read.contestants or tuple(entry.name for entry in read.commands)
    if not contestants:
        raise Mismatch("missing contestants, for example contestants = ['echo-epoll', 'echo-poll']")
    baseline = contestants[0] if read.baseline is None else read.baseline
    if baseline not in contestants:
        raise Mismatch(f"{shown(baseline)}: must be one of the contestants: {', '.join(contestants)}", "baseline")
    cells = [
        Cell(table.connections, table.size, table.idle, read.transport, table.rate, table.churn) for table in read.cell
    ]
    for number_of_cell, cell in enumerate(cells, 1):
        try:
            check_cell(cell)
        except ConfigurationError as error:
            raise Mismatch(str(error), f"cell[{number_of_cell}]") from error
    given = {name: getattr(read, name) for name in ("rounds", "duration", "warmup", "budget", "calls")}
    settings = {name: value for name, value in given.items() if value is not None}
    return PlanFile(Plan(contestants=contestants, cells=cells, baseline=baseline, **settings), read.commands)
