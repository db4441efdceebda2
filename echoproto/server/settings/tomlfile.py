"""
Settings from a TOML file; each error names the file, the line, the key, the value and the values allowed.
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
"""Maximum size of the file in bytes; /dev/zero has no end."""

MAX_SHOWN_KEY = 64
"""Maximum length, in characters, of a key in an error."""

MAX_LINES_TRIED = 50
"""Maximum number of lines tried that look like a key; each costs another parse of the file."""


def read_file(path: str, at: str = "") -> dict[str, Given]:
    """
    Read the settings in a file.

    :param path: name of a TOML file in UTF-8, with the settings as its top-level keys; errors show it.
    :param at: absolute path of the file, if ``path`` is relative to another folder.
    :raise ConfigurationError: if the file can't be read, is empty, or contains an invalid value.
    """
    if not path:
        raise ConfigurationError("--config '': must name a file, for example echo.toml")
    text = _read_text(path, at or path)
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigurationError(f"{path}:1: not TOML: brackets are nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        problem, line = _where(str(error), text)
        written = line_hint(_known(), text.split("\n")[line - 1])
        raise ConfigurationError(f"{path}:{line}: not TOML: {problem}{written}") from error
    except ValueError as error:  # of Python, which limits the digits of an integer
        raise ConfigurationError(f"{path}:1: not TOML: a number has too many digits") from error
    return _settings(document, path, text)


def _read_text(path: str, at: str) -> str:
    try:
        # Do not wait forever for the writer of a named pipe: without blocking, it reads as empty.
        with open(at, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            os.set_blocking(file.fileno(), True)
            content = file.read(MAXIMUM_SIZE + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from error
    if len(content) > MAXIMUM_SIZE:
        raise ConfigurationError(f"{path}: must not be larger than {MAXIMUM_SIZE} bytes")
    if not content.strip():
        raise ConfigurationError(f"{path}: is empty; it must contain settings, for example port = 8888")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: must be UTF-8 text") from error


def _where(message: str, text: str) -> tuple[str, int]:
    """Split an error of `tomllib` into the problem and its line."""
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
            raise ConfigurationError(f"{origin}: unknown key{hint}; known: {', '.join(known)}{table_hint(value)}")
        try:
            given[key] = Given(known[key].kind.from_toml(value), origin)
        except ValueError as error:
            problem = _problem(known[key], value, text.split("\n")[number - 1])
            raise ConfigurationError(f"{origin}: {problem}") from error
    return given


def _problem(setting: Setting, value: object, line: str) -> str:
    """Describe an invalid value; of an array, its first invalid element."""
    for number, element in enumerate(value if isinstance(value, list) and list in setting.kind.types else (), 1):
        try:
            setting.kind.from_toml([element])
        except ValueError:
            place = f"; it is element {number}" if number > 1 else ""
            return f"{shown(element)}: must be {setting.kind.allowed}{element_hint(setting, element)}{place}"
    return f"{shown(value)}: must be {setting.kind.allowed}{hint(setting, value, line)}"


def _short(key: str) -> str:
    return key if len(key) <= MAX_SHOWN_KEY else f"{key[:MAX_SHOWN_KEY]}…"


def _line_of(key: str, text: str) -> int:
    """
    Find the line on which a top-level key is first written.

    `tomllib` does not keep it. A line that looks like the key may be part of a multi-line string; then the text
    before it is not a whole document.
    """
    written = re.compile(rf"""\s*(?:\[\s*)*["']?{re.escape(key)}["']?\s*[=.\]]""")
    lines = text.split("\n")
    likely = [number for number, line in enumerate(lines, 1) if written.match(line)]
    for number in likely[:MAX_LINES_TRIED]:
        if _is_toml("".join(f"{before}\n" for before in lines[: number - 1])):
            return number
    return likely[0] if likely else 1  # none: written with an escape in its name


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
