"""
Admission of connections: limits for their number, for each source, and for their rate.
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
    Admit or refuse connections; an observer of an `EchoFactory`.

    :param settings: the limits. `apply` replaces them at any time; admitted connections stay.
    :param clock: the reactor, or a substitute for its clock.
    :param connections: the connections that are open.
    :param counters: counters of the refusals.
    :param events: the log budget of the refusals.

    :ivar budget: maximum number of connections that the descriptor limit allows.
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
        """Apply other limits from now on; log a warning if the budget lowers one of them."""
        self.settings = settings
        self._sources: Counter[str] = Counter()
        if settings.max_per_source:
            self._sources.update(map(source, self._connections))
        self.limit = self.budget if settings.max_connections is None else min(settings.max_connections, self.budget)
        if settings.max_connections is not None and self.limit < settings.max_connections:
            log.warn(
                "max-connections is lowered from {wanted} to {limit}, the most that the descriptor limit allows",
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
        Return the number of connections that may be accepted from the backlog now; 0 if they must wait.

        :param wanted: maximum number to accept, at least 1.
        """
        if self._bucket is None or self.settings.over_accept_rate == "close":
            return wanted
        return min(wanted, int(self._bucket.fill()))

    def wait(self) -> float:
        """Return the seconds until the next connection may be accepted."""
        return 0.0 if self._bucket is None else self._bucket.wait()

    def admit(self, host: str | None) -> bool:
        """
        Return true to admit a connection; false if a limit refuses it, which is counted.

        :param host: IP address of the peer; ``None`` for a Unix socket.
        """
        refusal = self._refusal(host)
        if not refusal:
            return True
        self.refused(refusal, host)
        return False

    def _refusal(self, host: str | None) -> str:
        """Return the name of the limit that refuses a connection, or an empty text."""
        if self._bucket is not None and not self._bucket.take():
            return "accept-rate"
        if len(self._connections) >= self.limit:
            return "max-connections"
        per_source = self.settings.max_per_source
        if per_source and host is not None and self._sources[source_of(host)] >= per_source:
            return "max-per-source"
        return ""

    def refused(self, why: str, host: str | None) -> None:
        """Count a refused connection, and log it within the log budget."""
        self.counters.refused[why] += 1
        if self.events.room(f"connections refused, {why}"):
            log.warn("Refused a connection from {ip}: {why}", event="refused", ip=host or "unix", why=why)

    def connected(self, connection: Echo) -> None:
        """Count the connection for its source."""
        if self.settings.max_per_source:
            self._sources[source(connection)] += 1

    def disconnected(self, connection: Echo, reason: Failure) -> None:
        """Discount the connection; a source without connections leaves the table, so that the table stays small."""
        if self.settings.max_per_source:
            name = source(connection)
            self._sources[name] -= 1
            if not self._sources[name]:
                del self._sources[name]
