"""
A load over TCP, TLS or a Unix socket: all its connections, and the loops that drive them.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from time import monotonic_ns

from echoproto.load.address import LOCAL_LIMITS, Address, make_tls_context, resolve
from echoproto.load.arrivals import Agenda
from echoproto.load.errors import nothing_reached
from echoproto.load.exchange import MOST_AHEAD, Settings, Supply
from echoproto.load.hurry import LARGEST, turn_in_a_hurry
from echoproto.load.link import Link
from echoproto.load.loop import make_poller
from echoproto.load.meter import NS, Meter
from echoproto.load.workload import Transport, Workload

ENDLESS = 1 << 62
"""Messages."""

AT_ONCE = 64
"""Connections that are being made at the same time: fewer than any backlog."""

DOUBT = 3 * NS // 10
"""ns that a harmed connection is looked at further, after it was last heard of: what is wrong shows by what follows."""

ROOM = 1 << 18
"""Bytes that are received at once at the most."""


class Streams:
    """
    All connections of a load, as `echoproto.load.engine` drives them.

    :ivar working: those that are not done with what they have to do.
    :ivar last: when anything came back last, in ns.
    :ivar unsent: messages that were due, and not sent before the time was over.
    :ivar links: those that have a socket, by its descriptor.
    :ivar doubted: those on which harm was found, and more is looked at.
    :ivar reason: why TLS failed last, or what the greeting was.
    """

    def __init__(self, workload: Workload, meter: Meter, first: int, patience: float) -> None:
        self._workload = workload
        self.meter = meter
        self.poller = make_poller()
        self.links: dict[int, Link] = {}
        self.working: set[Link] = set()
        self.doubted: set[Link] = set()
        self.last = self.unsent = 0
        self.reason = ""
        self.churn = workload.churn
        self.proxy = workload.proxy
        self.host = workload.target.host
        self.tls = make_tls_context(workload) if workload.target.transport is Transport.TLS else None
        self.window = 1 if workload.churn else workload.window
        self.half_close = False
        self.room = min(ROOM, self.window * workload.largest + 1)
        plain = not (workload.churn or workload.rate or self.tls)
        self.lean = plain and self.window == 1 and workload.largest <= LARGEST
        self.supply = Supply(workload.connections)
        self.settings = Settings(
            seed=workload.seed,
            smallest=workload.smallest,
            largest=workload.largest,
            greeting=workload.greeting,
            supply=self.supply,
            service=meter.service,
            response=None if workload.rate is None else meter.response,
            ahead=1 if workload.churn else MOST_AHEAD,
        )
        self.address: Address
        self.agenda: Agenda | None = None
        if workload.rate:
            self.agenda = Agenda(workload.rate, workload.arrivals, f"{workload.seed} {first}")
        self._patience = int(patience * NS)
        self._ready: set[Link] = set()
        self._unmade: deque[Link] = deque()
        self._all = [Link(first + number, self) for number in range(workload.connections)]
        self._idle = [Link(0, self, idle=True) for _ in range(workload.idle)]
        self._ring: list[Link] = []
        self._place = 0

    # Making connections

    def connect(self, wait: Callable[[], None]) -> None:
        """
        Make all connections.

        :param wait: runs the loop until nothing is working any more.
        :raise EchoError: if there are none.
        """
        outcome = self.meter.outcome
        for address in resolve(self._workload.target):
            self.address = address
            outcome.errors.clear()
            self._make(self._all[:1], wait)
            if outcome.connected:
                break
        if outcome.connected:
            self.address.rotate(ENDLESS if self.churn else len(self._all) + len(self._idle))
            self._make(self._all[1:], wait)
        if not self._ready:
            raise nothing_reached(self._workload, outcome, self.reason)
        self._make(self._idle, wait)

    def _make(self, links: list[Link], wait: Callable[[], None]) -> None:
        self._unmade.extend(links)
        self._make_more()
        wait()

    def _make_more(self) -> None:
        while self._unmade and len(self.working) - len(self.doubted) < AT_ONCE:
            link = self._unmade.popleft()
            self.working.add(link)
            link.connect()

    def not_connected(self, link: Link, code: int) -> None:
        """A connection could not be made, as errno says."""
        self.reason = os.strerror(code)
        if limit := LOCAL_LIMITS.get(code):
            self.meter.outcome.own_limits[limit] += 1
        else:
            self.meter.error(errno.errorcode.get(code, "unknown"))
        self.over(link, failed=True)

    def wrong_greeting(self, words: str) -> None:
        """A connection was not greeted as it should be."""
        self.reason = words
        self.meter.tell(words)

    def ready(self, link: Link) -> None:
        """A connection can be used now."""
        self._ready.add(link)
        self.working.discard(link)
        self._make_more()

    def doubts(self, link: Link) -> None:
        """Harm was found on a connection."""
        self._ready.discard(link)
        self.doubted.add(link)
        self.working.add(link)

    def over(self, link: Link, *, failed: bool = False) -> None:
        """A connection is over."""
        self._ready.discard(link)
        self.working.discard(link)
        self._make_more()
        if link in self._ring:
            self._ring.remove(link)
            waiting = list(link.waiting)
            link.waiting.clear()
            for due in waiting:
                self._assign(due)

    # Messages

    def begin(self, count: int | None, *, half_close: bool) -> None:
        """
        Begin to send.

        :param count: so many messages; ``None`` for as many as there is time for.
        :param half_close: whether each connection closes its sending side after its last one.
        """
        self.half_close = half_close
        self.unsent = 0
        self._ring = self._to_use()
        self.working.update(self._ring)
        if self.agenda is not None:
            self.supply.left = ENDLESS
            self.agenda.begin(monotonic_ns(), ENDLESS if count is None else count)
            return
        self.supply.left = ENDLESS if count is None else count
        for link in self._ring[:]:
            self.offer(link)

    def _to_use(self) -> list[Link]:
        """Which connections to send on."""
        return [link for link in self._all if link in self._ready]

    def stop(self) -> None:
        """Send no more messages."""
        self.supply.left = 0
        if self.agenda is not None:
            self.agenda.end()
        for link in list(self.working):
            self.unsent += len(link.waiting)
            link.waiting.clear()
            link.give_back()
            if self.half_close:
                link.close_sending()
            elif not link.in_flight:
                self.rests(link)

    def next_message(self, link: Link, now: int) -> bytes | None:
        """What a connection sends next."""
        if self.agenda is None:
            return link.begin(now, now)
        return link.begin(now, link.waiting.popleft()) if link.waiting else None

    def is_dry(self, link: Link) -> bool:
        """Whether a connection has no more to send."""
        if self.agenda is None:
            return not link.messages and not self.supply.left
        return self.agenda.over and not link.waiting

    def offer(self, link: Link) -> None:
        """A connection has something to send."""
        link.fill()

    def back(self, link: Link) -> None:
        """Something has come back on a connection."""
        link.fill()

    def rests(self, link: Link) -> None:
        """A connection has nothing in flight."""
        if self.is_dry(link) and link not in self.doubted:
            self.working.discard(link)

    def turn(self, until: int) -> None:
        """Deal with what happens, up to a time in ns, or until nothing is working."""
        if self.lean:
            turn_in_a_hurry(self, until)
        elif self.agenda is not None:
            self._turn_on_time(self.agenda, until)
        else:
            links, poll = self.links, self.poller.poll
            while self.working and (now := monotonic_ns()) < until:
                for fd, mask in poll((until - now) / NS):
                    links[fd].handle(mask)

    def _turn_on_time(self, agenda: Agenda, until: int) -> None:
        links, precisely, lag = self.links, self.poller.precisely, self.meter.lag
        while self.working and (now := monotonic_ns()) < until:
            while agenda.due <= now:
                due = agenda.next()
                lag.add(now - due)
                self._assign(due)
                if agenda.over:
                    self._settle_up()
            for fd, mask in precisely(max(0, min(agenda.due, until) - monotonic_ns()) / NS):
                links[fd].handle(mask)

    def _assign(self, due: int) -> None:
        """Have the next connection send a message, once it may."""
        ring = self._ring
        if not ring:
            self.unsent += 1
            return
        self._place = (self._place + 1) % len(ring)
        link = ring[self._place]
        link.waiting.append(due)
        self.offer(link)

    def _settle_up(self) -> None:
        """No more messages will be due: who has none now is done."""
        for link in list(self.working):
            self.offer(link)

    # What is looked at now and then

    def check(self, now: int) -> None:
        """Name what was doubted for long enough, and give up what is stuck."""
        for link in list(self.doubted):
            if now - link.since > DOUBT:
                link.conclude()
        for link in list(self.working):
            if now - max(link.since, link.sent_at) > self._patience:
                link.stuck()

    def totals(self) -> tuple[int, int, int, int]:
        """Bytes sent, acked, lost and unknown."""
        links = self._all
        return (
            sum(link.sent for link in links),
            sum(link.acked for link in links),
            sum(link.lost for link in links),
            sum(link.unknown for link in links),
        )

    def interrupt(self) -> None:
        """End at once: what has not come back need not have."""
        for link in list(self.working):
            link.finish(link.missing)
            link.close()
        self.working.clear()
        self.doubted.clear()

    def finish(self) -> None:
        """End all connections in order; what has come on them without being asked for is found here."""
        for link in list(self.links.values()):
            link.part()

    def close(self) -> None:
        """Close whatever is open still."""
        for link in list(self.links.values()):
            link.close()
        self.poller.close()
