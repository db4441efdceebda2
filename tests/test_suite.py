from twisted.trial.unittest import SynchronousTestCase

from tests import suite
from tests.execution import Part


def named(part: Part) -> set[str]:
    """Return the modules that a part runs."""
    words = part.arguments.replace(".py", "").replace("/", ".").split()
    return {word for word in words if word.startswith("tests.") and "test_" in word}


class PartsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.with_reactor, self.once = map(set, suite.modules())

    def run_by(self, kind: str, *, quick: bool = False) -> dict[str, set[str]]:
        """Return the modules that a test runner runs on each reactor, those without a reactor, and so on."""
        found: dict[str, set[str]] = {}
        for part in suite.parts(["poll", suite.default_reactor()], quick=quick):
            if part.kind == kind:
                name = part.name.partition("-")[0]
                self.assertFalse(named(part) & found.setdefault(name, set()))
                found[name] |= named(part)
        return found

    def test_names_of_modules(self) -> None:
        """None is left of a module that was renamed."""
        modules = [f"{name}." for name in self.with_reactor | self.once]
        for names in (suite.WITHOUT_REACTOR, suite.LONG, suite.PROCESSES):
            for name in names:
                self.assertTrue(any(each.startswith(name) for each in modules), name)

    def test_each_module_runs(self) -> None:
        """On each reactor, or once; those that start no process by trial and by pytest."""
        trial, pytest = self.run_by("trial"), self.run_by("pytest")
        self.assertEqual(trial["poll"], self.with_reactor)
        self.assertEqual(trial[suite.default_reactor()] | pytest["default"], self.with_reactor)
        self.assertEqual(trial["once"] | pytest["once"], self.once)
        for name, both in (
            ("once", trial["once"] & pytest["once"]),
            ("default", trial[suite.default_reactor()] & pytest["default"]),
        ):
            rest = (self.once if name == "once" else self.with_reactor) - both
            self.assertEqual({each for each in rest if not each.startswith(suite.PROCESSES)}, set())

    def test_quick(self) -> None:
        """All but the longest, each once, in parts of their own."""
        name = suite.default_reactor()
        trial = self.run_by("trial", quick=True)
        self.assertEqual(self.run_by("pytest", quick=True), {})
        left_out = (self.with_reactor | self.once) - trial["once"] - trial[name]
        self.assertEqual(left_out, {each for each in self.with_reactor | self.once if each.startswith(suite.LONG)})
        self.assertIn("tests.integration.test_console_blocks", left_out)
