"""
Twisted's epoll reactor, lean; installed by ``twistd --reactor lean-epoll`` for any service.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.main import installReactor

from echoproto.reactors.lean import LeanPollLike
from echoproto.reactors.selection import ONLY_LINUX

try:
    from twisted.internet.epollreactor import EPollReactor
except ImportError as error:
    raise ImportError(ONLY_LINUX) from error

__all__ = ["LeanEPollReactor", "install"]

MOST_EVENTS = 512
"""Events that are asked for at a time: for each, CPython sets memory aside; the others have the next turn."""


class LeanEPollReactor(LeanPollLike, EPollReactor):
    """Twisted's `EPollReactor`, lean."""

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, and have them handled."""
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, MOST_EVENTS)
        except InterruptedError:
            return
        if events:
            self._dispatch(events)

    doIteration = doPoll

    def removeReader(self, reader: Any) -> None:
        """Watch it no more; a connection that ends is removed by whoever ends it, and then again by itself."""
        if (fd := reader.fileno()) in self._reads or fd == -1 or self._continuousPolling.isReading(reader):
            super().removeReader(reader)

    def removeWriter(self, writer: Any) -> None:
        """The same; most are not watched."""
        if (fd := writer.fileno()) in self._writes or fd == -1 or self._continuousPolling.isWriting(writer):
            super().removeWriter(writer)


def install() -> None:
    """Make it the reactor of this process; before anything imports ``twisted.internet.reactor``."""
    installReactor(LeanEPollReactor())
