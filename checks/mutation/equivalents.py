"""
Equivalent mutants: changes without a visible difference for any test, each with the reason.
"""

from __future__ import annotations

import os
import tomllib

from attrs import frozen

from checks.mutation.source import Mutant

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "equivalents.toml")


@frozen
class Equivalent:
    """
    A row of the list.

    :ivar where: the function or class of the change.
    :ivar change: the changed line, as in a diff.
    :ivar reason: the reason for which no test can see it.
    """

    where: str
    change: str
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        """Tell if a mutant is this one."""
        return (mutant.where, str(mutant)) == (self.where, self.change)


def read(file: str = FILE) -> dict[str, list[Equivalent]]:
    """
    Read the list.

    :param file: TOML, with an array of tables for each path.
    :return: the rows by the path of a module.
    :raise ValueError: if a row has no reason.
    """
    with open(file, "rb") as opened:
        rows = tomllib.load(opened)
    found = {
        path: [Equivalent(row["where"], row["change"].strip("\n"), row["reason"].strip()) for row in table]
        for path, table in rows.items()
    }
    for path, listed in found.items():
        for each in listed:
            if not each.reason:
                raise ValueError(f"{path}: {each.change!r} has no reason")
    return found
