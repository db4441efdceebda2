"""
The log lines of connections and disconnections, as far as their budget allows.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.logger import Logger
from twisted.python.failure import Failure

from echoproto.protocol import Echo
from echoproto.server.counters import ENDINGS, ending_of
from echoproto.server.log.budget import BURST, EventLog
from echoproto.server.log.faults import fault_of, log_fault
from echoproto.server.log.format import exception_of
from echoproto.server.sockets.tlserrors import reason_of

log = Logger("echoproto")

IPV4_MAPPED = "::ffff:"
"""How an IPv4 peer of a socket that serves both is written (RFC 4291, section 2.5.5.2)."""


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
            ip, port = peer_of(connection)
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
            ip, port = peer_of(connection)
            log_fault(self._events, "a connection", fault, ip=ip, port=port)
        if self.enabled and self._events.room("disconnections", BURST):
            ip, port = peer_of(connection)
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


def peer_of(connection: Echo) -> tuple[str, int]:
    """
    Who is at the other end.

    :return: IP address and port; ``("unix", 0)`` for a Unix socket, whose clients have no name.
    """
    peer: object = connection.transport.getPeer()
    if isinstance(peer, IPv4Address | IPv6Address):
        return without_mapping(peer.host), peer.port
    return "unix", 0


def without_mapping(host: str) -> str:
    """An IP address, that of an IPv4 peer as IPv4 has it."""
    return host.removeprefix(IPV4_MAPPED) if "." in host else host
