"""
How long a connection may do nothing, last at all, and have us wait for it to take what we send.

There is one look at all connections now and then, no timer for each of them, and nothing to do for an echo: a look
finds out who has sent or taken a byte since the last one. So a connection is cut up to two looks late, and never early.
"""

from __future__ import annotations

from collections.abc import Collection
from math import inf

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from echoproto.protocol import Echo
from echoproto.server.limits.drain import Drainer
from echoproto.server.log.faults import end_by_fault
from echoproto.server.settings.table import Settings

LOOK_SECONDS = 0.25
"""How often all connections are looked at; 10,000 that are silent take about 1 ms."""

IDLE_GRACE_SECONDS = 0.5
"""How long the end of an idle connection may take: over TLS, the peer is to confirm it."""


class Deadlines:
    """
    Cuts connections that are idle, too old, or stuck; as an observer of an `EchoFactory`, it is told of each.

    - ``idle`` seconds without a byte either way: closed, and aborted if that is not done at once.
    - ``lifetime`` seconds after it was made: what is in flight comes back, up to ``drain`` seconds; then aborted.
    - ``write_stall`` seconds in which the peer's kernel took nothing of what is to be sent: aborted.

    :param settings: those three, and ``drain``; 0 for never. May be replaced at any time.
    :param clock: the reactor, or what stands in for its time.
    :param connections: those that are connected.
    :param drainer: ends those that end in order.
    """

    def __init__(
        self, settings: Settings, clock: IReactorTime, connections: Collection[Echo], drainer: Drainer
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._connections = connections
        self._drainer = drainer
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        # Seconds in which this process ran. While it is suspended, bytes wait for it, which is not the peers' fault.
        self._awake = 0.0
        self._looked_at = 0.0
        # Of those that have something to be sent: a number that grows as it is taken, and when it last grew.
        self._unsent: dict[Echo, tuple[int, float]] = {}

    def connected(self, connection: Echo) -> None:
        """Somebody is there to be looked at."""
        if not self._looking.running:
            self._looking.start(LOOK_SECONDS, now=False)

    def disconnected(self, connection: Echo, reason: Failure) -> None:
        """One less."""
        self._unsent.pop(connection, None)
        if not self._connections and self._looking.running:
            self._looking.stop()

    def _look(self) -> None:
        now = self._clock.seconds()
        self._awake += min(now - self._looked_at, 2 * LOOK_SECONDS)
        self._looked_at = now
        born_before = now - (self.settings.lifetime or inf)
        quiet_since = self._awake - (self.settings.idle or inf)
        for connection in tuple(self._connections):
            # Most are silent; and what has got nothing more can have nothing more to send.
            if (
                connection.bytes_received == connection.seen
                and connection.active_at > quiet_since
                and connection.connected_at > born_before
                and connection not in self._unsent
            ):
                continue
            try:
                self._look_at(connection, born_before, quiet_since)
            except Exception:  # the others are to be looked at, too
                end_by_fault(connection)

    def _look_at(self, connection: Echo, born_before: float, quiet_since: float) -> None:
        if connection.bytes_received != connection.seen:
            connection.seen = connection.bytes_received
            connection.active_at = self._awake
        if (waiting := connection.transport.buffered()) or connection in self._unsent:
            self._look_at_unsent(connection, waiting)
        if connection.ended_by:
            return
        if connection.connected_at <= born_before:
            self._drainer.add(connection, self.settings.drain, "lifetime")
        elif connection.active_at <= quiet_since:
            self._drainer.add(connection, IDLE_GRACE_SECONDS, "idle")

    def _look_at_unsent(self, connection: Echo, waiting: int) -> None:
        if not waiting:
            connection.active_at = self._awake
            del self._unsent[connection]
            return
        # The kernel asks for more only when a third of its buffer, which may be megabytes, is free: to a slow reader,
        # we may send nothing for minutes while it takes one byte after the other.
        waiting += connection.transport.unconfirmed()
        # Over TLS, what waits is encrypted, and so is more than was given: this number grows more slowly than what was
        # taken, and never without anything having been taken.
        taken = connection.bytes_given - waiting
        known = self._unsent.get(connection)
        if known is None or taken > known[0]:
            since = connection.active_at = self._awake
        else:
            since = known[1]
        self._unsent[connection] = (taken, since)
        limit = self.settings.write_stall
        if limit and self._awake - since >= limit:
            connection.ended_by = connection.ended_by or "write-stall"
            connection.transport.abortConnection()
