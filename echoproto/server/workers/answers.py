"""
Waiting for the answers of workers, for a while.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

ANSWER_SECONDS = 1
"""Time limit in seconds for all workers' answers."""


class Answers:
    """
    Waits until all have answered that were asked, or are gone, or have had time enough.

    :param clock: the reactor.
    :param asked: whoever was asked.
    :ivar complete: fires then; it may have fired already.
    """

    def __init__(self, clock: IReactorTime, asked: Collection[Hashable]) -> None:
        self._asked = set(asked)
        self.complete: Deferred[None] = Deferred()
        self._patience = clock.callLater(ANSWER_SECONDS, self.complete.callback, None)
        self._finish_if_all_have()

    def answered(self, who: Hashable) -> None:
        """One has answered, or is gone."""
        self._asked.discard(who)
        self._finish_if_all_have()

    def _finish_if_all_have(self) -> None:
        if not self._asked and self._patience.active():
            self._patience.cancel()
            self.complete.callback(None)
