import subprocess
import sys
from unittest import mock

from twisted.application.reactors import Reactor
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, UnavailableError, not_installed
from echoproto.reactors import selection


def in_new_process(script: str) -> str:
    """Run a script in a process that has no reactor yet."""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    return answer.stdout + answer.stderr


class AutoNameTests(SynchronousTestCase):
    def test_by_platform(self) -> None:
        expected = {
            "linux": "epoll",
            "android": "epoll",
            "darwin": "kqueue",
            "freebsd14": "kqueue",
            "openbsd7": "kqueue",
            "netbsd10": "kqueue",
            "dragonfly6": "kqueue",
            "sunos5": "poll",
            "aix": "poll",
        }
        self.assertEqual({platform: selection.auto_name(platform) for platform in expected}, expected)


class CandidatesTests(SynchronousTestCase):
    def test_stock_reactors_are_found(self) -> None:
        found = {candidate.name: candidate for candidate in selection.candidates()}
        self.assertEqual(found["select"].class_name, "SelectReactor")
        self.assertEqual(found["select"].why_not, "")
        self.assertEqual(found["asyncio"].class_name, "AsyncioSelectorReactor")
        self.assertEqual(found["uvloop"].class_name, "UvloopReactor")
        self.assertEqual(found["uvloop"].module, "echoproto.reactors.uvloop")

    def test_a_second_name_is_resolved(self) -> None:
        """``default`` is some other reactor's module under another name."""
        found = {candidate.name: candidate for candidate in selection.candidates()}
        self.assertNotEqual(found["default"].module, "twisted.internet.default")
        self.assertIn(found["default"].module, [c.module for name, c in found.items() if name != "default"])

    def test_one_that_this_platform_lacks_says_why(self) -> None:
        found = {candidate.name: candidate for candidate in selection.candidates()}
        self.assertIn("No module named", found["iocp"].why_not)
        self.assertEqual(found["iocp"].class_name, "")

    def test_one_that_belongs_elsewhere(self) -> None:
        """A reason names its platform or its requirement, and quotes Python only where that names a module."""
        found = {candidate.name: candidate.why_not for candidate in selection.candidates()}
        self.assertEqual([why for why in found.values() if "attribute" in why], [])
        for name, expected in selection.REASONS.items():
            if found[name]:
                self.assertRegex(found[name], rf"^{expected}$|^No module named '\w+' \({expected}\)$")
        if sys.platform.startswith("linux") and found["kqueue"]:  # it is emulated otherwise
            self.assertEqual(
                (found["kqueue"], found["lean-kqueue"]), ("only on BSD and macOS", "only on BSD and macOS")
            )

    def test_what_breaks_at_import_is_an_answer(self) -> None:
        broken = Reactor("broken", "tests.reactors.no_such_module\n", "Broken.")
        with mock.patch.object(selection, "getReactorTypes", return_value=[broken]):
            [candidate] = selection.candidates()
        self.assertTrue(candidate.why_not)
        self.assertNotIn("\n", candidate.why_not)

    def test_the_first_of_two_with_one_name_counts(self) -> None:
        """As in `twisted.application.reactors.installReactor`."""
        both = [
            Reactor("twin", "twisted.internet.selectreactor", "first"),
            Reactor("twin", "twisted.internet.asyncioreactor", "second"),
        ]
        with mock.patch.object(selection, "getReactorTypes", return_value=both):
            self.assertEqual([c.description for c in selection.candidates()], ["first"])


class FindTests(SynchronousTestCase):
    def test_unknown_name(self) -> None:
        error = self.assertRaises(ConfigurationError, selection.find, "epol")
        self.assertIn("no such reactor: 'epol' (did you mean 'epoll'?); available here: auto, ", str(error))

    def test_unknown_name_that_is_near_none(self) -> None:
        error = self.assertRaises(ConfigurationError, selection.find, "zzzzzz")
        self.assertIn("no such reactor: 'zzzzzz'; available here: auto, asyncio, ", str(error))

    def test_a_name_that_this_platform_lacks(self) -> None:
        """O14: the error says which one, why not, and which ones there are."""
        error = self.assertRaises(UnavailableError, selection.find, "iocp")
        self.assertIn(f"the reactor 'iocp' is not available here ({sys.platform}): No module named", str(error))
        self.assertIn("select", str(error).rpartition("available here: ")[2])
        self.assertNotIn("iocp", str(error).rpartition("available here: ")[2])

    def test_auto(self) -> None:
        self.assertEqual(selection.find("auto").name, selection.auto_name())


class SettleTests(SynchronousTestCase):
    """In this process a reactor is installed already."""

    def test_agrees_with_auto(self) -> None:
        self.assertEqual(selection.ensure_reactor("auto"), selection.name_of(reactor))

    def test_agrees_with_its_own_name(self) -> None:
        name = selection.name_of(reactor)
        self.assertEqual(selection.ensure_reactor(name), name)

    def test_another_one_is_an_error_that_names_both(self) -> None:
        name = selection.name_of(reactor)
        other = "select" if name != "select" else "asyncio"
        error = self.assertRaises(UnavailableError, selection.ensure_reactor, other)
        self.assertIn(f"{other!r} was requested, but {name!r} is already installed", str(error))

    def test_installs_where_there_is_none(self) -> None:
        script = "from echoproto.reactors import selection\nprint(selection.ensure_reactor('select'))\n"
        script += "from twisted.internet import reactor\nprint(type(reactor).__name__)"
        self.assertEqual(in_new_process(script).split(), ["select", "SelectReactor"])

    def test_default_is_told_by_its_real_name(self) -> None:
        script = "from echoproto.reactors.selection import ensure_reactor\n" + "print(ensure_reactor('default'))\n" * 2
        first, second = in_new_process(script).split()
        self.assertEqual(first, second)
        self.assertNotEqual(first, "default")

    def test_a_reactor_without_a_plugin_is_called_by_its_class(self) -> None:
        self.assertEqual(selection.name_of(object()), "object")


class UvloopTests(SynchronousTestCase):
    def test_without_uvloop_the_reason_is_how_to_get_it(self) -> None:
        script = "import sys\nsys.modules['uvloop'] = None\n"
        script += "from echoproto.reactors.selection import ensure_reactor\nensure_reactor('uvloop')"
        answer = in_new_process(script).splitlines()[-1]
        self.assertIn(not_installed("uvloop", "uvloop"), answer)

    def test_it_runs_on_uvloop(self) -> None:
        script = "from echoproto.reactors.selection import ensure_reactor\nensure_reactor('uvloop')\n"
        script += "from twisted.internet import reactor\nreactor.callWhenRunning(reactor.stop)\nreactor.run()\n"
        script += "import uvloop\nprint(isinstance(reactor._asyncioEventloop, uvloop.Loop))"
        self.assertEqual(in_new_process(script).strip(), "True")
