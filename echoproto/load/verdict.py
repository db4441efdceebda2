"""
The verdicts on a load.
"""

from __future__ import annotations

from enum import StrEnum


class LoadVerdict(StrEnum):
    """The verdicts, the worst first."""

    CORRUPT = "corrupt"
    REORDERED = "reordered"
    DUPLICATED = "duplicated"
    INSERTED = "inserted"
    TRUNCATED = "truncated"
    LOST = "lost"
    FAILED = "failed"
    """Connections broke."""
    UNREACHABLE = "unreachable"
    """No connection was made."""
    NOTHING = "nothing"
    """No message came back."""
    CLIENT_LIMIT = "client limit"
    """The generator was the limit."""
    GOOD = "good"


HARMS = (
    LoadVerdict.CORRUPT,
    LoadVerdict.REORDERED,
    LoadVerdict.DUPLICATED,
    LoadVerdict.INSERTED,
    LoadVerdict.TRUNCATED,
    LoadVerdict.LOST,
)
"""Harm that a service can do to data, the worst first."""

MEASURED = frozenset({LoadVerdict.GOOD, LoadVerdict.CLIENT_LIMIT})
"""Verdicts with figures that count."""
