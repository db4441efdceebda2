"""
Pacing: the sender and the time of each message.

In a closed loop, each sender sends its next message after an echo. In an open loop, a schedule sets the send times.
Its messages are dealt to the senders in turn, and wait there while a sender's window is full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic_ns
from typing import Generic, Protocol, TypeVar

from typing_extensions import override

from echoproto.load.client.messages import Supply
from echoproto.load.client.poller import Events, Poller
from echoproto.load.client.schedule import Schedule
from echoproto.load.histogram import Times
from echoproto.load.workload import Workload
from echoproto.units import NS

UNLIMITED_COUNT = 1 << 62
"""Number of messages of a run that is limited by time."""

STARTS_PER_TURN = 64
"""Maximum messages started between two polls, so that a schedule that can't be kept does not prevent receiving."""


class Sender(Protocol):
    """
    A sender of messages.

    :ivar waiting: intended send times of waiting messages, in ns.
    """

    waiting: deque[int]

    @property
    def drawn(self) -> list[bytes]:
        """Messages taken from the supply and not sent yet."""
        ...


S = TypeVar("S", bound=Sender)


class ClosedLoop(Generic[S]):
    """
    Pacing by replies.

    :ivar scheduled: true if a schedule sets the send times.
    :ivar working: senders with work left.
    :ivar supply: source of the messages.
    :ivar unsent: messages due, but not sent in time.
    :param offer: lets a sender send.
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
        Start sending.

        :param count: number of messages; ``None`` for no limit.
        """
        self.working.update(senders)
        self.supply.left = UNLIMITED_COUNT if count is None else count
        self._offer_all(senders)

    def _offer_all(self, senders: Iterable[S]) -> None:
        for sender in senders:
            self._offer(sender)

    def wait(self, until: int) -> Events | None:
        """
        Wait for events, and start messages that fall due.

        :param until: latest time in ns.
        :return: ``None`` after that time.
        """
        now = monotonic_ns()
        return self._poller.poll((until - now) / NS) if now < until else None

    def stop(self, now: int) -> None:
        """
        Start no more messages.

        :param now: time in ns; messages due before it and not sent are ``unsent``.
        """
        self.supply.left = 0

    def is_dry(self, sender: S) -> bool:
        """Return true if a sender has nothing left to send."""
        return not (sender.drawn or self.supply.left)

    def rest(self, sender: S) -> None:
        """Record that a sender has nothing in flight."""
        if self.is_dry(sender):
            self.working.discard(sender)

    def leave(self, sender: S) -> None:
        """Remove a sender that can't send any more; the others take its waiting messages."""
        self.working.discard(sender)


class OpenLoop(ClosedLoop[S]):
    """
    Pacing by a schedule.

    :param lag: delays between intended and actual start of messages.
    """

    scheduled = True

    def __init__(
        self, schedule: Schedule, lag: Times, connections: int, poller: Poller, offer: Callable[[S], None]
    ) -> None:
        super().__init__(connections, poller, offer)
        self._schedule = schedule
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
        self.supply.left = UNLIMITED_COUNT
        self._schedule.begin(monotonic_ns(), UNLIMITED_COUNT if count is None else count)

    @override
    def wait(self, until: int) -> Events | None:
        schedule = self._schedule
        for _ in range(STARTS_PER_TURN):
            now = monotonic_ns()
            if schedule.due > min(now, until):
                break
            due = schedule.next()
            self._lag.add(now - due)
            self._assign(due)
            if schedule.over:
                self._offer_all(list(self.working))  # senders without a message finish now
        if now >= until:
            return None
        return self._poller.precisely(max(0, min(schedule.due, until) - monotonic_ns()) / NS)

    @override
    def stop(self, now: int) -> None:
        super().stop(now)
        self.unsent += self._schedule.left if self._counted else self._schedule.overdue(now)
        self._schedule.end()
        for sender in self.working:
            self.unsent += len(sender.waiting)
            sender.waiting.clear()

    @override
    def is_dry(self, sender: S) -> bool:
        return self._schedule.over and not sender.waiting

    @override
    def leave(self, sender: S) -> None:
        super().leave(sender)
        if sender in self._ring:
            self._ring.remove(sender)
            self._orphaned.extend(sender.waiting)
            sender.waiting.clear()
            self._reassign()

    def _reassign(self) -> None:
        """Deal the messages of removed senders to others, in a loop: those may fail in turn."""
        if self._reassigning:
            return
        self._reassigning = True
        while self._orphaned:
            self._assign(self._orphaned.popleft())
        self._reassigning = False

    def _assign(self, due: int) -> None:
        """Deal a message to the next sender."""
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

    :param first: number of the first connection, which makes the schedules of processes differ.
    """
    if workload.rate is None:
        return ClosedLoop(workload.connections, poller, offer)
    schedule = Schedule(workload.rate, workload.arrivals, f"{workload.seed} {first}")
    return OpenLoop(schedule, lag, workload.connections, poller, offer)
