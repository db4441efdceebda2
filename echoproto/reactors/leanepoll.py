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

MAX_EVENTS_PER_TURN = 512
"""Maximum number of events per turn; CPython allocates memory for each."""


class LeanEPollReactor(LeanPollLike, EPollReactor):
    """Twisted's `EPollReactor`, lean."""

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events and handle them."""
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, MAX_EVENTS_PER_TURN)
        except InterruptedError:
            return
        if events:
            self._dispatch(events)

    doIteration = doPoll

    def removeReader(self, reader: Any) -> None:
        """Stop watching for reading; a connection that ends is removed twice."""
        if (fd := reader.fileno()) in self._reads or fd == -1 or self._continuousPolling.isReading(reader):
            super().removeReader(reader)

    def removeWriter(self, writer: Any) -> None:
        """Stop watching for writing; most connections are not watched."""
        if (fd := writer.fileno()) in self._writes or fd == -1 or self._continuousPolling.isWriting(writer):
            super().removeWriter(writer)


def install() -> None:
    """Install the reactor in this process, before anything imports ``twisted.internet.reactor``."""
    installReactor(LeanEPollReactor())
