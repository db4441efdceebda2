"""
The orderly end of a connection: echo the data in flight, then half-close; abort if that takes too long.

Data in flight is all that was received, and all that the socket's receive queue holds, at that moment. Later data is
read and discarded. So a peer that goes on sending can't postpone the end, nor cause the kernel to reset the connection,
which would destroy the data on its way to the peer.

A connection in its handshake completes it first, within the same deadline: its client may have sent data with its last
message, and would take a reset for a failure of TLS.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from echoproto.protocol import Echo
from echoproto.server.connections import Connections, Stage
from echoproto.server.log.faults import end_by_fault
from echoproto.server.sockets.queues import receive_queue

SWEEP_SECONDS = 0.05
"""Time between two checks for complete delivery; a peer may confirm data 40 ms late (delayed ACK, RFC 1122)."""

QUIET_SECONDS = 1.0
"""Silence needed before closing on a peer that sent data during the drain: a peer that was only delayed would be reset,
and lose the data that it has not read yet."""


class Drainer:
    """
    End connections in order, each within its own deadline.

    :param clock: the reactor, or a substitute for its clock.
    :param connections: the connections of the service.
    """

    def __init__(self, clock: IReactorTime, connections: Connections) -> None:
        self._clock = clock
        self._connections = connections
        self._deadlines: dict[Echo, float] = {}
        self._late_data_at: dict[Echo, float] = {}  # the time of the last data to discard
        self._sweep = LoopingCall(self._check_all)
        self._sweep.clock = clock

    def add(self, connection: Echo, seconds: float, ended_by: str) -> None:
        """
        End a connection.

        :param connection: an open connection; for one that drains already, the earlier deadline holds.
        :param seconds: time until an abort, 0 or more.
        :param ended_by: the reason, unless the connection has one already.
        """
        deadline = self._clock.seconds() + seconds
        known = self._deadlines.get(connection)
        self._deadlines[connection] = deadline if known is None else min(known, deadline)
        connection.ended_by = connection.ended_by or ended_by
        try:
            self._drain_if_open(connection)
        except Exception:  # the other connections must be drained, too
            end_by_fault(connection)
        if not self._sweep.running:
            self._sweep.start(SWEEP_SECONDS, now=False)

    def _drain_if_open(self, connection: Echo) -> None:
        """Drain a connection that is open, rather than in its handshake, or draining already."""
        entry = self._connections.get(connection)
        if entry is not None and entry.stage is Stage.OPEN:
            self._connections.enter(connection, Stage.DRAINING)
            drain(connection)

    def _check_all(self) -> None:
        now = self._clock.seconds()
        for connection, deadline in list(self._deadlines.items()):
            if connection not in self._connections:
                del self._deadlines[connection]
                self._late_data_at.pop(connection, None)
                continue
            try:
                self._check(connection, deadline, now)
            except Exception:
                end_by_fault(connection)
        if not self._deadlines:
            self._sweep.stop()

    def _check(self, connection: Echo, deadline: float, now: float) -> None:
        if now >= deadline:
            if connection.ended_by == "stop":
                connection.ended_by = "drain"
            connection.transport.abortConnection()
        elif self._connections[connection].stage is not Stage.DRAINING:
            self._drain_if_open(connection)
        elif self._is_quiet(connection, now):
            close_if_delivered(connection)

    def _is_quiet(self, connection: Echo, now: float) -> bool:
        if not connection.quiet:
            connection.quiet = True
            self._late_data_at[connection] = now
        return connection not in self._late_data_at or now - self._late_data_at[connection] >= QUIET_SECONDS


def drain(connection: Echo) -> None:
    """
    Have a connection echo the data in flight, and nothing more, then end, if the peer lets it.

    :param connection: an open connection; one that is closing already is left alone.
    """
    transport = connection.transport
    if transport.disconnecting:
        return
    queued = receive_queue(transport.fileno())
    if not queued and _delivered(connection):
        connection.close()
    else:
        transport.drain(queued)


def close_if_delivered(connection: Echo) -> None:
    """
    Close a drained connection if its peer has received everything; to be called until the connection is gone.

    A connection whose peer still sends stays open: closing it would reset it.

    :param connection: an open connection.
    """
    if connection.transport.disconnecting:
        return
    if connection.half_closed:
        # libuv stops watching a socket that was reset with data left to read; its end would stay unseen.
        connection.transport.pauseProducing()
        connection.transport.resumeProducing()
    if _delivered(connection):
        connection.close()


def _delivered(connection: Echo) -> bool:
    """Return true if the peer's kernel has all written data, and no further data has come from it."""
    transport = connection.transport
    return not (receive_queue(transport.fileno()) or transport.buffered() or transport.unconfirmed())
