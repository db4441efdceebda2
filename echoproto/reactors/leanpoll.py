"""
Twisted's poll reactor, lean; installed by ``twistd --reactor lean-poll`` for any service.
"""

from __future__ import annotations

from twisted.internet.main import installReactor

from echoproto.reactors.lean import LeanPollLike
from echoproto.reactors.selection import NOT_ON_MACOS

try:
    from twisted.internet.pollreactor import PollReactor
except ImportError as error:
    raise ImportError(NOT_ON_MACOS) from error

__all__ = ["LeanPollReactor", "install"]


class LeanPollReactor(LeanPollLike, PollReactor):
    """Twisted's `PollReactor`, lean."""

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events and handle them."""
        try:
            events = self._poller.poll(None if timeout is None else int(timeout * 1000))
        except InterruptedError:
            return
        if events:
            self._dispatch(events)

    doIteration = doPoll


def install() -> None:
    """Install the reactor in this process, before anything imports ``twisted.internet.reactor``."""
    installReactor(LeanPollReactor())
