"""Who imports what: nothing the reactor, and what has no I/O none of the modules that have."""

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterable

from twisted.application.reactors import getReactorTypes
from twisted.trial.unittest import SynchronousTestCase

import echoproto
from tests.without_io import FILES

IO = {
    *("asyncio", "io", "os", "pathlib", "select", "selectors", "signal", "socket", "subprocess", "sys"),
    *("twisted.internet", "twisted.internet.endpoints", "twisted.internet.reactor", "twisted.internet.tcp"),
}


def imported_by(modules: Iterable[str], *, emulation: bool = True) -> list[str]:
    """
    What a fresh Python process holds after it has imported some modules.

    :param emulation: whether kqueue is emulated there where it is here; that imports much of Twisted at the start.
    """
    environment = {name: value for name, value in os.environ.items() if emulation or name != "PYTHONPATH"}
    script = f"import importlib, sys\nfor m in {list(modules)!r}: importlib.import_module(m)\nprint(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    return answer.stdout.split()


def _can_import(name: str) -> bool:
    """No platform has what all reactors need."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


class ImportTests(SynchronousTestCase):
    def test_nothing_imports_the_reactor(self) -> None:
        ours = {name for each in getReactorTypes() if (name := vars(each)["moduleName"]).startswith("echoproto.")}
        lacking = {name for name in ours if not _can_import(name)}
        found = {each.name for each in pkgutil.walk_packages(echoproto.__path__, "echoproto.")}
        modules = sorted(found - lacking)
        self.assertGreater(len(modules), 15)
        loaded = imported_by(["twisted.plugins.echo_plugin", *modules])
        self.assertIn("echoproto.reactors.uvloop", loaded)
        self.assertNotIn("twisted.internet.reactor", loaded)

    def test_the_plugin_file_imports_nothing_of_ours(self) -> None:
        loaded = imported_by(["twisted.plugins.echo_plugin"])
        self.assertEqual([name for name in loaded if name.partition(".")[0] == "echoproto"], [])

    def test_the_protocol_knows_nothing_of_the_server(self) -> None:
        loaded = imported_by(["echoproto.protocol"])
        ours = {name for name in loaded if name.partition(".")[0] == "echoproto"}
        self.assertEqual(ours, {"echoproto", "echoproto.protocol"})

    def test_the_echo_of_datagrams_knows_nothing_of_the_server(self) -> None:
        loaded = imported_by(["echoproto.datagram"])
        ours = {name for name in loaded if name.partition(".")[0] == "echoproto"}
        self.assertEqual(ours, {"echoproto", "echoproto.addresses", "echoproto.datagram", "echoproto.tokenbucket"})

    def test_the_load_generator_and_servers_to_compare_with_do_without_twisted(self) -> None:
        servers = ("asyncioprotocol", "asynciostreams", "processes", "threads")
        modules = ["echoproto.load.engine", *(f"echoproto.compare.servers.{name}" for name in servers)]
        loaded = imported_by(modules, emulation=False)
        self.assertEqual([name for name in loaded if name.partition(".")[0] == "twisted"], [])

    def test_what_checks_the_service_shares_no_code_with_it(self) -> None:
        """A check must not have the fault of what it checks."""
        folders = [os.path.join(os.path.dirname(echoproto.__file__), name) for name in ("load", "compare")]
        modules = [each.name for each in pkgutil.walk_packages(folders[:1], "echoproto.load.")]
        modules += [each.name for each in pkgutil.walk_packages(folders[1:], "echoproto.compare.")]
        self.assertGreater(len(modules), 50)
        loaded = imported_by(modules)
        self.assertEqual([name for name in loaded if name.startswith("echoproto.server")], [])

    def test_what_has_no_io_imports_none(self) -> None:
        """The package itself exports the protocol, which imports interfaces; so this reads the modules' own text."""
        for name in FILES:
            path = os.path.join(os.path.dirname(echoproto.__file__), "..", name)
            with open(path, encoding="utf-8") as file:
                tree = ast.parse(file.read())
            for node in ast.walk(tree):
                modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                for module in modules:
                    self.assertNotIn(module, IO, name)
