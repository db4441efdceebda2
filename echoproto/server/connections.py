"""
The connections of a service, from accept to end: one table that limits, counters and whatever shows them read.

An entry is made when a connection is accepted, and is changed when it enters another stage; data that flows changes
nothing here.

========= =================================================== ===========================
stage     begins                                              ends
========= =================================================== ===========================
handshake at accept, where the transport has a handshake      when that is completed
open      at accept without one, and after one                when the service ends it
draining  when the service ends it (`limits.drain`)           when it is gone
========= =================================================== ===========================

From each stage, a connection may also just be gone.
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


@define(eq=False)
class Connection:
    """
    One connection of the service.

    :ivar echo: its protocol, which counts its bytes.
    :ivar number: counts connections from 1, in the order in which they were accepted.
    :ivar stage: its stage now.
    :ivar since: when it has entered that, in seconds of the service's clock.
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
        """Return the source that limits count it under; all Unix sockets are one."""
        return source(self.echo)


class Connections(dict[Echo, Connection]):
    """
    The table, in the order of accept.

    :param seconds: a clock, in seconds, that never runs backwards.

    :ivar accepted: the number of connections so far.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__()
        self._seconds = seconds
        self.accepted = 0

    def add(self, echo: Echo) -> None:
        """Enter a connection that was accepted, into its first stage."""
        self.accepted += 1
        stage = Stage.OPEN if echo.opens_when_made else Stage.HANDSHAKE
        self[echo] = Connection(echo, self.accepted, stage, self._seconds())

    def enter(self, echo: Echo, stage: Stage) -> None:
        """Have a connection enter a stage, unless it is there already, or gone."""
        connection = self.get(echo)
        if connection is not None and connection.stage is not stage:
            connection.stage = stage
            connection.since = self._seconds()

    def remove(self, echo: Echo) -> None:
        """Take out a connection that is gone; one that was never accepted is none."""
        self.pop(echo, None)


class ConnectionFactory(EchoFactory):
    """
    Make the connections of a service, and keep them in a table, ahead of what observers are told.

    :param seconds: a clock, in seconds, that never runs backwards.

    :ivar table: all connections.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__(seconds=seconds)
        self.table = Connections(seconds)

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
    """Return the source of a connection, see `echoproto.addresses.source_of`."""
    host, _ = peer_of(echo.transport.getPeer())
    return source_of(host)
