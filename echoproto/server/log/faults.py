"""
Faults: exceptions of our own code, and those for want of memory.

Each costs one connection, or one datagram. It is counted by its name, and is one line of the log, if there is room.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionClosed
from twisted.logger import Logger
from twisted.python.failure import Failure

from echoproto.protocol import Echo
from echoproto.server.log.budget import EventLog
from echoproto.server.log.format import exception_of, places_of
from echoproto.server.sockets.tlserrors import is_tls_error

log = Logger("echoproto")


def fault_of(connection: Echo, reason: Failure) -> Failure | None:
    """
    The fault that has ended a connection, if one has.

    :param reason: what the transport gave to ``connectionLost``.
    """
    if connection.fault is not None:
        return connection.fault
    return None if isinstance(reason.value, ConnectionClosed) or is_tls_error(reason.value) else reason


def end_by_fault(connection: Echo) -> None:
    """Abort a connection, because of the exception that is being handled."""
    connection.fault = Failure()
    connection.transport.abortConnection()


def log_fault(events: EventLog, where: str, failure: Failure, **fields: object) -> None:
    """
    Log a fault, if there is room.

    :param where: what it was in, such as ``a connection``; there are only a few.
    """
    if events.room(f"faults in {where}, {type(failure.value).__name__}"):
        log.error(
            "Fault in {where}: {exception}, at {places}",
            event="fault",
            where=where,
            exception=exception_of(failure),
            places=places_of(failure),
            **fields,
        )
