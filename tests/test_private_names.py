"""Private names of Twisted: each use has a row in a table, and each row a name that the installed Twisted has."""

import tomllib
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.privatenames import ROOT, Use, has_name, uses

TABLE = Path(__file__).with_name("private_names.toml")
SEARCHED = ("echoproto", "checks", "tests/support")


def rows() -> set[Use]:
    """Return the table's rows, one for each module that needs a name."""
    table: dict[str, dict[str, Any]] = tomllib.loads(TABLE.read_text("utf-8"))
    paths = [(owner, name, by) for owner, names in table.items() for name, row in names.items() for by in row["by"]]
    return {Use(f"{by if by.startswith('tests/') else f'echoproto/{by}'}.py", name, owner) for owner, name, by in paths}


def found() -> set[Use]:
    """Return the uses in all sources."""
    files = [path for folder in SEARCHED for path in ROOT.joinpath(folder).rglob("*.py")]
    sources = {path.relative_to(ROOT).as_posix(): path for path in files if not path.name.startswith("test_")}
    return set[Use]().union(*(uses(name, path.read_text("utf-8")) for name, path in sources.items()))


def lacking(uses: set[Use], others: set[Use]) -> list[str]:
    """Describe the uses that others have no match for: the same name in the same module."""
    known = {(use.path, use.name) for use in others}
    return sorted(f"{use.path}: {use.owner or '?'} {use.name}" for use in uses if (use.path, use.name) not in known)


class TableTests(SynchronousTestCase):
    def test_each_use_has_a_row_and_each_row_a_use(self) -> None:
        """A new use needs a row in ``tests/private_names.toml``, with the reason; one that is gone leaves the table."""
        used, table = found(), rows()
        self.assertGreater(len(table), 30)
        self.assertEqual(lacking(used, table), [])
        self.assertEqual(lacking(table, used), [])

    def test_the_installed_twisted_has_each(self) -> None:
        gone = {f"{row.owner} {row.name}" for row in rows() if not has_name(row.owner, row.name)}
        self.assertEqual(sorted(gone), [])

    def test_each_row_has_a_reason(self) -> None:
        table: dict[str, dict[str, Any]] = tomllib.loads(TABLE.read_text("utf-8"))
        for names in table.values():
            for name, row in names.items():
                self.assertEqual(set(row), {"by", "why"}, name)
                self.assertTrue(row["why"].endswith("."), name)


class FinderTests(SynchronousTestCase):
    """The finder finds each kind of use, and no names of ours."""

    def found(self, text: str) -> set[tuple[str, str]]:
        return {(use.name, use.owner) for use in uses("echoproto/some.py", text)}

    def test_of_a_base_class(self) -> None:
        text = (
            "from twisted.internet import tcp\n"
            "class Mine(tcp.Port):\n"
            "    _shouldShutdown = False\n"
            "    def _buildAddr(self, a):\n"
            "        self._mine = super()._buildAddr(a), self._preexistingSocket\n"
        )
        port = "twisted.internet.tcp.Port"
        names = ("_shouldShutdown", "_buildAddr", "_preexistingSocket")
        self.assertEqual(self.found(text), {(name, port) for name in names})

    def test_of_the_base_of_a_base_by_way_of_ours(self) -> None:
        """Here of `EchoDatagramPort`, which is an `udp.Port`, and one class further."""
        text = (
            "from echoproto.server.sockets.udp import EchoDatagramPort as P\n"
            "class A(P):\n    pass\n"
            "class B(A):\n    def f(self):\n        return self._preexistingSocket\n"
        )
        self.assertIn(("_preexistingSocket", "twisted.internet.udp.Port"), self.found(text))

    def test_of_a_mixin(self) -> None:
        """A mixin has no Twisted base; the class that uses it has."""
        text = (
            "from twisted.internet.base import ReactorBase\n"
            "class Mixin:\n    def f(self):\n        return self._justStopped\n"
            "class Mine(Mixin, ReactorBase):\n    pass\n"
        )
        self.assertEqual(self.found(text), {("_justStopped", "twisted.internet.base.ReactorBase")})

    def test_of_another_object(self) -> None:
        text = "def f(p):\n    p._preexistingSocket = None\n    return getattr(p, '_realPortNumber', p._ours)\n"
        self.assertEqual(self.found(text), {("_preexistingSocket", ""), ("_realPortNumber", "")})

    def test_imports(self) -> None:
        text = "from twisted.internet.endpoints import _parse\nimport twisted.python._shellcomp\n"
        expected = {("_parse", "twisted.internet.endpoints"), ("_shellcomp", "twisted.python")}
        self.assertEqual(self.found(text), expected)

    def test_ours(self) -> None:
        """Names that the module defines, and those of the standard library."""
        text = (
            "import sys\nfrom twisted.internet.protocol import Protocol\n"
            "class A(Protocol):\n    _reactor = None\n    def f(self, other):\n        self._clock = other._clock\n"
            "sys._getframe()\n"
        )
        self.assertEqual(self.found(text), set())

    def test_a_use_without_a_row(self) -> None:
        use = Use("echoproto/some.py", "_new", "twisted.A")
        self.assertEqual(lacking({use}, rows()), ["echoproto/some.py: twisted.A _new"])
        self.assertEqual(lacking({use}, {Use(use.path, use.name)}), [])

    def test_a_name_that_twisted_has_no_more(self) -> None:
        self.assertFalse(has_name("twisted.internet.tcp.Port", "_gone"))
        self.assertFalse(has_name("twisted.internet.gone", "_parse"))
        self.assertFalse(has_name("twisted.internet.tcp", "_gone"))
