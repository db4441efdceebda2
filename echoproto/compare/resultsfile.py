"""
Reads the file ``results.json``. Any content gives either results, or one error that names the place.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Sequence
from typing import Any

from echoproto.compare.results import Calls, Results, Sample, read
from echoproto.compare.structure import Mismatch, shown
from echoproto.errors import ConfigurationError, nearest
from echoproto.host.files import read_text

RESULTS = "results.json"

MOST = 256 << 20
"""Bytes: many times as much as the largest comparison leaves."""

DIGITS = 400
"""Digits of a whole number that is beyond the largest floating point number."""


def read_file(path: str) -> Results:
    """
    Read the results of a comparison from a file, or from a folder in which they are.

    :raise ConfigurationError: if there are none; the message begins with the file and the path of the wrong key.
    """
    if os.path.isdir(path):
        path = os.path.join(path, RESULTS)
    try:
        data = _parse(read_text(path, MOST))
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
    """Parse JSON, in which each key of an object is there once; NaN and the like are left for its place to be named."""
    if not text.strip():
        raise ValueError("it is empty")
    return json.loads(text, object_pairs_hook=_object, parse_int=_whole)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(twice)} is there twice")
    return found


def _whole(digits: str) -> int | float:
    """A whole number; one of so many digits is beyond all others, also for Python."""
    return int(digits) if len(digits) < DIGITS else math.inf


def check(results: Results) -> None:
    """
    Check that the parts of some results fit together.

    :raise ConfigurationError: if one does not; the error names it.
    """
    for path, distinct, given in (
        ("contestants", {each.name for each in results.contestants}, results.contestants),
        ("cells", set(results.cells), results.cells),
    ):
        if not given:
            raise Mismatch("empty: there must be at least one", path)
        if len(distinct) < len(given):
            raise Mismatch("one of them is there twice", path)
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
        raise Mismatch(f"{shown(name)} is none of the contestants{nearest(name, known)}", path)
