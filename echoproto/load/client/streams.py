"""
A load over TCP, TLS or a Unix socket: all its connections, and the loops that drive them.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from time import monotonic_ns

from echoproto.load.address import Address, resolve
from echoproto.load.client.farewell import part_from_all
from echoproto.load.client.fastpath import LARGEST, turn_in_a_hurry
from echoproto.load.client.messages import MOST_AHEAD, Settings
from echoproto.load.client.meter import NS, Meter
from echoproto.load.client.senders import ENDLESS, Sending
from echoproto.load.client.stream import Link
from echoproto.load.client.tls import make_tls_context
from echoproto.load.errors import IDLE_CLOSED, REFUSALS, nothing_reached
from echoproto.load.workload import Transport, Workload

AT_ONCE = 64
"""Connections that are being made at the same time: fewer than any backlog."""

AGAIN = NS // 100
"""ns after which a connection that the listener's queue had no room for is tried again."""

DOUBT = 3 * NS // 10
"""ns that a harmed connection is looked at further, after it was last heard of: what is wrong shows by what follows."""

ROOM = 1 << 18
"""Bytes that are received at once at the most."""


class Streams(Sending[Link]):
    """
    All connections of a load.

    :ivar doubted: those on which harm was found, and more is looked at.
    :ivar held: those that the listener's queue had no room for yet.
    """

    def __init__(self, workload: Workload, meter: Meter, first: int, patience: float) -> None:
        super().__init__(workload, meter, first)
        self._workload = workload
        self.doubted: set[Link] = set()
        self.held: deque[Link] = deque()
        self.churn = workload.churn
        self.proxy = workload.proxy
        self.host = workload.target.host
        self.tls = make_tls_context(workload) if workload.target.transport is Transport.TLS else None
        self.window = 1 if workload.churn else workload.window
        self.room = min(ROOM, self.window * workload.largest + 1)
        plain = not (workload.churn or workload.rate or self.tls)
        self.lean = plain and self.window == 1 and workload.largest <= LARGEST
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
        self._patience = int(patience * NS)
        self._ready: set[Link] = set()
        self._unmade: deque[Link] = deque()
        self._making = False
        self._all = [Link(first + number, self) for number in range(workload.connections)]
        self._idle = [Link(0, self, idle=True) for _ in range(workload.idle)]

    # Making connections

    def connect(self, wait: Callable[[], None]) -> None:
        """
        Make all connections.

        The idle ones come before all others but the first: servers accept in order, so whoever has had an echo on each
        of the others knows that the server has dealt with the idle ones, too.

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
        idle = self._idle
        if outcome.connected:
            self.address.rotate(ENDLESS if self.churn else len(self._all) + len(self._idle))
            if self._ready:
                self._make(idle, wait)
                idle = []
            self._make(self._all[1:], wait)
        if not self._ready and not outcome.interrupted:
            raise nothing_reached(self._workload, outcome, self.reason)
        self._make(idle, wait)

    def _make(self, links: list[Link], wait: Callable[[], None]) -> None:
        if not self.meter.outcome.interrupted:
            self._unmade.extend(links)
            self._make_more()
            wait()

    def _make_more(self) -> None:
        """Begin as many connections as may be made at once; one that fails at once leaves the next to this loop."""
        if self._making:
            return
        self._making = True
        while self._unmade and not self.held and len(self.working) - len(self.doubted) < AT_ONCE:
            link = self._unmade.popleft()
            self.working.add(link)
            link.connect()
        self._making = False

    def hold(self, link: Link) -> None:
        """The listener's queue is full, which of a Unix socket is told at once: try again in a while."""
        self.held.append(link)

    def _try_held(self) -> None:
        """Try again to connect where the queue was full, until it is found to be so still."""
        while self.held:
            link = self.held.popleft()
            link.connect_again()
            if self.held and self.held[-1] is link:
                self.held.rotate()  # it stays the first of them
                break
        self._make_more()

    def not_connected(self, link: Link, code: int) -> None:
        """A connection could not be made, as errno says."""
        full = code == errno.EAGAIN
        self.reason = "the listener's queue is full" if full else os.strerror(code)
        if limit := self.address.local_limit(code):
            self.meter.outcome.own_limits[limit] += 1
        else:
            self.meter.error(errno.errorcode.get(code, "unknown"), self.reason if full else "")
        self.over(link, failed=True)

    @property
    def reached(self) -> bool:
        """True if anything came back or still may; data that was sent and lost has reached a peer, too."""
        failed = self.meter.outcome.errors.keys() - {IDLE_CLOSED}
        refused = failed and failed <= REFUSALS
        return bool(self.last or self.meter.outcome.findings or self.usable or not refused)

    @property
    def usable(self) -> bool:
        """True while messages can still be sent."""
        return bool(self._ready)

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
        self.gone(link)
        self._make_more()

    # Messages

    def senders(self) -> list[Link]:
        """See `Sending.senders`."""
        return [link for link in self._all if link in self._ready]

    def next_message(self, link: Link, now: int) -> bytes | None:
        """What a connection sends next."""
        if self.agenda is None:
            return link.begin(now, now)
        return link.begin(now, link.waiting.popleft()) if link.waiting else None

    def back(self, link: Link) -> None:
        """Something has come back on a connection."""
        link.fill()

    def rests(self, link: Link) -> None:
        """See `Sending.rests`; unless there is more to be found out about it."""
        if link not in self.doubted:
            super().rests(link)

    def turn(self, until: int) -> None:
        """See `Sending.turn`."""
        if self.held:
            super().turn(min(until, monotonic_ns() + AGAIN))
            self._try_held()
        elif self.lean:
            turn_in_a_hurry(self, until)
        else:
            super().turn(until)

    # What is looked at now and then

    def check(self, now: int) -> None:
        """Name what was doubted for long enough, and give up what is stuck."""
        for link in list(self.doubted):
            if now - link.since > DOUBT:
                link.conclude()
        for link in list(self.working):
            if link.awaits and now - max(link.since, link.sent_at) > self._patience:
                link.stuck()
        if self.held and now - self.held[0].connect_at > self._patience:
            given_up = [*self.held, *self._unmade]  # for all those behind it, there is no room either
            self.held.clear()
            self._unmade.clear()
            for link in given_up:
                link.not_opened(errno.EAGAIN)

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
        self._unmade.clear()
        self.held.clear()
        for link in list(self.working):
            link.finish(link.missing)
            link.close()
        self.working.clear()
        self.doubted.clear()

    def finish(self) -> None:
        """End all connections in order; what has come on them without being asked for, or comes yet, is found here."""
        part_from_all(list(self.links.values()), self.poller, self.links)

    def close(self) -> None:
        """Close whatever is open still."""
        for link in list(self.links.values()):
            link.close()
        self.poller.close()
