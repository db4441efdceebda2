"""
The table of a service's connections, from accept to end, for limits, counters and the log.

An entry is added when a connection is accepted, and changed when it enters another stage; data changes nothing here.

========= =================================================== ===========================
stage     begins                                              ends
========= =================================================== ===========================
handshake at accept, if the transport has a handshake         after the handshake
open      at accept, or after the handshake                   when the service ends it
draining  when the service ends it (`limits.drain`)           when it is gone
========= =================================================== ===========================

In each stage, a connection may also end by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from attrs import define
from twisted.python.failure import Failure
from typing_extensions import override

from echoproto.addresses import peer_of, source_of
from echoproto.protocol import Echo, EchoFactory, IEchoTransport


class Stage(StrEnum):
    """A stage of a connection; see the table of this module."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    DRAINING = "draining"


@define(eq=False, weakref_slot=False)
class Connection:
    """
    One connection of the service.

    :ivar echo: its protocol, which counts its bytes.
    :ivar number: its number, counted from 1 in the order of accept.
    :ivar stage: its current stage.
    :ivar since: time at which it entered that stage, in seconds of the service's clock.
    """

    echo: Echo
    number: int
    stage: Stage
    since: float

    @property
    def transport(self) -> IEchoTransport:
        """Return its transport."""
        return self.echo.transport

    @property
    def source(self) -> str:
        """Return its source for the limits; all Unix sockets are one source."""
        return source(self.echo)


class Connections(dict[Echo, Connection]):
    """
    Table of connections, in the order of accept.

    :param seconds: a monotonic clock, in seconds.

    :ivar accepted: number of connections so far.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__()
        self._seconds = seconds
        self.accepted = 0

    def add(self, echo: Echo) -> None:
        """Add an accepted connection in its first stage."""
        self.accepted += 1
        stage = Stage.OPEN if echo.opens_when_made else Stage.HANDSHAKE
        self[echo] = Connection(echo, self.accepted, stage, self._seconds())

    def enter(self, echo: Echo, stage: Stage) -> None:
        """Move a connection to a stage, unless it is there already, or gone."""
        connection = self.get(echo)
        if connection is not None and connection.stage is not stage:
            connection.stage = stage
            connection.since = self._seconds()

    def remove(self, echo: Echo) -> None:
        """Remove a connection; one that is not in the table is ignored."""
        self.pop(echo, None)


class ConnectionFactory(EchoFactory):
    """
    Factory of a service's connections; its table changes before the observers are called.

    :param seconds: a monotonic clock, in seconds.

    :ivar table: all connections.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__(seconds=seconds)
        self.table = Connections(seconds)

    @override
    def logPrefix(self) -> str:
        return EchoFactory.__name__  # as the log has always named the factory of a port

    @override
    def add(self, connection: Echo) -> None:
        self.table.add(connection)
        super().add(connection)

    @override
    def opened(self, connection: Echo) -> None:
        self.table.enter(connection, Stage.OPEN)

    @override
    def remove(self, connection: Echo, reason: Failure) -> None:
        self.table.remove(connection)
        super().remove(connection, reason)


def source(echo: Echo) -> str:
    """Return the source of a connection, as defined by `echoproto.addresses.source_of`."""
    host, _ = peer_of(echo.transport.getPeer())
    return source_of(host)
