"""
Twisted's kqueue reactor, lean; installed by ``twistd --reactor lean-kqueue`` for any service.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.main import installReactor
from twisted.python import log

from echoproto.reactors.lean import Lean, LogContext
from echoproto.reactors.selection import ONLY_BSD

try:
    from twisted.internet.kqreactor import KQueueReactor
except ImportError as error:
    raise ImportError(ONLY_BSD) from error

__all__ = ["LeanKQueueReactor", "install"]

MAX_EVENTS_PER_TURN = 512
"""Maximum number of events per turn."""


class LeanKQueueReactor(Lean, KQueueReactor):
    """Twisted's `KQueueReactor`, lean."""

    def doKEvent(self, timeout: float | None) -> None:
        """Wait for events and handle them."""
        try:
            events = self._kq.control([], MAX_EVENTS_PER_TURN, 1 if timeout is None else timeout)
        except InterruptedError:
            return
        if events:
            self._dispatch(events)

    def _handle(self, events: Iterable[Any], logged: LogContext) -> None:
        selectables = self._selectables
        for event in events:
            selectable = selectables.get(event.ident)
            if selectable is None:  # an earlier event of this turn has ended it
                continue
            logged.owner = selectable
            try:
                self._doWriteOrRead(selectable, event.ident, event)
            except KeyboardInterrupt:
                raise
            except BaseException:  # from its connectionLost
                log.err()

    doIteration = doKEvent


def install() -> None:
    """Install the reactor in this process, before anything imports ``twisted.internet.reactor``."""
    installReactor(LeanKQueueReactor())
