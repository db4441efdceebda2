"""
Pacing: which sender sends a message, and when.

In a closed loop, each sender sends the next message when one has come back. In an open loop, messages are due at times
that do not depend on what comes back; they are handed out in turn, and wait at their sender until it may send them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic_ns
from typing import Generic, Protocol, TypeVar

from typing_extensions import override

from echoproto.load.client.messages import Supply
from echoproto.load.client.poller import Events, Poller
from echoproto.load.client.schedule import Agenda
from echoproto.load.histogram import Times
from echoproto.load.workload import Workload
from echoproto.units import NS

ENDLESS = 1 << 62
"""Messages of a run that ends by time."""

STARTS_PER_TURN = 64
"""Messages that are begun, where a rate is set, between two looks at what has come back: a schedule that can't be kept
must not keep this from receiving."""


class Sender(Protocol):
    """
    One of many that send messages.

    :ivar waiting: times at which the messages that wait for their turn should have been sent, in ns.
    """

    waiting: deque[int]

    @property
    def drawn(self) -> list[bytes]:
        """Messages that it has taken from the supply, and not sent."""
        ...


S = TypeVar("S", bound=Sender)


class ClosedLoop(Generic[S]):
    """
    The pacing by what comes back.

    :ivar scheduled: true if a message is sent only when it is due.
    :ivar working: senders that have not done all that they have to do.
    :ivar supply: source of the messages.
    :ivar unsent: messages that were due, and not sent before the time was over.
    :param offer: has a sender send what it may.
    """

    scheduled = False

    def __init__(self, connections: int, poller: Poller, offer: Callable[[S], None]) -> None:
        self.working: set[S] = set()
        self.supply = Supply(connections)
        self.unsent = 0
        self._poller = poller
        self._offer = offer

    def begin(self, senders: list[S], count: int | None) -> None:
        """
        Begin to send.

        :param count: number of messages; ``None`` for as many as there is time for.
        """
        self.working.update(senders)
        self.supply.left = ENDLESS if count is None else count
        self._offer_all(senders)

    def _offer_all(self, senders: Iterable[S]) -> None:
        for sender in senders:
            self._offer(sender)

    def wait(self, until: int) -> Events | None:
        """
        Wait for events; begin what is due meanwhile.

        :param until: time in ns, at the most.
        :return: none if that time has come.
        """
        now = monotonic_ns()
        return self._poller.poll((until - now) / NS) if now < until else None

    def stop(self, now: int) -> None:
        """
        Begin no more messages.

        :param now: time in ns; what was due before, and has not been sent, is ``unsent``.
        """
        self.supply.left = 0

    def is_dry(self, sender: S) -> bool:
        """Return true if a sender has no more to send."""
        return not (sender.drawn or self.supply.left)

    def rest(self, sender: S) -> None:
        """Note that a sender has nothing in flight."""
        if self.is_dry(sender):
            self.working.discard(sender)

    def leave(self, sender: S) -> None:
        """Note that a sender can't send any more: what waits for it is for the others."""
        self.working.discard(sender)


class OpenLoop(ClosedLoop[S]):
    """
    The pacing by a schedule.

    :param lag: counts how late messages are begun.
    """

    scheduled = True

    def __init__(
        self, agenda: Agenda, lag: Times, connections: int, poller: Poller, offer: Callable[[S], None]
    ) -> None:
        super().__init__(connections, poller, offer)
        self._agenda = agenda
        self._lag = lag
        self._ring: list[S] = []
        self._turn = 0
        self._counted = False
        self._orphaned: deque[int] = deque()
        self._reassigning = False

    @override
    def begin(self, senders: list[S], count: int | None) -> None:
        self.unsent = 0
        self.working.update(senders)
        self._ring = senders
        self._counted = count is not None
        self.supply.left = ENDLESS
        self._agenda.begin(monotonic_ns(), ENDLESS if count is None else count)

    @override
    def wait(self, until: int) -> Events | None:
        agenda = self._agenda
        for _ in range(STARTS_PER_TURN):
            now = monotonic_ns()
            if agenda.due > min(now, until):
                break
            due = agenda.next()
            self._lag.add(now - due)
            self._assign(due)
            if agenda.over:
                self._offer_all(list(self.working))  # those that have no message now are done
        if now >= until:
            return None
        return self._poller.precisely(max(0, min(agenda.due, until) - monotonic_ns()) / NS)

    @override
    def stop(self, now: int) -> None:
        super().stop(now)
        self.unsent += self._agenda.left if self._counted else self._agenda.overdue(now)
        self._agenda.end()
        for sender in self.working:
            self.unsent += len(sender.waiting)
            sender.waiting.clear()

    @override
    def is_dry(self, sender: S) -> bool:
        return self._agenda.over and not sender.waiting

    @override
    def leave(self, sender: S) -> None:
        super().leave(sender)
        if sender in self._ring:
            self._ring.remove(sender)
            self._orphaned.extend(sender.waiting)
            sender.waiting.clear()
            self._reassign()

    def _reassign(self) -> None:
        """Give what waited for those that are gone to others; what these leave while trying is for this loop, too."""
        if self._reassigning:
            return
        self._reassigning = True
        while self._orphaned:
            self._assign(self._orphaned.popleft())
        self._reassigning = False

    def _assign(self, due: int) -> None:
        """Have the next sender send a message, once it may."""
        ring = self._ring
        if not ring:
            self.unsent += 1
            return
        self._turn = (self._turn + 1) % len(ring)
        sender = ring[self._turn]
        sender.waiting.append(due)
        self._offer(sender)


def make_pacing(
    workload: Workload, first: int, poller: Poller, lag: Times, offer: Callable[[S], None]
) -> ClosedLoop[S]:
    """
    Return the pacing of a load.

    :param first: number of the first connection: processes have different schedules.
    """
    if workload.rate is None:
        return ClosedLoop(workload.connections, poller, offer)
    agenda = Agenda(workload.rate, workload.arrivals, f"{workload.seed} {first}")
    return OpenLoop(agenda, lag, workload.connections, poller, offer)
