from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from echoproto.reactors import leanpoll


class LeanPollTests(SynchronousTestCase):
    def test_how_long_it_waits(self) -> None:
        """In ms, as poll(2) counts them; for ever, if nothing is said."""
        poller = mock.Mock(poll=mock.Mock(return_value=[]))
        reactor: Any = mock.Mock(_poller=poller)
        for seconds in (None, 0, 1.5):
            leanpoll.LeanPollReactor.doPoll(reactor, seconds)
        self.assertEqual(poller.poll.mock_calls, [mock.call(None), mock.call(0), mock.call(1500)])

    def test_install(self) -> None:
        with mock.patch.object(leanpoll, "installReactor") as installed, mock.patch.object(leanpoll, "LeanPollReactor"):
            leanpoll.install()
            installed.assert_called_once_with(leanpoll.LeanPollReactor())

    def test_its_names(self) -> None:
        self.assertEqual(leanpoll.__all__, ["LeanPollReactor", "install"])
