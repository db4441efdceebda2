"""
Promises and their proofs, from promises.toml and the docstrings of the tests, which are parsed, not imported.

A docstring that begins with codes, as ``O6, O7: …`` does, says that this test, or each test of this class, proves these
promises; ``C8 (select): …``, that only its run on this reactor does. A command is a module of checks/ with a ``main``,
or a package with a ``__main__``. Its docstring has a line ``Proves T1, T6.``; in a package, so do the parts that can
be named on its command line, which are functions whose docstrings begin with codes.
"""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterable, Iterator

from attrs import frozen

from tests.suite import KNOWN as REACTORS
from tests.suite import runs_once

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CODES = r"([A-Z]\d{1,2}(?:, [A-Z]\d{1,2})*)\b(?: \(([^)]*)\))?"
CASES = ("Tests", "Builder")
"""How classes of tests are called."""

EVERY = "every reactor"
ONCE = "without a reactor"
GIVEN = "the reactor that is given"

PREFACE = """\
# Promises

<!-- Written by "make docs" from promises.toml and the docstrings of the tests. -->

The promises of a trustworthy echo service, each with its proofs: tests, or commands that measure. Tests run on every
reactor (`make test-all`: select, poll, epoll, lean-epoll, asyncio and uvloop; kqueue on macOS and BSD, and on Linux
[emulated](reactors.md#kqueue)), unless the list names the reactors that count, or the test has nothing to do with a
reactor. Commands run on the reactor that you name.
"""


FIGURES = """\
## Figures

Limits of time, memory and load on an idle machine, each with the command that measures it on a reactor of your choice;
`make figures` measures all but the first.

| | limit | command |
|---|---|---|
"""


@frozen
class Figure:
    """
    A limit of time, memory or load.

    :ivar measure: the quantity.
    :ivar hold: the limit.
    :ivar command: the command that measures it.
    """

    measure: str
    hold: str
    command: str


@frozen
class Promises:
    """
    The promises.

    :ivar titles: titles of the sections, by letter.
    :ivar texts: texts of the promises, by code.
    :ivar pending: codes without a proof yet.
    :ivar later: codes of features that are not built yet.
    :ivar figures: in the order of the guide.
    """

    titles: dict[str, str]
    texts: dict[str, str]
    pending: frozenset[str]
    later: frozenset[str]
    figures: tuple[Figure, ...] = ()


@frozen
class Proof:
    """
    What proves some promises.

    :ivar codes: which.
    :ivar path: of the file, from the root of the project.
    :ivar name: of the test, as pytest has it, or the command.
    :ivar reactors: on which it proves them.
    """

    codes: tuple[str, ...]
    path: str
    name: str
    reactors: str

    def __str__(self) -> str:
        return f"[`{self.name}`](../{self.path}), {self.reactors}"


def read_promises() -> Promises:
    """What stands in promises.toml."""
    with open(os.path.join(ROOT, "docs", "promises.toml"), "rb") as file:
        table = tomllib.load(file)
    pending, later = frozenset(table.pop("pending")), frozenset(table.pop("later"))
    figures = tuple(Figure(**figure) for figure in table.pop("figures"))
    titles = {letter: section.pop("title") for letter, section in table.items()}
    texts = {code: text for section in table.values() for code, text in section.items()}
    return Promises(titles, texts, pending, later, figures)


def read_proofs() -> list[Proof]:
    """What the docstrings of all tests and commands say."""
    proofs: list[Proof] = []
    for top in ("checks", "tests"):
        for folder, folders, names in os.walk(os.path.join(ROOT, top)):
            folders.sort()
            for name in sorted(name for name in names if name.endswith(".py")):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    proofs += proofs_in(os.path.relpath(path, ROOT).replace(os.sep, "/"), file.read())
    return proofs


def proofs_in(path: str, source: str) -> Iterator[Proof]:
    """
    What the docstrings of one file say.

    :param path: of the file, from the root of the project.
    :param source: its text.
    """
    tree = ast.parse(source)
    package = os.path.dirname(path)
    in_package = os.path.exists(os.path.join(ROOT, package, "__main__.py"))
    if in_package or any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
        command = f"python -m {(package if in_package else path.removesuffix('.py')).replace('/', '.')}"
        for found in re.finditer(rf"^Proves {CODES}\.$", ast.get_docstring(tree) or "", re.MULTILINE):
            yield _proof(found, path, command, GIVEN)
        for name, found in _with_codes(tree.body) if in_package else ():
            yield _proof(found, path, f"{command} {name.replace('_', '-')}", GIVEN)
        return
    module = path.removesuffix(".py").replace("/", ".")
    reactors = ONCE if runs_once(module) else EVERY
    for name, found in _with_codes(tree.body):
        if name.startswith("test") or name.endswith(CASES):
            yield _proof(found, path, f"{path}::{name}", reactors)
    for case in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for name, found in _with_codes(case.body):
            if name.startswith("test"):
                yield _proof(found, path, f"{path}::{case.name}::{name}", reactors)


def _with_codes(nodes: Iterable[ast.stmt]) -> Iterator[tuple[str, re.Match[str]]]:
    """The names of those classes and functions whose docstrings begin with codes, and these."""
    for node in nodes:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found = re.match(CODES, ast.get_docstring(node) or "")
            if found:
                yield node.name, found


def _proof(found: re.Match[str], path: str, name: str, reactors: str) -> Proof:
    return Proof(tuple(found[1].split(", ")), path, name, f"only {found[2]}" if found[2] else reactors)


def is_command(words: str) -> bool:
    """Whether there is such a command: ``python -m`` and a module, or a package and some of its parts; then options."""
    found = re.fullmatch(r"python -m ((?:checks|tests)[\w.]*)((?: [a-z-]+)*?)(?: --\S.*)?", words)
    if not found:
        return False
    path = os.path.join(ROOT, *found[1].split("."))
    if not os.path.exists(os.path.join(path, "__main__.py")):
        return os.path.exists(f"{path}.py") and not found[2]
    there: set[str] = set()
    for name in os.listdir(path):
        if name.endswith(".py"):
            with open(os.path.join(path, name), encoding="utf-8") as file:
                there |= {node.name for node in ast.parse(file.read()).body if isinstance(node, ast.FunctionDef)}
    return {part.replace("-", "_") for part in found[2].split()} <= there


def complaints(promises: Promises, proofs: Iterable[Proof]) -> Iterator[str]:
    """Yield a line for each missing or invalid proof."""
    proved: dict[str, str] = {}
    for proof in proofs:
        for code in proof.codes:
            proved.setdefault(code, proof.name)
            if code not in promises.texts and code not in promises.later:
                yield f"{code}: {proof.name} names it, and there is no such promise"
        if proof.reactors not in {EVERY, GIVEN, ONCE}:
            for name in set(proof.reactors.removeprefix("only ").split(", ")) - set(REACTORS):
                yield f"{', '.join(proof.codes)}: {proof.name} is for the reactor {name}, which there is not"
    for code in sorted(promises.pending - set(promises.texts)):
        yield f"{code}: it is pending in promises.toml, and there is no such promise"
    for code in promises.texts:
        if code in proved and code in promises.pending:
            yield f"{code}: {proved[code]} proves it, so it is no longer pending in promises.toml"
        if code not in proved and code not in promises.pending:
            yield f"{code}: neither a test nor a command proves it"
    yield from _without_command(promises.figures)


def _without_command(figures: Iterable[Figure]) -> Iterator[str]:
    for figure in figures:
        if not is_command(figure.command):
            yield f"{figure.measure}: there is no command {figure.command!r}"


def chapter(promises: Promises, proofs: Iterable[Proof]) -> str:
    """The chapter of the guide, in Markdown."""
    proofs = list(proofs)
    lines = [PREFACE]
    for letter, title in promises.titles.items():
        lines.append(f"## {letter}. {title}\n")
        for code, text in promises.texts.items():
            if code.startswith(letter):
                lines.append(f"- **{code}** {text}")
                lines += [f"  - {proof}" for proof in proofs if code in proof.codes] or ["  - not proved yet"]
        lines.append("")
    rows = [f"| {figure.measure} | {figure.hold} | `{figure.command}` |" for figure in promises.figures]
    lines += [FIGURES + "\n".join(rows)]
    return "\n".join(lines).rstrip("\n") + "\n"
