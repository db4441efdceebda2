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

MOST_EVENTS = 512
"""Events that are asked for at a time; the others have the next turn."""


class LeanKQueueReactor(Lean, KQueueReactor):
    """Twisted's `KQueueReactor`, lean."""

    def doKEvent(self, timeout: float | None) -> None:
        """Wait for events, and have them handled."""
        try:
            events = self._kq.control([], MOST_EVENTS, 1 if timeout is None else timeout)
        except InterruptedError:
            return
        if events:
            self._dispatch(events)

    def _handle(self, events: Iterable[Any], logged: LogContext) -> None:
        selectables = self._selectables
        for event in events:
            selectable = selectables.get(event.ident)
            if selectable is None:  # another one's event has ended it
                continue
            logged.owner = selectable
            try:
                self._doWriteOrRead(selectable, event.ident, event)
            except KeyboardInterrupt:
                raise
            except BaseException:  # of its connectionLost
                log.err()

    doIteration = doKEvent


def install() -> None:
    """Make it the reactor of this process; before anything imports ``twisted.internet.reactor``."""
    installReactor(LeanKQueueReactor())
