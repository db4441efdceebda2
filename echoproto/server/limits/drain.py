"""
How a connection is ended in order: what was in flight comes back, then it is half-closed; if that takes too long, it
is aborted.

In flight is what we have received, and what lies in the socket's receive queue, at that moment. What the peer sends
after it is read and thrown away, so that a peer that goes on sending can neither postpone the end, nor have the kernel
reset the connection, which would take with it what is still on its way to the peer.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from echoproto.protocol import Echo
from echoproto.server.connections import Connections, Stage
from echoproto.server.log.faults import end_by_fault
from echoproto.server.sockets.queues import receive_queue

SWEEP_SECONDS = 0.05
"""How often it looks who has everything; a peer may take 40 ms to confirm what it has (delayed ACK, RFC 1122)."""

QUIET_SECONDS = 1.0
"""How long a peer that has sent more meanwhile has to be silent before the connection is closed on it: one that was
only held up would be reset, and lose what it has not read yet."""


class Drainer:
    """
    Ends connections in order, each within a time of its own.

    :param clock: the reactor, or what stands in for its time.
    :param connections: the connections of the service.
    """

    def __init__(self, clock: IReactorTime, connections: Connections) -> None:
        self._clock = clock
        self._connections = connections
        self._deadlines: dict[Echo, float] = {}
        self._heard: dict[Echo, float] = {}  # when more has come
        self._sweep = LoopingCall(self._look)
        self._sweep.clock = clock

    def add(self, connection: Echo, seconds: float, ended_by: str) -> None:
        """
        End a connection.

        :param connection: one that is connected; if it is being ended already, only its time may become shorter.
        :param seconds: after which it is aborted if it is still there, 0 or more.
        :param ended_by: why, if nothing has ended it yet.
        """
        deadline = self._clock.seconds() + seconds
        known = self._deadlines.get(connection)
        self._deadlines[connection] = deadline if known is None else min(known, deadline)
        connection.ended_by = connection.ended_by or ended_by
        if known is None:
            self._connections.enter(connection, Stage.DRAINING)
            try:
                drain(connection)
            except Exception:  # the others are to be drained, too
                end_by_fault(connection)
        if not self._sweep.running:
            self._sweep.start(SWEEP_SECONDS, now=False)

    def _look(self) -> None:
        now = self._clock.seconds()
        for connection, deadline in list(self._deadlines.items()):
            if connection not in self._connections:
                del self._deadlines[connection]
                self._heard.pop(connection, None)
                continue
            try:
                self._look_at(connection, deadline, now)
            except Exception:
                end_by_fault(connection)
        if not self._deadlines:
            self._sweep.stop()

    def _look_at(self, connection: Echo, deadline: float, now: float) -> None:
        if now >= deadline:
            if connection.ended_by == "stop":
                connection.ended_by = "drain"
            connection.transport.abortConnection()
        elif self._is_quiet(connection, now):
            close_if_delivered(connection)

    def _is_quiet(self, connection: Echo, now: float) -> bool:
        if not connection.quiet:
            connection.quiet = True
            self._heard[connection] = now
        return connection not in self._heard or now - self._heard[connection] >= QUIET_SECONDS


def drain(connection: Echo) -> None:
    """
    Have a connection send back what is in flight, and nothing more, and end; if the peer lets it.

    :param connection: one that is connected; if it is closing already, it is left alone.
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
    Close a connection that was drained, once its peer has everything; looked at now and then, until they are gone.

    A peer that still sends is left alone: to close on it would be to reset it.

    :param connection: one that is connected.
    """
    if connection.transport.disconnecting:
        return
    if connection.half_closed:
        # libuv stops watching a socket that was reset while there was more to read; then nobody would see its end.
        connection.transport.pauseProducing()
        connection.transport.resumeProducing()
    if _delivered(connection):
        connection.close()


def _delivered(connection: Echo) -> bool:
    """Return whether the peer's kernel has all that was written, and nothing more has come from it."""
    transport = connection.transport
    return not (receive_queue(transport.fileno()) or transport.buffered() or transport.unconfirmed())
