"""
Who may come in: so many in all, so many from one source, so many a second.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from echoproto.addresses import source_of
from echoproto.protocol import Echo
from echoproto.server.connections import source
from echoproto.server.counters import Counters
from echoproto.server.log.budget import EventLog
from echoproto.server.settings.table import Settings
from echoproto.tokenbucket import TokenBucket

log = Logger("echoproto")


class Admission:
    """
    Decides who may come in; as an observer of an `EchoFactory`, it is told of each connection.

    :param settings: the limits. May be replaced at any time, by `apply`; those who are in stay in.
    :param clock: tells the time.
    :param connections: those that are in.
    :param counters: whoever is refused is counted there.
    :param events: how many of the refused may be logged.

    :ivar budget: how many connections the descriptors of this process are enough for.
    """

    def __init__(
        self,
        settings: Settings,
        clock: IReactorTime,
        connections: Collection[Echo],
        counters: Counters,
        events: EventLog,
    ) -> None:
        self._clock = clock
        self._connections = connections
        self.counters = counters
        self.events = events
        self._bucket: TokenBucket | None = None
        self.budget = sys.maxsize
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Hold to other limits from here on; no more than the budget has room for, which is said aloud."""
        self.settings = settings
        self._sources: Counter[str] = Counter()
        if settings.max_per_source:
            self._sources.update(map(source, self._connections))
        self.limit = self.budget if settings.max_connections is None else min(settings.max_connections, self.budget)
        if settings.max_connections is not None and self.limit < settings.max_connections:
            log.warn(
                "max-connections is lowered from {wanted} to {limit}, which the limit of open descriptors has room for",
                event="max-connections-lowered",
                wanted=settings.max_connections,
                limit=self.limit,
            )
        if not settings.accept_rate:
            self._bucket = None
        elif self._bucket is None or self._bucket.rate != settings.accept_rate:
            self._bucket = TokenBucket(self._clock.seconds, settings.accept_rate, settings.accept_rate)

    def room(self, wanted: int) -> int:
        """
        How many of those who wait in the backlog may be accepted now; none if they have to wait a while.

        :param wanted: how many there may be, at least 1.
        """
        if self._bucket is None or self.settings.over_accept_rate == "close":
            return wanted
        return min(wanted, int(self._bucket.fill()))

    def wait(self) -> float:
        """Seconds until there is room again."""
        return 0.0 if self._bucket is None else self._bucket.wait()

    def admit(self, host: str | None) -> bool:
        """
        Whether somebody may come in; if not, that is counted.

        :param host: IP address, ``None`` for somebody on this host who has none (a Unix socket).
        """
        refusal = self._refusal(host)
        if not refusal:
            return True
        self.refused(refusal, host)
        return False

    def _refusal(self, host: str | None) -> str:
        """What speaks against it, or nothing."""
        if self._bucket is not None and not self._bucket.take():
            return "accept-rate"
        if len(self._connections) >= self.limit:
            return "max-connections"
        per_source = self.settings.max_per_source
        if per_source and host is not None and self._sources[source_of(host)] >= per_source:
            return "max-per-source"
        return ""

    def refused(self, why: str, host: str | None) -> None:
        """Count somebody who was not let in."""
        self.counters.refused[why] += 1
        if self.events.room(f"connections refused, {why}"):
            log.warn("Refused a connection from {ip}: {why}", event="refused", ip=host or "unix", why=why)

    def connected(self, connection: Echo) -> None:
        """One more of its source."""
        if self.settings.max_per_source:
            self._sources[source(connection)] += 1

    def disconnected(self, connection: Echo, reason: Failure) -> None:
        """One less; a source is forgotten with its last connection, so there are never more than those."""
        if self.settings.max_per_source:
            name = source(connection)
            self._sources[name] -= 1
            if not self._sources[name]:
                del self._sources[name]
