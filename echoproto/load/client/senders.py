"""
What sends messages, whether over streams or in datagrams: who has to send what, and when.
"""

from __future__ import annotations

from collections import deque
from time import monotonic_ns
from typing import Generic, Protocol, TypeVar

from echoproto.load.client.messages import Supply
from echoproto.load.client.meter import NS, Meter
from echoproto.load.client.poller import make_poller
from echoproto.load.client.schedule import Agenda
from echoproto.load.workload import Workload

ENDLESS = 1 << 62
"""Messages."""

AT_ONCE = 64
"""Messages that are begun, where a rate is set, between two looks at what has come back: a schedule that can't be kept
must not keep this from receiving."""


class Sender(Protocol):
    """
    One of many that send messages.

    :ivar waiting: when the messages that wait for their turn should have been sent, in ns.
    """

    waiting: deque[int]

    @property
    def in_flight(self) -> int:
        """How many of its messages have not come back."""
        ...

    @property
    def messages(self) -> list[bytes]:
        """Those that it has taken from the supply, and not sent."""
        ...

    def fill(self) -> None:
        """Send as many messages as may be in flight."""

    def give_back(self) -> None:
        """Send none of the messages that are drawn ahead."""

    def close_sending(self) -> None:
        """Close the sending side, once all is sent."""

    def handle(self, mask: int, /) -> None:
        """Its descriptor is ready for something."""


S = TypeVar("S", bound=Sender)


class Sending(Generic[S]):
    """
    All senders of a load, as `echoproto.load.engine` drives them.

    :ivar working: those that are not done with what they have to do.
    :ivar last: when anything came back last, in ns.
    :ivar unsent: messages that were due, and not sent before the time was over.
    :ivar links: those that have a socket, by its descriptor.
    :ivar reason: what was said last of why something can't be reached.
    """

    def __init__(self, workload: Workload, meter: Meter, first: int) -> None:
        self.meter = meter
        self.poller = make_poller()
        self.links: dict[int, S] = {}
        self.working: set[S] = set()
        self.last = self.unsent = 0
        self.reason = ""
        self.window = workload.window
        self.half_close = False
        self.supply = Supply(workload.connections)
        self.agenda: Agenda | None = None
        if workload.rate:
            self.agenda = Agenda(workload.rate, workload.arrivals, f"{workload.seed} {first}")
        self._ring: list[S] = []
        self._orphaned: deque[int] = deque()
        self._assigning = False
        self._place = 0
        self._counted = False

    def senders(self) -> list[S]:
        """Those that can send."""
        raise NotImplementedError

    def begin(self, count: int | None, *, half_close: bool) -> None:
        """
        Begin to send.

        :param count: so many messages; ``None`` for as many as there is time for.
        :param half_close: whether each connection closes its sending side after its last one.
        """
        self.half_close = half_close
        self._counted = count is not None
        self.unsent = 0
        self._ring = self.senders()
        self.working.update(self._ring)
        if self.agenda is not None:
            self.supply.left = ENDLESS
            self.agenda.begin(monotonic_ns(), ENDLESS if count is None else count)
            return
        self.supply.left = ENDLESS if count is None else count
        for sender in self._ring[:]:
            self.offer(sender)

    def stop(self, now: int) -> None:
        """
        Send no more messages.

        :param now: in ns; what was due before that, and has not been sent, is `unsent`.
        """
        self.supply.left = 0
        if self.agenda is not None:
            self.unsent += self.agenda.left if self._counted else self.agenda.overdue(now)
            self.agenda.end()
        for sender in list(self.working):
            self.unsent += len(sender.waiting)
            sender.waiting.clear()
            sender.give_back()
            self.wind_up(sender)

    def wind_up(self, sender: S) -> None:
        """One sends no more: half-close it, or have it rest if nothing is in flight."""
        if self.half_close:
            sender.close_sending()
        elif not sender.in_flight:
            self.rests(sender)

    def is_dry(self, sender: S) -> bool:
        """Whether one has no more to send."""
        if self.agenda is None:
            return not sender.messages and not self.supply.left
        return self.agenda.over and not sender.waiting

    def offer(self, sender: S) -> None:
        """One has something to send."""
        sender.fill()

    def rests(self, sender: S) -> None:
        """One has nothing in flight."""
        if self.is_dry(sender):
            self.working.discard(sender)

    def gone(self, sender: S) -> None:
        """One can't send any more: what waits for it is for the others."""
        self.working.discard(sender)
        if sender in self._ring:
            self._ring.remove(sender)
            self._orphaned.extend(sender.waiting)
            sender.waiting.clear()
            self._reassign()

    def _reassign(self) -> None:
        """Give what waited for those that are gone to others; what these leave while trying is for this loop, too."""
        if self._assigning:
            return
        self._assigning = True
        while self._orphaned:
            self._assign(self._orphaned.popleft())
        self._assigning = False

    def turn(self, until: int) -> None:
        """Deal with what happens, up to a time in ns, or until nothing is working."""
        if self.agenda is not None:
            self._turn_on_time(self.agenda, until)
            return
        links, poll = self.links, self.poller.poll
        while self.working and (now := monotonic_ns()) < until:
            for fd, mask in poll((until - now) / NS):
                links[fd].handle(mask)

    def _turn_on_time(self, agenda: Agenda, until: int) -> None:
        links, precisely, lag = self.links, self.poller.precisely, self.meter.lag
        while self.working:
            for _ in range(AT_ONCE):
                now = monotonic_ns()
                if agenda.due > min(now, until):
                    break
                due = agenda.next()
                lag.add(now - due)
                self._assign(due)
                if agenda.over:
                    self._settle_up()
            if now >= until:
                return
            for fd, mask in precisely(max(0, min(agenda.due, until) - monotonic_ns()) / NS):
                links[fd].handle(mask)

    def _assign(self, due: int) -> None:
        """Have the next one send a message, once it may."""
        ring = self._ring
        if not ring:
            self.unsent += 1
            return
        self._place = (self._place + 1) % len(ring)
        sender = ring[self._place]
        sender.waiting.append(due)
        self.offer(sender)

    def _settle_up(self) -> None:
        """No more messages will be due: who has none now is done."""
        for sender in list(self.working):
            self.offer(sender)
