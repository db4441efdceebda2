"""
The console blocks of the guide: what is typed and shown in them, and what the comments before them say of running them.

A block is run command by command in a folder of its own. A comment in Markdown (HTML) right before it may say

- ``not run: REASON``
- ``before: COMMAND``: a command that runs in the same folder first, and goes on beside the block
- ``meanwhile: COMMAND``: one that is started after the block's server, and ended while that runs
- ``file NAME: TEXT``: what a file in the folder holds
- ``link: NAMES``: files and folders of the checkout that are to be in the folder; ``.venv`` is this environment
- ``typed: TEXT``: a line of the block that is typed into the command, when the line before it is there
- ``shortened: OLD => NEW``: what to run in place of something that takes too long
"""

from __future__ import annotations

import re

from attrs import define, field, frozen

BLOCK = re.compile(r"(?P<notes>(?:<!--(?:(?!-->).)*-->\s*)*)^```console\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)

NOTE = re.compile(r"<!--\s*((?:(?!-->).)*?)\s*-->", re.DOTALL)

KINDS = ("not run", "before", "meanwhile", "file", "link", "typed", "shortened")

LOOSE = {
    r"…": r".*",
    r"(?<=fd is )\d+|\d+(?= -> )|(?<= )\d+(?=u )": "",  # descriptors, which are told exactly
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

    :ivar text: as typed, of several lines perhaps.
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
        """Put into a command what is run in place of something that takes too long."""
        for old, new in self.shortened:
            command = command.replace(old, new)
        return command


def parse(document: str) -> list[Block]:
    """
    Read the console blocks of a document in Markdown.

    :raise ValueError: for a comment before a block that is none of those above.
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
    """The regular expression for lines that differ from a shown one in figures, dates and addresses only."""
    line, found, end = line.strip(), "", 0
    for match in re.finditer("|".join(f"({exact})" for exact in LOOSE), line):
        loose = list(LOOSE.values())[(match.lastindex or 1) - 1]
        found += re.escape(line[end : match.start()]) + (loose or re.escape(match[0]))
        end = match.end()
    return found + re.escape(line[end:])


def missing(shown: list[str], output: str) -> list[str]:
    """The lines that are shown, and are not in an output in this order; others may be between them."""
    lines = iter([line.strip() for line in output.splitlines()])
    for number, line in enumerate(shown):
        if line.strip() and not any(re.fullmatch(pattern(line), each) for each in lines):
            return shown[number:]
    return []
