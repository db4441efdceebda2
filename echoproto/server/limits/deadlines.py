"""
Timeouts of connections: idle time, lifetime, and the time in which a peer accepts no data.

One periodic check covers all connections. There is no timer per connection, and an echo costs nothing: a check compares
byte counts with those of the last one. So a timeout may act up to two intervals late, and never acts early.
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

CHECK_INTERVAL_SECONDS = 0.25
"""Time between two checks; one of 10,000 silent connections takes about 1 ms."""

IDLE_GRACE_SECONDS = 0.5
"""Maximum time to close an idle connection: over TLS, the peer must confirm the end."""


class Deadlines:
    """
    End connections that are idle, too old, or stuck; an observer of an `EchoFactory`.

    - ``idle`` seconds without a byte in either direction: close; abort if that takes longer than a moment.
    - ``lifetime`` seconds after accept: echo the data in flight for up to ``drain`` seconds, then abort.
    - ``write_stall`` seconds in which the peer's kernel accepted none of the waiting data: abort.

    :param settings: these three times, and ``drain``; 0 for no timeout. May be replaced at any time.
    :param clock: the reactor, or a substitute for its clock.
    :param connections: the connections that are open.
    :param drainer: ends connections in order.
    """

    def __init__(
        self, settings: Settings, clock: IReactorTime, connections: Collection[Echo], drainer: Drainer
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._connections = connections
        self._drainer = drainer
        self._checks = LoopingCall(self._check_all)
        self._checks.clock = clock
        # Seconds in which this process ran. While it is suspended, bytes wait for it, which is not the peers' fault.
        self._awake = 0.0
        self._checked_at = 0.0
        # For each connection with waiting data: a number that grows as the peer accepts data, and the time of that.
        self._unsent: dict[Echo, tuple[int, float]] = {}

    def connected(self, connection: Echo) -> None:
        """Start the checks with the first connection."""
        if not self._checks.running:
            self._checks.start(CHECK_INTERVAL_SECONDS, now=False)

    def disconnected(self, connection: Echo, reason: Failure) -> None:
        """Forget the connection, and stop the checks after the last one."""
        self._unsent.pop(connection, None)
        if not self._connections and self._checks.running:
            self._checks.stop()

    def _check_all(self) -> None:
        now = self._clock.seconds()
        self._awake += min(now - self._checked_at, 2 * CHECK_INTERVAL_SECONDS)
        self._checked_at = now
        born_before = now - (self.settings.lifetime or inf)
        quiet_since = self._awake - (self.settings.idle or inf)
        for connection in tuple(self._connections):
            # Most connections are silent, and without new input, a connection has no new output.
            if (
                connection.bytes_received == connection.seen
                and connection.active_at > quiet_since
                and connection.connected_at > born_before
                and connection not in self._unsent
            ):
                continue
            try:
                self._check(connection, born_before, quiet_since)
            except Exception:  # the other connections must be checked, too
                end_by_fault(connection)

    def _check(self, connection: Echo, born_before: float, quiet_since: float) -> None:
        if connection.bytes_received != connection.seen:
            connection.seen = connection.bytes_received
            connection.active_at = self._awake
        if (waiting := connection.transport.buffered()) or connection in self._unsent:
            self._check_unsent(connection, waiting)
        if connection.ended_by:
            return
        if connection.connected_at <= born_before:
            self._drainer.add(connection, self.settings.drain, "lifetime")
        elif connection.active_at <= quiet_since:
            self._drainer.add(connection, IDLE_GRACE_SECONDS, "idle")

    def _check_unsent(self, connection: Echo, waiting: int) -> None:
        if not waiting:
            connection.active_at = self._awake
            del self._unsent[connection]
            return
        # The kernel asks for more only when a third of its buffer, which may be megabytes, is free: a slow reader may
        # accept single bytes for minutes while we send nothing.
        waiting += connection.transport.unconfirmed()
        # Over TLS, the waiting data is encrypted, and so longer than the given data: this number grows more slowly than
        # the accepted data, and never without any.
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
