"""
Reading settings from a TOML file; every complaint names the file, the line, the key and what is allowed.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping

from echoproto.errors import ConfigurationError, nearest
from echoproto.server.settings.table import Given, Setting, table
from echoproto.server.settings.tomlvalues import element_hint, hint, line_hint, shown, table_hint

MAXIMUM_SIZE = 65536
"""Bytes; no set of settings comes near it, and /dev/zero has no end."""

LONG = 64
"""Characters of a key beyond which it is cut."""

LIKELY = 50
"""How many lines are tried that look like a key; each takes as long as reading the file anew."""


def read_file(path: str, at: str = "") -> dict[str, Given]:
    """
    Read the settings that a file gives.

    :param path: of a TOML file, in UTF-8, with the settings as its top-level keys.
    :param at: where the file really is, if that is not ``path``, by which it is called.
    :raise ConfigurationError: if it can't be read, is empty, or holds what is not allowed.
    """
    if not path:
        raise ConfigurationError("--config: names no file")
    text = _read_text(path, at or path)
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigurationError(f"{path}:1: not TOML: brackets are nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        problem, line = _where(str(error), text)
        written = line_hint(_known(), text.split("\n")[line - 1])
        raise ConfigurationError(f"{path}:{line}: not TOML: {problem}{written}") from error
    except ValueError as error:  # of Python, whose integers are read from no more than so many digits
        raise ConfigurationError(f"{path}:1: not TOML: a number has too many digits") from error
    return _settings(document, path, text)


def _read_text(path: str, at: str) -> str:
    try:
        # Not to wait for ever for somebody to write into a named pipe: opened so, it is just empty.
        with open(at, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            os.set_blocking(file.fileno(), True)
            content = file.read(MAXIMUM_SIZE + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from error
    if len(content) > MAXIMUM_SIZE:
        raise ConfigurationError(f"{path}: is larger than {MAXIMUM_SIZE} bytes, which no set of settings is")
    if not content.strip():
        raise ConfigurationError(f"{path}: is empty; it should hold settings, such as port = 8888")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: is not UTF-8 text") from error


def _where(message: str, text: str) -> tuple[str, int]:
    """Split what `tomllib` says into the problem and its line."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message, re.DOTALL)
    if found is None:
        return message, 1
    return found[1], int(found[2]) if found[2] else text.count("\n") + 1


def _known() -> dict[str, Setting]:
    return {setting.name: setting for setting in table()}


def _settings(document: Mapping[str, object], path: str, text: str) -> dict[str, Given]:
    known = _known()
    given = {}
    for key, value in document.items():
        number = _line_of(key, text)
        origin = f"{path}:{number}: {_short(key)}"
        if key not in known:
            hint = nearest(_short(key), known)
            raise ConfigurationError(f"{origin}: unknown key{hint}; known are {', '.join(known)}{table_hint(value)}")
        try:
            given[key] = Given(known[key].kind.from_toml(value), origin)
        except ValueError as error:
            complaint = _complaint(known[key], value, text.split("\n")[number - 1])
            raise ConfigurationError(f"{origin}: {complaint}") from error
    return given


def _complaint(setting: Setting, value: object, line: str) -> str:
    """Return the fault of a value that is not allowed; for an array, of its first element that is not."""
    for number, element in enumerate(value if isinstance(value, list) and list in setting.kind.types else (), 1):
        try:
            setting.kind.from_toml([element])
        except ValueError:
            place = f"; it is element {number}" if number > 1 else ""
            return f"{shown(element)} is not {setting.kind.allowed}{element_hint(setting, element)}{place}"
    return f"{shown(value)} is not {setting.kind.allowed}{hint(setting, value, line)}"


def _short(key: str) -> str:
    return key if len(key) <= LONG else f"{key[:LONG]}…"


def _line_of(key: str, text: str) -> int:
    """
    The line on which a top-level key is first written.

    `tomllib` does not keep it. A line that looks like the key may still be part of a string of several lines;
    then what stands before it is not a whole document.
    """
    written = re.compile(rf"""\s*(?:\[\s*)*["']?{re.escape(key)}["']?\s*[=.\]]""")
    lines = text.split("\n")
    likely = [number for number, line in enumerate(lines, 1) if written.match(line)]
    for number in likely[:LIKELY]:
        if _is_toml("".join(f"{before}\n" for before in lines[: number - 1])):
            return number
    return likely[0] if likely else 1  # none: written with an escape in its name


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
