"""
Twisted's epoll reactor, lean; installed by ``twistd --reactor lean-epoll`` for any service.
"""

from __future__ import annotations

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor

from echoproto.reactors.lean import LeanPollLike

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


def install() -> None:
    """Make it the reactor of this process; before anything imports ``twisted.internet.reactor``."""
    installReactor(LeanEPollReactor())
