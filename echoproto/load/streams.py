"""
A load over TCP, TLS or a Unix socket: all its connections, and the loops that drive them.
"""

from __future__ import annotations

import errno
import os
import ssl
from collections import deque
from collections.abc import Callable
from time import monotonic_ns

from echoproto.errors import ConfigurationError
from echoproto.load.address import LOCAL_LIMITS, Address, resolve
from echoproto.load.errors import ClientLimit, GreetingFailed, HandshakeFailed, Unreachable
from echoproto.load.exchange import Settings, Supply
from echoproto.load.link import Link
from echoproto.load.loop import READ, make_poller
from echoproto.load.meter import NS, Meter
from echoproto.load.workload import Transport, Workload

ENDLESS = 1 << 62
"""Messages."""

AT_ONCE = 64
"""Connections that are being made at the same time: fewer than any backlog."""

DOUBT = 3 * NS // 10
"""ns that a harmed connection is looked at further, after it was last heard of: what is wrong shows by what follows."""

HURRIED = 1 << 14
"""Bytes of the largest message that the loop in a hurry is for: it takes the time once for what came and what is sent
next, and to compare more takes too long for that."""

ROOM = 1 << 18
"""Bytes that are received at once at the most."""


class Streams:
    """
    All connections of a load, as `echoproto.load.engine` drives them.

    :ivar working: those that are not done with what they have to do.
    :ivar last: when anything came back last, in ns.
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
        self.last = 0
        self.reason = ""
        self.churn = workload.churn
        self.proxy = workload.proxy
        self.host = workload.target.host
        self.tls = make_context(workload) if workload.target.transport is Transport.TLS else None
        self.window = 1 if workload.churn else workload.window
        self.half_close = False
        self.room = min(ROOM, self.window * workload.largest + 1)
        self.lean = (
            self.window == 1 and workload.largest <= HURRIED and not (workload.churn or workload.rate or self.tls)
        )
        self.supply = Supply(workload.connections)
        self.settings = Settings(
            seed=workload.seed,
            smallest=workload.smallest,
            largest=workload.largest,
            greeting=workload.greeting,
            supply=self.supply,
            service=meter.service,
            response=None if workload.rate is None else meter.response,
        )
        self.address: Address
        self._patience = int(patience * NS)
        self._ready: set[Link] = set()
        self._unmade: deque[Link] = deque()
        self._all = [Link(first + number, self) for number in range(workload.connections)]
        self._idle = [Link(0, self, idle=True) for _ in range(workload.idle)]

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
            self._give_up()
        self._make(self._idle, wait)

    def _make(self, links: list[Link], wait: Callable[[], None]) -> None:
        self._unmade.extend(links)
        self._make_more()
        wait()

    def _make_more(self) -> None:
        while self._unmade and len(self.working) < AT_ONCE:
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

    def _give_up(self) -> None:
        outcome, target = self.meter.outcome, self._workload.target
        if outcome.own_limits:
            names = ", ".join(outcome.own_limits)
            raise ClientLimit(f"{target}: client limit: this machine has no {names} left: {self.reason}")
        if outcome.errors["TLS"]:
            hint = "--ca or --insecure may help" if self._workload.verify else "does it speak TLS there?"
            raise HandshakeFailed(f"{target}: TLS failed: {self.reason}; {hint}")
        if outcome.errors["greeting"]:
            raise GreetingFailed(f"{target}: {self.reason}: check --greeting")
        why = self.reason or ", ".join(outcome.errors)
        raise Unreachable(f"{target}: {why}: is the service running there?")

    def ready(self, link: Link) -> None:
        """A connection can be used now."""
        self._ready.add(link)
        self.working.discard(link)
        self._make_more()

    def over(self, link: Link, *, failed: bool = False) -> None:
        """A connection is over."""
        self._ready.discard(link)
        self.working.discard(link)
        self._make_more()

    # Messages

    def begin(self, count: int | None, *, half_close: bool) -> None:
        """
        Begin to send.

        :param count: so many messages; ``None`` for as many as there is time for.
        :param half_close: whether each connection closes its sending side after its last one.
        """
        self.half_close = half_close
        self.supply.left = ENDLESS if count is None else count
        self.working |= {link for link in self._ready if not link.idle}
        for link in list(self.working):
            link.fill()

    def stop(self) -> None:
        """Send no more messages."""
        self.supply.left = 0
        for link in list(self.working):
            link.give_back()
            if self.half_close:
                link.close_sending()
            elif not link.in_flight:
                self.working.discard(link)

    def next_message(self, link: Link, now: int) -> bytes | None:
        """What a connection sends next."""
        return link.begin(now, now)

    def is_dry(self, link: Link) -> bool:
        """Whether a connection has no more to send."""
        return not link.messages and not self.supply.left

    def back(self, link: Link) -> None:
        """Something has come back on a connection."""
        link.fill()

    def rests(self, link: Link) -> None:
        """A connection has nothing in flight."""
        self.working.discard(link)

    def turn(self, until: int) -> None:
        """Deal with what happens, up to a time in ns, or until nothing is working."""
        if self.lean:
            self._turn_in_a_hurry(until)
            return
        links, poll = self.links, self.poller.poll
        while self.working and (now := monotonic_ns()) < until:
            for fd, mask in poll((until - now) / NS):
                links[fd].handle(mask)

    def _turn_in_a_hurry(self, until: int) -> None:  # noqa: C901 - calls would cost more than what they do
        """
        The same, where each connection has one message in flight.

        All that is done for a message is in sight here; whatever is out of the ordinary is left to the link.
        """
        links, poll, clock, working = self.links, self.poller.poll, monotonic_ns, self.working
        counts, slow = self.meter.service.counts, self.meter.service.slow
        room = self.room
        now = clock()
        while working and now < until:
            for fd, mask in poll((until - now) / NS):
                link = links[fd]
                if mask != READ:
                    link.handle(mask)
                    continue
                try:
                    data = link.recv(room)
                except OSError as error:
                    if not isinstance(error, BlockingIOError):
                        link.failed(error)
                    continue
                now = clock()
                if data != link.expected:
                    link.take(data, now)
                    continue
                try:
                    counts[(now - link.sent_at) // 1000] += 1
                except IndexError:
                    slow.append((now - link.sent_at) // 1000)
                try:
                    link.expected = message = link.messages.pop()
                except IndexError:
                    self.last = now
                    link.expected = None
                    link.fill()
                    continue
                link.sent_at = now  # within 1 us: all that lies between is in sight
                try:
                    count = link.send(message)
                except OSError as error:
                    if not isinstance(error, BlockingIOError):
                        link.failed(error)
                        continue
                    count = 0
                if count != len(message):
                    link.sent_so_far(count)
            now = clock()

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


def make_context(workload: Workload) -> ssl.SSLContext:
    """
    How TLS is to be spoken.

    :raise ConfigurationError: if the file of authorities can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=workload.ca)
    except OSError as error:
        raise ConfigurationError(f"{workload.ca}: {error.strerror or error}: give a PEM file of certificates") from None
    if not workload.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
