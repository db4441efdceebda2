"""
The cells of a comparison in words, and their axis in a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from echoproto.compare.results import Cell
from echoproto.units import counted, show_size

AXES = ("idle", "size_bytes", "connections", "rate")
"""Settings that can be the axis of a picture, in order of preference."""


def _connections(number: int) -> str:
    return counted(number, "connection")


def _idle(number: int) -> str:
    return f"{number:,} idle" if number else "none idle"


def _rate(rate: float | None) -> str:
    return "as fast as it comes back" if rate is None else f"{rate:,.6g}/s"


def _churn(how: str | None) -> str:
    return "connections kept" if how is None else f"a connection for each message, closed by {how.upper()}"


WORDS: dict[str, Callable[[Any], str]] = {
    "transport": str.upper,
    "connections": _connections,
    "size_bytes": show_size,
    "idle": _idle,
    "rate": _rate,
    "churn": _churn,
}
"""Formatters of settings, in the order of a description."""

UNTOLD = {"transport": "tcp", "idle": 0, "rate": None, "churn": None}
"""Default values, which a description omits."""


def show_value(cell: Cell, name: str) -> str:
    """Format the bare value of a setting for an axis."""
    value = getattr(cell, name)
    return "no rate" if value is None else show_size(value) if name == "size_bytes" else f"{value:,.10g}"


def varying(cells: Iterable[Cell]) -> tuple[str, ...]:
    """Return the settings that vary between cells."""
    seen = [attrs.asdict(cell) for cell in cells]
    return tuple(name for name in WORDS if len({each[name] for each in seen}) > 1)


def describe(cell: Cell, without: str | None = None) -> str:
    """
    Describe a cell.

    :param without: a setting to omit.
    """
    told = [name for name in WORDS if name != without and (name not in UNTOLD or getattr(cell, name) != UNTOLD[name])]
    return _words(cell, told)


def _words(cell: Cell, names: Iterable[str]) -> str:
    return ", ".join(WORDS[name](getattr(cell, name)) for name in names)


def labels(cells: Sequence[Cell]) -> dict[Cell, str]:
    """
    Name each cell by its difference from the first.

    :param cells: one or more.
    """
    told = varying(cells)
    if len(told) == 1:
        return {cell: _words(cell, told) for cell in cells}
    first = cells[0]
    named = {
        cell: _words(cell, [name for name in told if getattr(cell, name) != getattr(first, name)]) for cell in cells
    }
    return {**named, first: describe(first)}


def axis(cells: Sequence[Cell]) -> str | None:
    """Return the setting for the axis of a picture; ``None`` if no setting has more than one value."""
    values = {name: len({getattr(cell, name) for cell in cells} - {None}) for name in AXES}
    best = max(AXES, key=lambda name: values[name])
    return best if values[best] > 1 else None


def panels(cells: Sequence[Cell], along: str | None) -> dict[str, tuple[Cell, ...]]:
    """
    Group the cells, in order, so that those of a group differ in one setting only.

    :param along: that setting; ``None`` has each cell in a group of its own.
    :return: groups by their common settings, in words.
    """
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(describe(cell, along), []).append(cell)
    if along is None:
        return {name: tuple(group) for name, group in found.items()}
    return {name: tuple(sorted(group, key=lambda cell: getattr(cell, along) or 0)) for name, group in found.items()}
