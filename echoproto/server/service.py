"""
The echo service: listens when it starts, stops listening when it stops.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.logger import Logger

from echoproto.protocol import EchoFactory
from echoproto.server.listeners import Listener, open_all

log = Logger("echoproto")


class EchoService(Service):
    """
    Serves an echo at several places at once.

    :param listeners: where.
    :param factory: makes the connections.
    :param reactor_name: for the log.

    :ivar ports: what is open now, in the order of the listeners.
    """

    def __init__(self, listeners: Sequence[Listener], factory: EchoFactory, reactor_name: str) -> None:
        self.listeners = listeners
        self.factory = factory
        self.reactor_name = reactor_name
        self.ports: list[IListeningPort] = []

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
        """Close the listeners; the Deferred fires when they are closed."""
        super().stopService()
        ports, self.ports = self.ports, []
        return gatherResults([maybeDeferred(port.stopListening) for port in ports])  # type: ignore[call-overload]


def _address_of(host: IAddress) -> dict[str, object]:
    """Where a port listens, as fields of a log event: a Unix socket has a path and no port."""
    name = getattr(host, "name", None)
    if name is not None:
        return {"address": name.decode("utf-8", "backslashreplace"), "port": None}
    return {"address": getattr(host, "host", "?"), "port": getattr(host, "port", None)}
