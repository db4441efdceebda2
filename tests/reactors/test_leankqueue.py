"""The lean kqueue reactor where there is a kqueue, if it is an emulated one; nowhere else can it be imported."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.python.reflect import namedModule
from twisted.trial.unittest import SynchronousTestCase

from tests.reactors.test_lean import LEAN

MODULES: list[Any] = [namedModule(each.module) for each in LEAN if each.name == "lean-kqueue"]
"""Its module, or none."""


class LeanKQueueTests(SynchronousTestCase):
    def test_how_long_it_waits(self) -> None:
        """And for how many events; a second, as Twisted's own, if nothing is said."""
        for module in MODULES:
            reactor = mock.Mock(_kq=mock.Mock(control=mock.Mock(return_value=[])))
            for seconds in (None, 0, 1.5):
                module.LeanKQueueReactor.doKEvent(reactor, seconds)
            calls = [mock.call([], 512, seconds) for seconds in (1, 0, 1.5)]
            self.assertEqual(reactor._kq.control.mock_calls, calls)

    def test_an_event_of_one_that_is_gone(self) -> None:
        """The others have theirs all the same."""
        for module in MODULES:
            here = mock.Mock()
            reactor: Any = mock.Mock(_selectables={8: here})
            event = SimpleNamespace(ident=8)
            logged = SimpleNamespace(owner=None)
            module.LeanKQueueReactor._handle(reactor, [SimpleNamespace(ident=7), event], logged)
            reactor._doWriteOrRead.assert_called_once_with(here, 8, event)
            self.assertIs(logged.owner, here)

    def test_install(self) -> None:
        for module in MODULES:
            with (
                mock.patch.object(module, "installReactor") as installed,
                mock.patch.object(module, "LeanKQueueReactor") as made,
            ):
                module.install()
            installed.assert_called_once_with(made())
