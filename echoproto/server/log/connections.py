"""
The log lines of connections and disconnections, as far as their budget allows.
"""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure

from echoproto.addresses import peer_of
from echoproto.protocol import Echo
from echoproto.server.counters import ENDINGS, ending_of
from echoproto.server.log.budget import BURST, EventLog
from echoproto.server.log.faults import fault_of, log_fault
from echoproto.server.log.format import exception_of
from echoproto.server.sockets.tlserrors import reason_of

log = Logger("echoproto")


class ConnectionLog:
    """
    Logs each connection and each disconnection, as far as there is room.

    :ivar enabled: whether it does.
    """

    def __init__(self, events: EventLog, *, enabled: bool = True) -> None:
        self._events = events
        self.enabled = enabled

    def connected(self, connection: Echo) -> None:
        """Log who has connected, and the descriptor of the socket."""
        if self.enabled and self._events.room("new connections", BURST):
            ip, port = peer_of(connection.transport.getPeer())
            log.info(
                "New connection, socket fd is {fd}, ip is {ip}, port {port}",
                event="connected",
                fd=connection.transport.fileno(),
                ip=ip,
                port=port,
            )

    def disconnected(self, connection: Echo, reason: Failure) -> None:
        """Log who is gone, how many bytes came and went, how long it took, and why it ended; a fault always."""
        fault = fault_of(connection, reason)
        if fault is not None:
            ip, port = peer_of(connection.transport.getPeer())
            log_fault(self._events, "a connection", fault, ip=ip, port=port)
        if self.enabled and self._events.room("disconnections", BURST):
            ip, port = peer_of(connection.transport.getPeer())
            log.info(
                "Host disconnected, ip {ip}, port {port}, {bytes} {log_unit}, {seconds:.3f} seconds, {why}",
                event="disconnected",
                ip=ip,
                port=port,
                bytes=connection.bytes_received,
                log_unit="byte" if connection.bytes_received == 1 else "bytes",
                seconds=round(connection.factory.seconds() - connection.connected_at, 3),
                why=_why(connection, reason),
            )


def _why(connection: Echo, reason: Failure) -> str:
    """Why a connection has ended, in a few words."""
    if (fault := fault_of(connection, reason)) is not None:
        return exception_of(fault)
    ending = ending_of(connection, reason)
    if ending == "error":
        return f"TLS: {reason_of(reason.value)}"
    return ENDINGS[ending]
