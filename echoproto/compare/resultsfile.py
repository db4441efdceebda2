"""
Reader of the file ``results.json``; invalid content raises one error, which names its place.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Sequence
from typing import Any

from echoproto.compare.folder import RESULTS
from echoproto.compare.results import Calls, Results, Sample, read
from echoproto.compare.structure import Mismatch, shown
from echoproto.errors import ConfigurationError, nearest
from echoproto.host.files import read_text

MAX_FILE_BYTES = 256 << 20
"""Maximum size of a file, many times that of the largest comparison."""

MAX_DIGITS = 400
"""Number of digits from which a whole number exceeds the largest floating point number."""


def read_file(path: str) -> Results:
    """
    Read the results of a comparison from a file, or from its folder.

    :raise ConfigurationError: if they are missing or invalid; the message begins with the file and the wrong key.
    """
    if os.path.isdir(path):
        path = os.path.join(path, RESULTS)
    try:
        data = _parse(read_text(path, MAX_FILE_BYTES))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{path}: not JSON: it is nested too deeply") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: not JSON: {error}") from error
    try:
        results = read(data)
        check(results)
    except Mismatch as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return results


def _parse(text: str) -> Any:
    """Parse JSON without duplicate keys; a later check reports NaN and infinity with their place."""
    if not text.strip():
        raise ValueError("it is empty")
    return json.loads(text, object_pairs_hook=_object, parse_int=_whole)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"duplicate key {shown(twice)}")
    return found


def _whole(digits: str) -> int | float:
    """Return a whole number; infinity for one with too many digits, which Python refuses to convert."""
    return int(digits) if len(digits) < MAX_DIGITS else math.inf


def check(results: Results) -> None:
    """
    Check that the parts of results are consistent.

    :raise ConfigurationError: if one is not; the error names it.
    """
    for path, distinct, given in (
        ("contestants", {each.name for each in results.contestants}, results.contestants),
        ("cells", set(results.cells), results.cells),
    ):
        if not given:
            raise Mismatch("empty: there must be at least one", path)
        if len(distinct) < len(given):
            raise Mismatch("duplicate entry", path)
    names = {each.name for each in results.contestants}
    _check_name(results.baseline, names, "baseline")
    taken: dict[str, Sequence[Sample | Calls]] = {"samples": results.samples, "calls": results.calls}
    for key, found in taken.items():
        for index, each in enumerate(found):
            _check_name(each.contestant, names, f"{key}[{index}].contestant")
            if each.cell not in results.cells:
                raise Mismatch("must be one of the cells", f"{key}[{index}].cell")


def _check_name(name: str, known: Collection[str], path: str) -> None:
    if name not in known:
        raise Mismatch(f"{shown(name)} is not one of the contestants{nearest(name, known)}", path)
