"""The names of log events, which programs go by."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import echoproto

PACKAGE = Path(echoproto.__file__).parent
GUIDE = PACKAGE.parent / "docs" / "operating.md"
LEVELS = {"debug", "info", "warn", "error", "critical", "emit"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Each call that logs something, and where it is."""
    for path in sorted((PACKAGE / "server").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "log"
            ):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def names(call: ast.Call) -> list[str]:
    """The names that an event may have."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == "event"]
    return [
        each.value
        for value in given
        for each in ast.walk(value)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]


class EventNamesTests(SynchronousTestCase):
    def test_each_event_has_a_name(self) -> None:
        nameless = [where for where, call in calls() if not names(call)]
        self.assertEqual(nameless, [])

    def test_the_guide_has_them_all(self) -> None:
        """And no others."""
        text = GUIDE.read_text(encoding="utf-8").partition("<!-- events -->")[2].partition("<!-- end of events -->")[0]
        cells = re.findall(r"^\| (`[^|]+`) \|", text, re.MULTILINE)
        documented = {name for cell in cells for name in re.findall(r"`([a-z-]+)`", cell)} - {"event"}
        logged = {name for _, call in calls() for name in names(call)}
        self.assertEqual(documented, logged | {"message", "exception", "log-lines-lost"})
