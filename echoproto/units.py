"""
Sizes and times in words: parsing and formatting.
"""

from __future__ import annotations

import math
import re

from echoproto.errors import ConfigurationError, as_given

SIZES = {"": 1, "B": 1, "kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20}
"""Bytes of each unit."""

NS = 1_000_000_000
"""Nanoseconds in a second."""

TIMES = {"": 1.0, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds of each unit."""


def parse_size(text: str) -> int:
    """
    Read a size such as ``64`` or ``10KiB``.

    :return: bytes, 0 or more.
    :raises ConfigurationError: for anything else.
    """
    found = re.fullmatch(r"([0-9]{1,15}) ?([A-Za-z]*)", text)
    if found is None or found[2] not in SIZES:
        raise ConfigurationError(
            f"{as_given(text)}: must be a whole number of bytes, kB, KiB, MB or MiB, for example 10KiB"
        )
    return int(found[1]) * SIZES[found[2]]


def parse_sizes(text: str) -> tuple[int, int]:
    """
    Read a size, or a range of them such as ``64-1KiB``.

    :return: smallest and largest, in bytes.
    :raises ConfigurationError: for anything else, and for a range that runs backwards.
    """
    first, dash, last = text.partition("-")
    smallest = parse_size(first)
    largest = parse_size(last) if dash else smallest
    if not smallest or not largest:
        raise ConfigurationError(f"{text}: must be at least 1 byte, for example 64 or 64-1KiB")
    if smallest > largest:
        raise ConfigurationError(f"{text}: must begin with the smaller size, for example 64-1KiB")
    return smallest, largest


def parse_time(text: str) -> float:
    """
    Read a time such as ``10``, ``1.5s``, ``500ms`` or ``2m``.

    :return: seconds, 0 or more.
    :raises ConfigurationError: for anything else.
    """
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?([a-zµ]*)", text)
    if found is None or found[2] not in TIMES:
        raise ConfigurationError(f"{as_given(text)}: must be a number of us, ms, s, m or h, for example 500ms")
    return float(found[1]) * TIMES[found[2]]


def show_size(size: int) -> str:
    """Format a size for `parse_size`, in the largest binary unit that divides it."""
    for unit in ("MiB", "KiB"):
        if size and not size % SIZES[unit]:
            return f"{size // SIZES[unit]}{unit}"
    return f"{size}B"


def counted(number: int, one: str, many: str = "") -> str:
    """
    Format a number and its noun, such as ``1 byte`` or ``2,000 bytes``.

    :param many: the plural, unless it is ``one`` with an s.
    """
    return f"{number:,} {noun(number, one, many)}"


def noun(number: int, one: str, many: str = "") -> str:
    """Choose singular or plural of a noun; the number itself is written elsewhere."""
    return one if number == 1 else many or f"{one}s"


def show_time(microseconds: float) -> str:
    """Format a time with three significant digits, in µs, ms or s."""
    for unit, length in (("µs", 1), ("ms", 1e3)):
        if microseconds < 999.5 * length:
            return f"{_three_digits(microseconds / length)} {unit}"
    return f"{_three_digits(microseconds / 1e6)} s"


def _three_digits(number: float) -> str:
    """Format a number below 1,000 with at most three significant digits, a larger one as a whole number."""
    digits = 0 if number >= 100 else max(0, 2 - math.floor(math.log10(number))) if number >= 1 else 2  # noqa: PLR2004
    text = f"{number:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
