"""Help texts of the developers' commands: those of ``checks``, the suite, the guide's generators and ``make``."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[2]

HALF_A_SENTENCE = re.compile(r"(of|that|what|who|whom|how|whether|where|which|also|before|to|in each)\b", re.IGNORECASE)
"""Openings that only the name of an option would make a sentence of."""


IMPERATIVE = r"^(?!What|Who|How|That|Which)[A-Z][a-z]*([^s]|ss)$"
"""A verb without the s of the third person."""


def commands() -> Iterator[tuple[Path, ast.Module]]:
    """Yield each module that parses arguments, with its syntax tree."""
    for path in (*sorted(ROOT.glob("checks/**/*.py")), ROOT / "tests/suite.py", *sorted(ROOT.glob("tools/*.py"))):
        text = path.read_text("utf-8")
        if "argparse.ArgumentParser(" in text:
            yield path, ast.parse(text)


def helps(tree: ast.Module) -> Iterator[tuple[int, str | None]]:
    """Yield the line and the help text of each argument; ``None`` if it has none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            [*given] = (ast.unparse(each.value) for each in node.keywords if each.arg == "help")
            yield node.lineno, given[0].lstrip("f").strip("'\"") if given else None


class HelpTests(SynchronousTestCase):
    def test_each_command_opens_with_an_imperative(self) -> None:
        for path, tree in commands():
            first = (ast.get_docstring(tree) or "").partition(" ")[0]
            self.assertRegex(first, IMPERATIVE, str(path))

    def test_each_argument_stands_alone(self) -> None:
        for path, tree in commands():
            for line, text in helps(tree):
                self.assertTrue(text, f"{path}:{line}: no help")
                self.assertIsNone(HALF_A_SENTENCE.match(text or ""), f"{path}:{line}: {text}")

    def test_make(self) -> None:
        texts = re.findall(r"^[a-z-]+:.*?## (.*)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        self.assertGreater(len(texts), 10)
        for text in texts:
            self.assertRegex(text.partition(" ")[0], IMPERATIVE)
            self.assertNotRegex(text, r"\bwhat\b")
