"""Who imports what: nothing the reactor, and what has no I/O none of the modules that have."""

import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

import echoproto

WITHOUT_IO = ("echoproto.errors", "echoproto.server.kinds", "echoproto.server.settings")
IO = ("socket", "select", "selectors", "asyncio", "twisted.internet.tcp", "twisted.internet.reactor")


def imported_by(modules: Iterable[str]) -> list[str]:
    """What a fresh Python process holds after it has imported some modules."""
    script = f"import importlib, sys\nfor m in {list(modules)!r}: importlib.import_module(m)\nprint(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return answer.stdout.split()


class ImportTests(SynchronousTestCase):
    def test_nothing_imports_the_reactor(self) -> None:
        modules = [found.name for found in pkgutil.walk_packages(echoproto.__path__, "echoproto.")]
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
        self.assertEqual(ours, {"echoproto", "echoproto.errors", "echoproto.protocol"})

    def test_errors_have_no_io(self) -> None:
        """The package itself exports the protocol; so this looks at what the modules' own text imports."""
        for module in WITHOUT_IO:
            source = importlib.import_module(module).__file__ or ""
            with open(source, encoding="utf-8") as file:
                lines = [line.split() for line in file if line.startswith(("import ", "from "))]
            for line in lines:
                self.assertNotIn(line[1].removesuffix(","), IO, module)
                self.assertFalse(line[1].startswith("twisted.internet"), module)
