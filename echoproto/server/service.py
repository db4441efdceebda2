"""
The echo service: listens when it starts, stops listening when it stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IListeningPort, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from echoproto.protocol import EchoFactory
from echoproto.server.connectionlog import ConnectionLog
from echoproto.server.counters import Counters
from echoproto.server.drain import close_if_delivered, drain
from echoproto.server.eventlog import EventLog
from echoproto.server.listeners import Listener, open_all
from echoproto.server.settings import Settings

log = Logger("echoproto")

SWEEP_SECONDS = 0.05
"""How often it looks who has everything; a peer may take 40 ms to confirm what it has (delayed ACK, RFC 1122)."""


class EchoService(Service):
    """
    Serves an echo at several places at once.

    :param listeners: where.
    :param settings: how.
    :param reactor_name: for the log.
    :param clock: the reactor, or what stands in for its time.

    :ivar ports: what is open now, in the order of the listeners.
    :ivar factory: makes the connections, and knows them.
    :ivar counters: what has happened so far.
    :ivar events: how much may still be logged of what others bring about.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        settings: Settings,
        reactor_name: str,
        clock: IReactorTime,
    ) -> None:
        self.listeners = listeners
        self.settings = settings
        self.reactor_name = reactor_name
        self.clock = clock
        self.ports: list[IListeningPort] = []
        self.counters = Counters()
        self.events = EventLog(clock, settings.log_rate)
        self.connection_log = ConnectionLog(self.events, enabled=settings.log_connections)
        self.factory = EchoFactory(
            settings.greeting_bytes, observers=(self.counters, self.connection_log), seconds=clock.seconds
        )

    def privilegedStartService(self) -> None:
        """
        Open all listeners, while the process may still open privileged ports.

        :raise UnavailableError: if one of them can't be opened; then none is.
        """
        super().privilegedStartService()
        self._open()

    def startService(self) -> None:
        """The same for runners that do not call ``privilegedStartService``, such as ``twist``."""
        if not self.ports:
            self._open()
        super().startService()

    def _open(self) -> None:
        self.ports = open_all(self.listeners, self.factory)
        for port in self.ports:
            log.info(
                "Listening, server socket fd is {fd}, address {address}, port {port}, reactor {reactor}",
                fd=port.fileno(),  # type: ignore[attr-defined]
                reactor=self.reactor_name,
                **_address_of(port.getHost()),
            )

    def stopService(self) -> Deferred[list[None]]:
        """
        Accept nobody any more, have what is in flight come back, and end all connections.

        :return: fires when all of them are gone, after ``drain`` seconds at the latest.
        """
        super().stopService()
        ports, self.ports = self.ports, []
        ended: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in ports]
        if self.factory.connections:
            log.info(
                "Waiting up to {seconds} s for {count} connections to end",
                seconds=self.settings.drain,
                count=len(self.factory.connections),
            )
            for connection in list(self.factory.connections):
                connection.ended_by = connection.ended_by or "stop"
                drain(connection)
            sweep = LoopingCall(self._close_delivered)
            sweep.clock = self.clock
            sweep.start(SWEEP_SECONDS, now=False)
            deadline = self.clock.callLater(self.settings.drain, self.abort)
            ended.append(self.factory.when_empty().addCallback(lambda _: _end(sweep, deadline)))
        return gatherResults(ended)

    def _close_delivered(self) -> None:
        for connection in list(self.factory.connections):
            close_if_delivered(connection)

    def abort(self) -> None:
        """End all connections at once, whatever is in flight."""
        for connection in list(self.factory.connections):
            connection.ended_by = "drain"
            connection.transport.abortConnection()


def _end(sweep: LoopingCall, deadline: IDelayedCall) -> None:
    if sweep.running:
        sweep.stop()
    if deadline.active():
        deadline.cancel()


def _address_of(host: IAddress) -> dict[str, object]:
    """Where a port listens, as fields of a log event: a Unix socket has a path and no port; @ stands for a NUL."""
    name = getattr(host, "name", None)
    if name is not None:
        name = name.replace(b"\0", b"@")
        return {"address": name.decode("utf-8", "backslashreplace"), "port": None}
    return {"address": getattr(host, "host", "?"), "port": getattr(host, "port", None)}
