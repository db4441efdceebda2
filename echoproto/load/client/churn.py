"""
A load in which each message has a connection of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns

from echoproto.load.client.farewell import part
from echoproto.load.client.meter import Meter
from echoproto.load.client.stream import Link
from echoproto.load.client.streams import Streams
from echoproto.load.workload import Churn, Workload


class Churning(Streams):
    """
    As `Streams`, but for what follows on what.

    Each of its links makes one connection after another. One more is made before all others, which tells whether
    anybody is there. Where one fails, its link tries again after the next look at what has come to pass, with the same
    message if it was not sent.
    """

    def __init__(self, workload: Workload, meter: Meter, first: int, patience: float) -> None:
        super().__init__(workload, meter, first, patience)
        self._probing = False
        self._resting: list[Link] = []
        self._failing_since = 0

    def connect(self, wait: Callable[[], None]) -> None:
        """See `Streams.connect`."""
        every, self._all = self._all, self._all[:1]
        self._probing = True
        super().connect(wait)
        self._probing = False
        part(self._all[0])
        self._all = every

    def senders(self) -> list[Link]:
        """See `Sending.senders`."""
        return self._all

    @property
    def usable(self) -> bool:
        """Always false: each message needs a connection of its own, and all of them have failed."""
        return False

    def ready(self, link: Link) -> None:
        """See `Streams.ready`."""
        if self._probing or link.idle:
            super().ready(link)
        else:
            link.fill()

    def offer(self, link: Link) -> None:
        """See `Sending.offer`: if it has no connection, it makes one."""
        if link.socket is not None or link in self._resting or link in self.held:
            return
        if link.waiting or link.messages or (self.agenda is None and link.draw()):
            self.working.add(link)
            link.connect()
        else:
            self.rests(link)

    def is_dry(self, link: Link) -> bool:
        """See `Sending.is_dry`; of a connection with a message, always."""
        return link.in_flight > 0 or super().is_dry(link)

    def back(self, link: Link) -> None:
        """See `Streams.back`: its message was all that it was for."""
        if not (link.in_flight or self.half_close):
            if self.churn is Churn.FIN and link.tls is not None:
                link.close_sending()
            link.close(reset=self.churn is Churn.RESET)
            self.over(link)

    def over(self, link: Link, *, failed: bool = False) -> None:
        """See `Streams.over`: on to the next one."""
        if self._probing or link.idle:
            super().over(link, failed=failed)
        elif failed:
            self._resting.append(link)
            self._failing_since = self._failing_since or monotonic_ns()
        else:
            self._failing_since = 0
            self.offer(link)

    def stop(self, now: int) -> None:
        """Stop sending, and forget the connections that rest or are held."""
        self._resting.clear()
        self.held.clear()
        super().stop(now)

    def wind_up(self, link: Link) -> None:
        """Close a connection that has not sent anything; all others end by themselves."""
        if not (link.in_flight or link.ending or link in self.doubted):
            link.close()
            self.rests(link)

    def check(self, now: int) -> None:
        """See `Streams.check`; nothing but failures for long is the end, too."""
        super().check(now)
        if self._failing_since and now - self._failing_since > self._patience:
            for link in list(self.links.values()):
                link.stuck()
            self.stop(now)
        resting, self._resting = self._resting, []
        for link in resting:
            self.offer(link)
