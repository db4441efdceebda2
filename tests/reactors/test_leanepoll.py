import socket
from typing import Any
from unittest import mock

from twisted.internet.abstract import FileDescriptor
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from echoproto.reactors.selection import candidates


class EPollCase(SynchronousTestCase):
    def setUp(self) -> None:
        if not any(each.name == "lean-epoll" and not each.why_not for each in candidates()):
            raise SkipTest("there is no epoll here")
        from echoproto.reactors.leanepoll import LeanEPollReactor

        self.reactor: Any = LeanEPollReactor()
        self.addCleanup(self.reactor._poller.close)
        self.addCleanup(lambda: [each.connectionLost(None) for each in self.reactor._internalReaders])


class LeanEPollTests(EPollCase):
    def test_how_long_it_waits(self) -> None:
        """For ever, if nothing is said; and it asks for 512 events at a time."""
        poller = mock.Mock(poll=mock.Mock(return_value=[]))
        with mock.patch.object(self.reactor, "_poller", poller):
            for seconds in (None, 0, 1.5):
                self.reactor.doPoll(seconds)
        self.assertEqual(poller.poll.mock_calls, [mock.call(-1, 512), mock.call(0, 512), mock.call(1.5, 512)])

    def test_install(self) -> None:
        from echoproto.reactors import leanepoll

        with mock.patch.object(leanepoll, "installReactor") as installed:
            with mock.patch.object(leanepoll, "LeanEPollReactor", return_value=self.reactor):
                leanepoll.install()
            installed.assert_called_once_with(self.reactor)

    def test_its_names(self) -> None:
        from echoproto.reactors import leanepoll

        self.assertEqual(leanepoll.__all__, ["LeanEPollReactor", "install"])


class NoDescriptorTests(EPollCase):
    """Objects that epoll does not watch by their descriptor, and ``lean-epoll`` leaves to Twisted's code."""

    def watched(self) -> list[Any]:
        found: list[Any] = self.reactor.getReaders() + self.reactor.getWriters()
        return [each for each in found if each not in self.reactor._internalReaders]

    def test_one_that_does_not_tell_it_any_more(self) -> None:
        """It is found among all, as whoever has closed its socket first."""
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        for start, stop in (("startReading", "stopReading"), ("startWriting", "stopWriting")):
            one = FileDescriptor(self.reactor)
            one.fileno = near.fileno  # type: ignore[method-assign]
            getattr(one, start)()
            self.assertEqual(self.watched(), [one])
            one.fileno = lambda: -1  # type: ignore[method-assign]
            getattr(one, stop)()
            self.assertEqual(self.watched(), [])

    def test_a_file(self) -> None:
        """Of which epoll knows nothing (EPERM)."""
        with open(self.mktemp(), "w+b") as file:
            one = FileDescriptor(self.reactor)
            one.fileno = file.fileno  # type: ignore[method-assign]
            one.startReading()
            one.startWriting()
            self.assertEqual(self.watched(), [one, one])
            one.stopReading()
            one.stopWriting()
            self.assertEqual(self.watched(), [])
