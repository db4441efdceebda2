"""
Values of a TOML file in words, and suggestions for invalid ones.
"""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Mapping, Sequence
from datetime import date, time

from echoproto.server.settings.table import Setting
from echoproto.server.settings.values import Kind

MAX_SHOWN_BITS = 64
"""Maximum size of a number that is shown in full."""

MAX_SUGGESTION = 64
"""Maximum length of a suggested value, in characters."""

TYPES: Sequence[tuple[type | tuple[type, ...], str]] = (
    (bool, "a truth value"),
    (int, "a number"),
    (float, "a floating-point number"),
    (str, "text"),
    (list, "an array"),
    (dict, "a table"),
    ((date, time), "a date or a time"),
)
"""Names of TOML's types, in the order of the checks, since a truth value is also an int in Python."""


class _Short(reprlib.Repr):
    """Short representation of a value, similar to its spelling in the file."""

    def repr_bool(self, value: bool, level: int) -> str:
        return str(value).lower()

    def repr_int(self, value: int, level: int) -> str:
        if value.bit_length() > MAX_SHOWN_BITS:  # Python refuses to format a very long one
            return f"a number of {value.bit_length()} bits"
        return str(value)

    def repr_instance(self, value: object, level: int) -> str:
        return str(value)  # a date or a time


def shown(value: object) -> str:
    """Return a short representation of a value, similar to its spelling in the file."""
    return _Short().repr(value)


def type_of(value: object) -> str:
    """Return the name of a value's type."""
    return next(name for kind, name in TYPES if isinstance(value, kind))


def written(value: object) -> str:
    """Return a value in TOML."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def hint(setting: Setting, value: object, line: str) -> str:
    """
    Suggest a correction for a value of the wrong type.

    :param value: from the TOML reader.
    :param line: its line in the file.
    :return: text to append to the error; may be empty.
    """
    meant = _meant(setting.kind, value, line)
    if meant is not None and len(text := written(meant)) <= MAX_SUGGESTION:
        return f"; it is {type_of(value)}: write {setting.name} = {text}"
    return "" if _is_one_of(value, setting.kind.types) else _example(setting, value)


def element_hint(setting: Setting, value: object) -> str:
    """Suggest a correction for an array's element that is not text."""
    return "" if _is_one_of(value, (str,)) else _example(setting, value)


def _is_one_of(value: object, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and (not isinstance(value, bool) or bool in types)


def _example(setting: Setting, value: object) -> str:
    example = setting.default if setting.default not in (None, "", ()) else setting.kind.example
    return f"; it is {type_of(value)}: write, for example, {setting.name} = {written(example)}"


def _meant(kind: Kind, value: object, line: str) -> object:
    """Return a value of the right type with the same meaning; ``None`` if there is none."""
    candidates: list[object] = []
    if isinstance(value, str):
        return _read(kind.from_text, value)
    if isinstance(value, list) and len(value) == 1:
        candidates = value
    elif isinstance(value, float) and value.is_integer():
        candidates = [int(value)]
    elif not isinstance(value, list | dict) and (found := re.search(r"=\s*([\w.:+-]+)\s*(#.*)?$", line)):
        candidates = [found[1]]  # its spelling, since 0o660 is another number
    for candidate in candidates:
        if (meant := _read(kind.from_toml, candidate)) is not None:
            return meant
    return None


def _read(reader: object, value: object) -> object:
    try:
        return reader(value)  # type: ignore[operator]
    except ValueError:
        return None


def line_hint(known: Mapping[str, Setting], line: str) -> str:
    """Suggest a correction of an invalid line whose value is spelt as on a command line; may be empty."""
    found = re.match(r"""\s*([\w-]+)\s*=\s*([^\s"'\[{#][^"'#]*)""", line)
    if found is None or found[1] not in known:
        return ""
    meant = _read(known[found[1]].kind.from_text, found[2].strip())
    if meant is None or len(text := written(meant)) > MAX_SUGGESTION or text == found[2].strip():  # another error
        return ""
    return f"; write {found[1]} = {text}"


def table_hint(value: object) -> str:
    """Return advice on a table that is not a setting; may be empty."""
    if isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(each, Mapping) for each in value)):
        return "; it is a table: write settings outside of tables, for example port = 8888"
    return ""
