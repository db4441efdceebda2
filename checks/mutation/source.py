"""
The text of a module, and its mutants with one small change.
"""

from __future__ import annotations

import ast

from attrs import frozen

Located = ast.expr | ast.stmt | ast.keyword
"""Nodes with a position."""


@frozen
class Mutant:
    """
    One change of a module.

    :ivar line: its first line, from 1.
    :ivar where: its function or class, such as ``Echo.drain``; ``""`` for the module itself.
    :ivar before: the lines to change, without their common indentation.
    :ivar after: the same, changed.
    :ivar text: the whole module with the change.
    """

    line: int
    where: str
    before: str
    after: str
    text: str

    def __str__(self) -> str:
        signed = [
            (sign, part)
            for sign, lines in zip("-+", (self.before, self.after), strict=True)
            for part in lines.split("\n")
        ]
        return "\n".join(f"{sign} {part}" for sign, part in signed)


class Source:
    """
    A module's text, with a mapping of its nodes, which count bytes of UTF-8 from the start of a line.

    :param text: of the module.
    """

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self._starts = [0]
        for line in self.data.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def begin(self, node: Located) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node: Located) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: Located) -> str:
        return self.data[self.begin(node) : self.end(node)].decode()

    def mutant(self, begin: int, end: int, new: str, where: str) -> Mutant:
        """Replace the text between two offsets."""
        changed = self.data[:begin] + new.encode() + self.data[end:]
        first = self.data.rfind(b"\n", 0, begin) + 1
        after_end = len(self.data) - end
        last, changed_last = (
            _end_of_line(self.data, end),
            _end_of_line(changed, len(changed) - after_end),
        )
        return Mutant(
            self.data.count(b"\n", 0, first) + 1,
            where,
            _dedent(self.data[first:last].decode()),
            _dedent(changed[first:changed_last].decode()),
            changed.decode(),
        )


def _end_of_line(data: bytes, offset: int) -> int:
    found = data.find(b"\n", offset)
    return len(data) if found < 0 else found


def _dedent(lines: str) -> str:
    return "\n".join(line.strip() for line in lines.split("\n"))
