"""
Conversion of results of earlier schema versions to the current names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SAMPLE = {
    "server_cpu_us": "server_cpu_us_per_echo",
    "client_cpu": "client_cpu_share",
    "idle_rss": "idle_rss_bytes",
    "busy_rss": "busy_rss_bytes",
    "voluntary": "voluntary_switches_per_echo",
    "involuntary": "involuntary_switches_per_echo",
}
CELL = {"size": "size_bytes"}
RESULTS = {"duration": "duration_seconds"}
"""Names of version 1, and the current ones; the figures and their units are the same."""

FORMER = {name: former for names in (SAMPLE, CELL, RESULTS) for former, name in names.items()}


def from_version_1(data: Mapping[str, Any]) -> dict[str, Any]:
    """
    Rename the keys of version 1; misplaced parts stay as they are, and the reader refuses them.

    :param data: decoded JSON.
    """
    found = _renamed(data, RESULTS)
    found["cells"] = _each(found["cells"], _cell)
    for key, names in (("samples", SAMPLE), ("calls", {})):
        if key in found:
            found[key] = _each(found[key], lambda part, names=names: _with_cell(part, names))
    return found


def path_in_version_1(path: str) -> str:
    """Return the path of a key by its name in version 1."""
    if path.startswith("environment."):
        return path
    return re.sub(r"\w+$", lambda name: FORMER.get(name[0], name[0]), path)


def _each(parts: Any, change: Any) -> Any:
    return [change(part) if isinstance(part, dict) else part for part in parts] if isinstance(parts, list) else parts


def _with_cell(part: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    found = _renamed(part, names)
    if isinstance(found.get("cell"), dict):
        found["cell"] = _cell(found["cell"])
    return found


def _cell(part: Mapping[str, Any]) -> dict[str, Any]:
    return _renamed(part, CELL)


def _renamed(part: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Rename keys; drop keys with current names, which version 1 does not know."""
    return {names.get(key, key): value for key, value in part.items() if key not in names.values()}
