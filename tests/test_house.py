"""The graph of imports: no circles, and no room that reaches into one that it must not know."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import echoproto

Graph = Mapping[str, frozenset[str]]
"""Modules of ours that each module imports, wherever in it: at its top, or when a function is called."""

PACKAGE = Path(echoproto.__file__).parent
MAX_MODULES = 18
"""Modules of a room, without its ``__init__``."""

LIBRARIES = frozenset({"errors", "units", "console", "terminal", "progress"})
"""Modules of the top level that any room may import."""

REACHES = {
    "protocol": frozenset(),
    "addresses": frozenset(),
    "datagram": frozenset({"addresses", "tokenbucket"}),
    "errors": frozenset(),
    "units": frozenset({"errors"}),
    "tokenbucket": frozenset(),
    "console": frozenset({"errors"}),
    "terminal": frozenset({"console", "errors"}),
    "progress": frozenset({"terminal", "errors"}),
    "host": LIBRARIES,
    "reactors": LIBRARIES,
    "server": LIBRARIES | {"", "addresses", "protocol", "datagram", "tokenbucket", "reactors"},
    "pages": frozenset({"errors"}),
    "load": LIBRARIES | {"host", "pages"},
    "compare": LIBRARIES | {"host", "load", "pages", "reactors"},
    "cli": LIBRARIES | {"", "compare", "host", "load", "reactors"},
}
"""Rooms that each room may import from, beside itself; ``""`` is the package itself, which has the version."""


def modules() -> dict[str, Path]:
    """Return the files of all modules, by their full names."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str, known: Iterable[str]) -> Iterator[str]:
    """
    Yield what a module imports; of our own, the module rather than the name in it.

    :param source: text of the module.
    :param known: full names of our modules.
    """
    known = frozenset(known)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in known else str(node.module) for name in names)


def at_import(source: str) -> Iterator[str]:
    """Yield the modules that the text of a module imports when it is imported itself, and not later."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting.extend(ast.iter_child_nodes(node))


def graph() -> Graph:
    """Return the graph of our modules."""
    files = modules()
    return {
        name: frozenset(imports(path.read_text("utf-8"), files)) & files.keys() - {name} for name, path in files.items()
    }


def circles(graph: Graph) -> list[list[str]]:
    """
    Return each circle of a graph: modules that all reach each other (Tarjan, "Depth-first search", 1972).

    A package that has its modules' names is no part of a circle, because it imports them late.
    """
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        path.append(name)
        for other in sorted(graph[name]):
            if other not in order:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in path:
                lowest[name] = min(lowest[name], order[other])
        if lowest[name] == order[name]:
            start = path.index(name)
            if len(path) - start > 1:
                found.append(sorted(path[start:]))
            del path[start:]

    for name in sorted(graph):
        if name not in order:
            visit(name)
    return found


def room(name: str) -> str:
    """Return the room of a module: what follows the package's name."""
    return f"{name}.".split(".")[1]


class HouseTests(SynchronousTestCase):
    def test_no_circles(self) -> None:
        late = {"echoproto": frozenset[str]()}  # which looks a name up when it is asked for
        self.assertEqual(circles({**graph(), **late}), [])

    def test_rooms_reach_only_what_they_may_know(self) -> None:
        wrong = [
            f"{name} imports {other}"
            for name, others in graph().items()
            if room(name) in REACHES
            for other in sorted(others)
            if room(other) != room(name) and room(other) not in REACHES[room(name)]
        ]
        self.assertEqual(wrong, [])

    def test_each_room_has_its_rule(self) -> None:
        self.assertEqual({room(name) for name in modules()} - REACHES.keys(), {"", "__main__"})

    def test_nothing_imports_the_reactor_when_it_is_imported(self) -> None:
        for name, path in modules().items():
            self.assertNotIn("twisted.internet.reactor", list(at_import(path.read_text("utf-8"))), name)

    def test_the_load_generator_does_without_twisted(self) -> None:
        """Its processes, and the command, would be larger and start later by it."""
        for name, path in modules().items():
            if room(name) in {"load", "host"}:
                found = {each.partition(".")[0] for each in imports(path.read_text("utf-8"), ())}
                self.assertNotIn("twisted", found, name)

    def test_rooms_have_few_modules(self) -> None:
        """A reader looks through a room at one glance."""
        sizes = Counter(path.parent for path in modules().values() if path.stem != "__init__")
        self.assertEqual([path.name for path, count in sizes.items() if count > MAX_MODULES], [])


class GraphTests(SynchronousTestCase):
    """The checker finds what it is to find."""

    def test_circles(self) -> None:
        arrows = {"a": "b", "b": "ce", "c": "d", "d": "b", "e": "f", "f": "", "g": "h", "h": "g"}
        found = circles({name: frozenset(others) for name, others in arrows.items()})
        self.assertEqual(found, [["b", "c", "d"], ["g", "h"]])

    def test_imports(self) -> None:
        source = "import a.b\nfrom p import m, x\ndef late():\n    from twisted.internet import reactor\n"
        self.assertEqual(sorted(imports(source, ["p", "p.m"])), ["a.b", "p", "p.m", "twisted.internet"])
        self.assertEqual(sorted(at_import(source)), ["a.b", "p.m", "p.x"])

    def test_a_class_and_a_condition_are_run_at_import(self) -> None:
        source = (
            "class A:\n    from twisted.internet import reactor\nif True:\n    import b\nf = lambda: __import__('c')\n"
        )
        self.assertEqual(sorted(at_import(source)), ["b", "twisted.internet.reactor"])
