"""
Private names of Twisted in our sources, found in the text of both.

A name that begins with one underscore is Twisted's if

- one of our classes uses or defines it for its own objects, and a Twisted base class defines it, too; or
- a module imports it from Twisted; or
- it is an attribute of another object, or a string like one, which Twisted's sources have and the module does not
  define.

Nothing of ours is imported, so modules for other platforms are searched as well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from attrs import frozen

import twisted

TWISTED = Path(twisted.__file__).parent
ROOT = Path(__file__).parent.parent.parent
PRIVATE = re.compile(r"_[A-Za-z]\w*")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@frozen(eq=False)
class Module:
    """
    Classes, imports and private names of a module.

    :ivar name: full name.
    :ivar classes: by their names.
    :ivar imports: full name of each name that is imported.
    :ivar defined: private names that the module, its classes or its objects get in it.
    """

    name: str
    tree: ast.Module
    classes: dict[str, ast.ClassDef]
    imports: dict[str, str]
    defined: frozenset[str]

    @classmethod
    def parse(cls, name: str, text: str) -> Module:
        """Read the text of a module."""
        tree = ast.parse(text)
        imports: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imports |= {(each.asname or each.name.partition(".")[0]): each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                package = node.module or ""
                if node.level:
                    package = ".".join(filter(None, [*name.split(".")[: -node.level], node.module]))
                imports |= {(each.asname or each.name): f"{package}.{each.name}" for each in node.names}
        classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        return cls(name, tree, classes, imports, defined(tree))

    def resolve(self, node: ast.expr) -> str:
        """Return the full name of a class or module that an expression names; empty, if it names neither."""
        if isinstance(node, ast.Subscript):
            return self.resolve(node.value)
        if isinstance(node, ast.Attribute):
            base = self.resolve(node.value)
            return f"{base}.{node.attr}" if base else ""
        if isinstance(node, ast.Name):
            return f"{self.name}.{node.id}" if node.id in self.classes else self.imports.get(node.id, "")
        return ""


@frozen
class Use:
    """
    Use of a private name.

    :ivar path: file of ours, from the top of the checkout.
    :ivar owner: class or module of Twisted that has the name; empty if the text does not tell.
    """

    path: str
    name: str
    owner: str = ""


def is_private(name: str) -> bool:
    """Tell if a name begins with one underscore."""
    return PRIVATE.fullmatch(name) is not None


def is_own(node: ast.expr) -> bool:
    """Tell if an expression is an object in its own methods: ``self``, ``cls`` or ``super()``."""
    if isinstance(node, ast.Call):
        node = node.func
    return isinstance(node, ast.Name) and node.id in {"self", "cls", "super"}


def defined(tree: ast.AST) -> frozenset[str]:
    """Return the private names that a class or module defines: methods, variables, and attributes that are set."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            found.add(node.attr)
    return frozenset(filter(is_private, found))


@cache
def used_of_own(tree: ast.AST) -> frozenset[str]:
    """Return the private names that the methods of a class use of its own object, or define."""
    own = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_own(node.value)}
    return frozenset(filter(is_private, own)) | members(tree)


@cache
def members(tree: ast.AST) -> frozenset[str]:
    """Return the private names in the body of a class, and those of its object that are set in its methods."""
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    found = {node.name for node in body if isinstance(node, FUNCTIONS)}
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    for each in ast.walk(tree):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store) and is_own(each.value):
            found.add(each.attr)
    return frozenset(filter(is_private, found))


@cache
def module(name: str) -> Module | None:
    """Read one of our modules, or one of Twisted's, by its full name."""
    for root in (TWISTED.parent, ROOT):
        path = root.joinpath(*name.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return Module.parse(name, file.read_text("utf-8"))
    return None


def find_class(name: str) -> tuple[Module, ast.ClassDef] | None:
    """Find a class by its full name, also where a module has imported it."""
    place, _, last = name.rpartition(".")
    found = module(place) if place else None
    if found is None:
        return None
    if last in found.classes:
        return found, found.classes[last]
    return find_class(found.imports[last]) if found.imports.get(last, name) != name else None


def ancestry(place: Module, node: ast.ClassDef) -> Iterator[tuple[Module, ast.ClassDef]]:
    """Yield a class and all its bases that are ours or Twisted's."""
    yield place, node
    for base in node.bases:
        found = find_class(name) if (name := place.resolve(base)) and name != f"{place.name}.{node.name}" else None
        if found is None and isinstance(base, ast.Name) and base.id in place.classes and base.id != node.name:
            found = place, place.classes[base.id]
        if found is not None:
            yield from ancestry(*found)


def has_name(owner: str, name: str) -> bool:
    """Tell if a class, an object of it, or a module of the installed Twisted has a private name."""
    found = find_class(owner)
    if found is not None:
        return any(name in members(node) for _, node in ancestry(*found))
    place = module(owner)
    return place is not None and (name in place.defined or module(f"{owner}.{name}") is not None)


def words(text: str) -> frozenset[str]:
    """Return all words of a text that may be private names."""
    return frozenset(re.findall(r"\b_[A-Za-z]\w*", text))


@cache
def words_of_twisted() -> frozenset[str]:
    """Return those of all of Twisted's sources but its tests."""
    paths = (path for path in TWISTED.rglob("*.py") if not path.name.startswith("test_"))
    return frozenset[str]().union(*(words(path.read_text("utf-8")) for path in paths))


def uses(path: str, text: str) -> set[Use]:
    """
    Find the private names of Twisted in a module of ours.

    :param path: its file, from the top of the checkout.
    """
    if words(text).isdisjoint(words_of_twisted()):
        return set()
    place = Module.parse(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."), text)
    inherited = {Use(of.name.replace(".", "/") + ".py", name, owner) for of, name, owner in _inherited(place)}
    return inherited | {Use(path, *each) for find in (_imported, _of_others) for each in find(place)}


def _inherited(place: Module) -> Iterator[tuple[Module, str, str]]:
    for node in place.classes.values():
        family = list(ancestry(place, node))
        ours = [(of, used_of_own(each)) for of, each in family if not of.name.startswith("twisted.")]
        found: set[str] = set()
        for owner, each in family:
            if owner.name.startswith("twisted."):
                names = members(each) - found
                found |= names
                yield from ((of, name, f"{owner.name}.{each.name}") for of, used in ours for name in used & names)


def _imported(place: Module) -> Iterator[tuple[str, str]]:
    for full in place.imports.values():
        parts = full.split(".")
        if parts[0] == "twisted":
            yield from ((part, ".".join(parts[:at])) for at, part in enumerate(parts) if is_private(part))


def _of_others(place: Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(place.tree):
        if isinstance(node, ast.Attribute) and not is_own(node.value):
            name, owner = node.attr, place.resolve(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name, owner = node.value, ""
        else:
            continue
        elsewhere = owner and not owner.startswith("twisted.")
        if is_private(name) and not elsewhere and name not in place.defined and name in words_of_twisted():
            yield name, owner
