"""Pairwise testing: few rows of settings that cover every pair of values of two factors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

Value = tuple[str, str]
"""A factor, and one of its values."""

Pair = frozenset[Value]


def all_pairs(factors: Mapping[str, Sequence[str]]) -> set[Pair]:
    """Return all pairs of values of two factors."""
    return {
        frozenset({(one, this), (other, that)})
        for one, other in combinations(factors, 2)
        for this in factors[one]
        for that in factors[other]
    }


def pairs_of(row: Mapping[str, str]) -> set[Pair]:
    """Return the pairs in a row."""
    return {frozenset(pair) for pair in combinations(row.items(), 2)}


def rows(factors: Mapping[str, Sequence[str]], forbidden: Iterable[Pair] = ()) -> list[dict[str, str]]:
    """
    Return rows that cover each pair at least once, without the forbidden pairs.

    :param factors: names and their values; the first value of each goes with all values of all others.
    """
    banned = set(forbidden)
    missing = sorted(all_pairs(factors) - banned, key=sorted)
    found = []
    while missing:
        row = dict(sorted(missing[0]))
        for name in factors:
            if name not in row:
                allowed = [v for v in factors[name] if not pairs_of({**row, name: v}) & banned]
                row[name] = max(allowed, key=lambda v: len(pairs_of({**row, name: v}) & set(missing)))
        covered = pairs_of(row)
        missing = [pair for pair in missing if pair not in covered]
        found.append({name: row[name] for name in factors})
    return found
