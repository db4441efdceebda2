"""
Faults: exceptions of this package's own code, and those for want of memory.

A fault costs one connection, or one datagram. It is counted by its name, and logged as one line, within the budget.
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
    Return the fault that has ended a connection, if one has.

    :param reason: argument of ``connectionLost``.
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
    Log a fault, within the budget.

    :param where: part of the service, such as ``a connection``; one of a few.
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
