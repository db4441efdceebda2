"""
The console blocks of the guide: their commands and shown output, and the instructions in the comments before them.

A test runs the commands of a block in a folder of its own. A Markdown (HTML) comment before a block may contain

- ``not run: REASON``
- ``before: COMMAND``: a command to start first in the same folder, which continues beside the block
- ``meanwhile: COMMAND``: a command to start after the block's server, and to end while the server runs
- ``file NAME: TEXT``: content of a file in the folder
- ``link: NAMES``: files and folders of the checkout to link into the folder; ``.venv`` is this environment
- ``typed: TEXT``: a line to type into the command, after the previous line was shown
- ``shortened: OLD => NEW``: a replacement for a part of a command that takes too long
"""

from __future__ import annotations

import re

from attrs import define, field, frozen

BLOCK = re.compile(r"(?P<notes>(?:<!--(?:(?!-->).)*-->\s*)*)^```console\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)

NOTE = re.compile(r"<!--\s*((?:(?!-->).)*?)\s*-->", re.DOTALL)

KINDS = ("not run", "before", "meanwhile", "file", "link", "typed", "shortened")

LOOSE = {
    r"…": r".*",
    r"(?<=fd is )\d+|\d+(?= -> )|(?<= )\d+(?=u )": "",  # descriptors must match exactly
    r"\d+\.\d+\.\d+\.\d+": r"[\da-f.:]+",
    r"[A-Z][a-z]{2} +\d+ +\d+:\d+": r"[A-Z][a-z]{2} +\d+ +[\d:]+",
    r"\d[\d.,]* (?:µs|ms|s)\b": r"\d[\d.,]* (?:µs|ms|s)",
    r"\d[\d.,]*": r"\d[\d.,]*",
    r"\broot\b": r"\S+",
    r"\s+": r"\s+",
}
"""Variable parts of shown output, and patterns of text that may replace them."""


@frozen
class Command:
    """
    A command of a block.

    :ivar text: the command as typed, in one or more lines.
    :ivar shown: the lines of its output that the block shows.
    """

    text: str
    shown: list[str]


@define
class Block:
    """
    A console block.

    :ivar line: number of its first line in the document.
    """

    line: int
    commands: list[Command] = field(factory=list)
    not_run: str = ""
    before: list[str] = field(factory=list)
    meanwhile: list[str] = field(factory=list)
    files: dict[str, str] = field(factory=dict)
    links: list[str] = field(factory=list)
    typed: list[str] = field(factory=list)
    shortened: list[tuple[str, str]] = field(factory=list)

    def shorten(self, command: str) -> str:
        """Replace the parts of a command that take too long."""
        for old, new in self.shortened:
            command = command.replace(old, new)
        return command


def parse(document: str) -> list[Block]:
    """
    Read the console blocks of a document in Markdown.

    :raise ValueError: for an unknown comment before a block.
    """
    found = []
    for match in BLOCK.finditer(document):
        block = Block(document.count("\n", 0, match.start("text")) + 1)
        for note in NOTE.findall(match["notes"]):
            _apply(block, note)
        for line in match["text"].splitlines():
            if line.startswith("$ "):
                block.commands.append(Command(line[2:], []))
            elif line.startswith("> ") and block.commands:
                last = block.commands[-1]
                block.commands[-1] = Command(f"{last.text}\n{line[2:]}", last.shown)
            elif block.commands:
                block.commands[-1].shown.append(line)
            else:
                raise ValueError(f"line {block.line}: output before the first command: {line}")
        found.append(block)
    return found


def _apply(block: Block, note: str) -> None:
    head, _, text = note.partition(":")
    kind, _, name = head.partition(" ") if head.startswith("file ") else (head, "", "")
    text = text.strip(" \n")
    if kind not in KINDS or not text:
        raise ValueError(
            f"line {block.line}: the comment {note!r} before a console block is none of {', '.join(KINDS)}"
        )
    if kind == "not run":
        block.not_run = text
    elif kind == "file":
        block.files[name] = f"{text}\n"
    elif kind == "link":
        block.links += text.split()
    elif kind == "shortened":
        old, _, new = text.partition(" =>")
        block.shortened.append((old, new.strip()))
    else:
        getattr(block, kind).append(text)


def pattern(line: str) -> str:
    """Return a regular expression for lines that differ from a shown one only in figures, dates and addresses."""
    line, found, end = line.strip(), "", 0
    for match in re.finditer("|".join(f"({exact})" for exact in LOOSE), line):
        loose = list(LOOSE.values())[(match.lastindex or 1) - 1]
        found += re.escape(line[end : match.start()]) + (loose or re.escape(match[0]))
        end = match.end()
    return found + re.escape(line[end:])


def missing(shown: list[str], output: str) -> list[str]:
    """Return the shown lines that are missing in an output; other lines may be between them."""
    lines = iter([line.strip() for line in output.splitlines()])
    for number, line in enumerate(shown):
        if line.strip() and not any(re.fullmatch(pattern(line), each) for each in lines):
            return shown[number:]
    return []
