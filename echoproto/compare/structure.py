"""
Reader of attrs classes from decoded JSON or TOML, by the types of their attributes.

Nothing is converted: a number in quotes is not a number, nor is ``true``. An error names the path of the wrong key,
such as ``cells[3].size``. Unknown keys are ignored in JSON, since a later version may have written them. In TOML, which
a person has written, they are errors.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs

from echoproto.errors import ConfigurationError, nearest, one_line

LARGEST_FLOAT = float.fromhex("0x1.fffffffffffffp+1023")
"""The largest number of IEEE 754's double precision."""

MAX_WHOLE = 2**60
"""The largest accepted whole number: no count comes near it, and the drawing of charts uses 64 bits."""

MAX_SHOWN = 40
"""Maximum length of a wrong value in an error, in characters."""

Reader = Callable[[Any], Any]
"""Function that returns the value of a part of decoded JSON, or raises `Mismatch`."""


class Mismatch(ConfigurationError):
    """
    Error of a wrong value.

    :ivar problem: the problem in a few words.
    :ivar path: path of the wrong key, from the start of the reading.
    """

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.problem = problem
        self.path = path

    def below(self, step: str) -> Mismatch:
        """
        Return the same error with its path from one level above.

        :param step: the key, or the index in brackets, of the level below.
        """
        joint = "." if self.path and not self.path.startswith("[") else ""
        return Mismatch(self.problem, f"{one_line(step)}{joint}{self.path}")


def shown(value: object) -> str:
    """Return a value as JSON, cut to a few characters."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"an array of {len(value)}"
    if isinstance(value, int) and abs(value) > MAX_WHOLE:
        return f"a number beyond {MAX_WHOLE}"
    text = one_line(value if isinstance(value, str) else json.dumps(value))
    text = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    return f"'{text}'" if isinstance(value, str) else text


def whole(least: int = 0, most: int = MAX_WHOLE, *, example: int | None = None) -> Reader:
    """Make a reader of whole numbers, from ``least`` to ``most``."""
    shown_example = "" if example is None else f", for example {example}"

    def read(value: Any) -> int:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not least <= value <= most or value != int(value):
            raise Mismatch(f"{shown(value)}: must be a whole number from {least} to {most}{shown_example}")
        return int(value)

    return read


def number(least: float = 0, *, open_below: bool = False, most: float = LARGEST_FLOAT, unit: str = "") -> Reader:
    """
    Make a reader of finite numbers.

    :param open_below: true to exclude ``least`` itself.
    """
    kind = f"a number of {unit}" if unit else "a number"
    bounds = f"{'greater than' if open_below else 'at least'} {least:g}"
    if most < LARGEST_FLOAT:
        bounds += f" and at most {most:g}"

    def read(value: Any) -> float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not least <= value <= most or (open_below and value == least):
            raise Mismatch(f"{shown(value)}: must be {kind}, {bounds}")
        return float(value)

    return read


def one_of(*known: object) -> Reader:
    """Make a reader that accepts only some values."""

    def read(value: Any) -> Any:
        if not any(value == each and type(value) is type(each) for each in known):
            raise Mismatch(f"{shown(value)}: must be one of {', '.join(map(shown, known))}")
        return value

    return read


def text(value: Any) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise Mismatch(f"{shown(value)}: must be a text")
    return value


def flag(value: Any) -> bool:
    """Read ``true`` or ``false``."""
    if not isinstance(value, bool):
        raise Mismatch(f"{shown(value)}: must be true or false")
    return value


LEAVES: dict[Any, Reader] = {str: text, bool: flag, int: whole(-MAX_WHOLE), float: number(-LARGEST_FLOAT)}
"""Readers of types without an `Annotated` reader."""


@cache
def reader_of(kind: Any, *, written: bool = False) -> Reader:
    """
    Return the reader of a type.

    :param kind: a class of attrs, one of `LEAVES`, ``Annotated`` with a reader, or a tuple, a mapping or an optional
        value of them.
    :param written: true for TOML, which a person has written: unknown keys are errors, and arrays count from 1.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        found: Reader = arguments[1]
        return found
    if attrs.has(kind):
        return _object(kind, written=written)
    if origin is tuple:
        readers = [reader_of(each, written=written) for each in arguments if each is not Ellipsis]
        return _array(readers[0], first=int(written)) if arguments[-1] is Ellipsis else _row(*readers)
    if origin is Mapping:
        return _mapping(reader_of(arguments[1], written=written))
    if origin in (Union, UnionType):
        return _optional(reader_of(arguments[0], written=written))
    return LEAVES[kind]


def _at(step: str, reader: Reader, value: Any) -> Any:
    """Read a value one level below; add the step to the path of an error."""
    try:
        return reader(value)
    except ConfigurationError as error:
        raise (error if isinstance(error, Mismatch) else Mismatch(str(error))).below(step) from None


def _object(kind: type[attrs.AttrsInstance], *, written: bool) -> Reader:
    types = get_type_hints(kind, include_extras=True)
    readers = {field.name: reader_of(types[field.name], written=written) for field in attrs.fields(kind)}
    if written:
        readers = {name: _hinting(name, reader) for name, reader in readers.items()}
    needed = [field.name for field in attrs.fields(kind) if field.default is attrs.NOTHING]

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(f"{shown(value)}: must be an object")
        for name in needed:
            if name not in value:
                raise Mismatch("missing", name)
        if written and (unknown := [name for name in value if name not in readers]):
            raise Mismatch(
                f"unknown key{nearest(unknown[0], readers)}; known: {', '.join(readers)}", one_line(unknown[0])
            )
        return kind(**{name: _at(name, readers[name], each) for name, each in value.items() if name in readers})

    return read


def _hinting(name: str, reader: Reader) -> Reader:
    """Wrap a reader so that its error suggests the right line, if a value is right without its quotes."""

    def read(value: Any) -> Any:
        try:
            return reader(value)
        except ConfigurationError as error:
            if not isinstance(value, str):
                raise
            try:
                reader(tomllib.loads(f"value = {value}")["value"])
            except (ConfigurationError, ValueError, RecursionError):
                raise error from None
            raise Mismatch(f"{error}; it is text: write {name} = {value}") from None

    return read


def _array(reader: Reader, first: int) -> Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Mismatch(f"{shown(value)}: must be an array")
        return tuple(_at(f"[{index}]", reader, each) for index, each in enumerate(value, first))

    return read


def _row(*readers: Reader) -> Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != len(readers):
            raise Mismatch(f"{shown(value)}: must be an array of {len(readers)}")
        return tuple(_at(f"[{index}]", reader, value[index]) for index, reader in enumerate(readers))

    return read


def _mapping(reader: Reader) -> Reader:
    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Mismatch(f"{shown(value)}: must be an object")
        return {name: _at(name, reader, each) for name, each in value.items()}

    return read


def _optional(reader: Reader) -> Reader:
    return lambda value: None if value is None else reader(value)
