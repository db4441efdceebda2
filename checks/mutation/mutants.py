"""
The mutants of a module: each is its text with one small change.

Changed are comparisons, conditions, arithmetic, numbers, strings, returned values, ``and`` and ``or``, ``break`` and
``continue``, ``min`` and ``max``; statements and arguments are left out. Left alone are annotations, decorators,
imports and docstrings.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from checks.mutation.source import Mutant, Source

COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
"""Source text of each comparison, and of its replacements: a moved boundary, or the opposite."""

ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
    ast.BitXor: ("^", "&"),
}

NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}

FOREIGN = "XX"
"""Prefix of changed strings."""

DOCUMENTING = ("Attribute", "TypeVar", "cast")
"""Calls whose strings are for readers or type checkers only."""


def mutants_of(text: str) -> list[Mutant]:
    """
    Make the mutants of a module.

    :param text: text of the module.
    :return: all mutants that compile, in the order of their lines, without duplicates.
    :raise SyntaxError: if the text is not Python.
    """
    source = Source(text)
    visitor = _Visitor(source)
    visitor.visit(ast.parse(text))
    found: dict[str, Mutant] = {}
    for begin, end, new, where in visitor.changes:
        mutant = source.mutant(begin, end, new, where)
        if mutant.text not in found and _compiles(mutant.text):
            found[mutant.text] = mutant
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _compiles(text: str) -> bool:
    try:
        compile(text, "<mutant>", "exec", dont_inherit=True)
    except SyntaxError:  # such as "continue" for a "break" that ends a match
        return False
    return True


class _Visitor(ast.NodeVisitor):
    """
    Collect changes: their start and end, the new text, and the function or class.

    :param source: the source of the tree.
    """

    def __init__(self, source: Source) -> None:
        self.changes: list[tuple[int, int, str, str]] = []
        self._source = source
        self._where: list[str] = []

    def _change(self, node: ast.expr | ast.stmt, new: str) -> None:
        self._change_between(self._source.begin(node), self._source.end(node), new)

    def _change_between(self, begin: int, end: int, new: str) -> None:
        self.changes.append((begin, end, new, ".".join(self._where)))

    def _change_operator(self, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        """Change the operator between two operands, but not parentheses."""
        begin, end = self._source.end(left), self._source.begin(right)
        between = self._source.data[begin:end].decode()
        self._change_between(begin, end, between.replace(old, new, 1))

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def _visit_scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._where.append(node.name)
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        self._visit_all(body)
        self._where.pop()

    def visit_Module(self, node: ast.Module) -> None:
        self._visit_all(each for each in node.body if not _is_string(each))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_scope(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit_all((*node.args.defaults, *node.args.kw_defaults))
        self._visit_scope(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Leave it alone."""

    visit_ImportFrom = visit_Import

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, operator, right in zip((node.left, *node.comparators), node.ops, node.comparators, strict=False):
            old, others = COMPARISONS[type(operator)]
            for new in others:
                self._change_operator(left, right, old, new)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._change_operator(left, right, old, new)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self._change_operator(node.left, node.right, *ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self._change(node, f"({self._source.of(node.operand)})")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._remove(node)
        old, new = ARITHMETIC[type(node.op)]
        self._change_operator(node.target, node.value, old, new)
        self.generic_visit(node)

    def visit_If(self, node: ast.If | ast.While | ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    visit_While = visit_IfExp = visit_If

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for condition in node.ifs:
            self._negate(condition)
        self.generic_visit(node)

    def _negate(self, condition: ast.expr) -> None:
        if not isinstance(condition, ast.Compare | ast.UnaryOp):  # which become their opposites by themselves
            self._change(condition, f"not ({self._source.of(condition)})")

    def visit_Constant(self, node: ast.Constant) -> None:
        for new in _other_values(node.value, self._source.of(node)):
            self._change(node, new)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        # Before Python 3.12, it is not known where its parts stand.
        self._change(node, f'("{FOREIGN}" + {self._source.of(node)})')

    def visit_Break(self, node: ast.Break) -> None:
        self._change(node, "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._change(node, "break")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not isinstance(node.value, ast.Constant):
            self._change(node, "return None")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in NAMES:
            self._change(node.func, NAMES[name])
        self._leave_out_arguments(node)
        documents = name in DOCUMENTING
        self._visit_all(
            each for each in ast.iter_child_nodes(node) if not (documents and isinstance(each, ast.Constant))
        )

    def _leave_out_arguments(self, node: ast.Call) -> None:
        """Leave out a keyword, or the last other argument, of calls with several arguments."""
        arguments: list[ast.expr | ast.keyword] = sorted(
            [*node.args, *node.keywords], key=lambda each: (each.lineno, each.col_offset)
        )
        for at, argument in enumerate(arguments):
            optional = isinstance(argument, ast.keyword) or argument is node.args[-1]
            if len(arguments) > 1 and optional and not isinstance(argument, ast.Starred):
                before, after = arguments[at - 1 : at], arguments[at + 1 : at + 2]
                begin = self._source.end(before[0]) if before else self._source.begin(argument)
                end = self._source.end(argument) if before else self._source.begin(after[0])
                self._change_between(begin, end, "")

    def visit_Expr(self, node: ast.Expr) -> None:
        if not _is_string(node):
            self._remove(node)
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = [each for target in node.targets for each in ast.walk(target)]
        if any(isinstance(each, ast.Attribute | ast.Subscript) for each in names):  # without others, names were missing
            self._remove(node)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            if not isinstance(node.target, ast.Name):
                self._remove(node)
            self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._remove(node)
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._remove(node)
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        """Leave its annotation alone."""

    def _remove(self, node: ast.stmt) -> None:
        if self._where:
            self._change(node, "pass")


def _is_string(node: ast.stmt) -> bool:
    """Tell a docstring, of a module, a function or a constant."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _other_values(value: object, text: str) -> Iterator[str]:
    """Yield the replacements of a constant."""
    if isinstance(value, bool):
        yield str(not value)
    elif isinstance(value, int):
        yield from (str(value + 1), f"({value - 1})" if value < 1 else str(value - 1))
    elif isinstance(value, float):
        yield from (repr(value * 2), repr(value / 2)) if value else ("1.0",)
    elif isinstance(value, str):
        yield f'("{FOREIGN}" + {text})'
    elif isinstance(value, bytes):
        yield f'(b"{FOREIGN}" + {text})'
