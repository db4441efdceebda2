"""
Plan files of the user, in TOML; each error names the file, the key, the value and the values allowed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from echoproto.compare.plan.contestants import Entry, of_command
from echoproto.compare.plan.plan import Plan, check_cell
from echoproto.compare.results import Cell
from echoproto.compare.structure import shown
from echoproto.errors import ConfigurationError, nearest, quoted
from echoproto.host.files import read_text
from echoproto.units import parse_size, parse_time

LARGEST = 1 << 20
"""Maximum size of a plan file, in bytes."""

MOST = 10**9
"""The largest number in a plan."""

TRANSPORTS = ("tcp", "tls", "udp")


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
    readers: dict[str, Callable[[Any], Any]] = {
        "contestants": _texts,
        "baseline": _text,
        "rounds": _natural,
        "duration": _positive_time,
        "warmup": _time,
        "budget": _positive_time,
        "calls": _flag,
        "transport": _transport,
        "commands": _commands,
        "cell": _tables,
    }
    given = _read(document, readers, path)
    commands = given.pop("commands", ())
    transport = given.pop("transport", "tcp")
    cells = [
        _cell(table, transport, f"{path}: cell[{number}]") for number, table in enumerate(given.pop("cell", [{}]), 1)
    ]
    contestants = given.pop("contestants", ()) or tuple(entry.name for entry in commands)
    if not contestants:
        raise ConfigurationError(f"{path}: missing contestants, for example contestants = ['echo-epoll', 'echo-poll']")
    baseline = given.pop("baseline", contestants[0])
    if baseline not in contestants:
        raise ConfigurationError(
            f"{path}: baseline: {quoted(baseline)}: must be one of the contestants: {', '.join(contestants)}"
        )
    return PlanFile(Plan(contestants=contestants, cells=cells, baseline=baseline, **given), commands)


def _cell(table: Mapping[str, Any], transport: str, path: str) -> Cell:
    readers: dict[str, Callable[[Any], Any]] = {
        "connections": _natural,
        "size": _size,
        "idle": _number,
        "rate": _rate,
        "churn": _churn,
    }
    cell = Cell(transport=transport, **_read(table, readers, path))
    try:
        check_cell(cell)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return cell


def _read(document: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]], path: str) -> dict[str, Any]:
    """Read each key; an error names it."""
    given = {}
    for key, value in document.items():
        if key not in readers:
            raise ConfigurationError(f"{path}: {key}: unknown key{nearest(key, readers)}; known: {', '.join(readers)}")
        try:
            given[key] = readers[key](value)
        except (ConfigurationError, ValueError) as error:
            given_value = "" if isinstance(error, ConfigurationError) else f"{shown(value)}: "
            hint = _unquoted(key, value, readers[key])
            raise ConfigurationError(f"{path}: {key}: {given_value}{error}{hint}") from error
    return given


def _unquoted(key: str, value: object, read: Callable[[Any], Any]) -> str:
    """Suggest the line to write, if text holds a value that would be right without its quotes."""
    if not isinstance(value, str):
        return ""
    try:
        read(tomllib.loads(f"value = {value}")["value"])
    except (ConfigurationError, ValueError, RecursionError):
        return ""
    return f"; it is text: write {key} = {value}"


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be text, for example 'echo-epoll'")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("must be an array of text, for example ['echo-epoll', 'twisted-epoll']")
    return tuple(_text(each) for each in value)


def _tables(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        raise ValueError("must be tables, each under [[cell]]")
    return value


def _commands(value: Any) -> tuple[Entry, ...]:
    if not isinstance(value, dict):
        raise ValueError("must be a table of commands by name, under [commands]")  # noqa: TRY004 - caught as one type
    return tuple(of_command(f"{name}={_text(command)}") for name, command in value.items())


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004
    return value


def _number(value: Any, minimum: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= MOST:
        raise ValueError(f"must be a whole number from {minimum} to {MOST}")
    return value


def _natural(value: Any) -> int:
    return _number(value, minimum=1)


def _real(value: Any, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        raise ValueError(f"must be a number of {unit}, from 0 to {MOST}")
    return float(value)


def _rate(value: Any) -> float:
    return _real(value, "messages per second")


def _time(value: Any) -> float:
    return parse_time(value) if isinstance(value, str) else _real(value, "seconds, or text such as '500ms'")


def _positive_time(value: Any) -> float:
    if not _time(value):
        raise ValueError("must be greater than 0 seconds")
    return _time(value)


def _size(value: Any) -> int:
    return parse_size(value) if isinstance(value, str) else _number(value)


def _churn(value: Any) -> str:
    if value not in ("fin", "reset"):
        raise ValueError("must be 'fin' or 'reset'")
    return str(value)


def _transport(value: Any) -> str:
    if value not in TRANSPORTS:
        raise ValueError(f"must be one of {', '.join(TRANSPORTS)}")
    return str(value)
