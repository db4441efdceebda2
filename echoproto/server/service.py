"""
The echo service: it opens its listeners at the start, applies the limits, and drains its connections at the stop.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.logger import Logger

from echoproto.datagram import EchoDatagram
from echoproto.errors import EchoError, one_line
from echoproto.server.connections import ConnectionFactory
from echoproto.server.counters import Counters, Snapshot, flat
from echoproto.server.limits.admission import Admission
from echoproto.server.limits.deadlines import Deadlines
from echoproto.server.limits.descriptors import descriptor_budget
from echoproto.server.limits.drain import Drainer
from echoproto.server.log.budget import EventLog
from echoproto.server.log.connections import ConnectionLog
from echoproto.server.settings.table import Settings, table
from echoproto.server.sockets.listeners import listeners, open_all, udp_listeners
from echoproto.server.sockets.pemfiles import PEMBlock
from echoproto.server.sockets.ports import Opener, PortReactor, start_listening
from echoproto.server.sockets.socketfile import owner_ids
from echoproto.server.sockets.socketnames import shown_name
from echoproto.server.sockets.udp import LISTENING_FOR_UDP, EchoDatagramPort, limit

log = Logger("echoproto")

ANY_IPV6 = "::"
"""All IPv6 addresses, and all of IPv4, too, unless the socket is for IPv6 only (RFC 3493, section 5.3)."""

LISTENING = "Listening, server socket fd is {fd}, address {address}, port {port}, reactor {reactor}"


class EchoService(Service):
    """
    Serve an echo on all listeners of the settings.

    :param settings: the listeners and limits.
    :param reactor_name: name of the reactor, for the log.
    :param reactor: the reactor that serves the listeners; its clock is the service's.
    :param check: true for a trial start, which leaves no trace.
    :param open_port: the function that opens a port.
    :param certificates: PEM blocks of each TLS listener; ``None`` to read its files.
    :raise ConfigurationError: if a listener is invalid, or the user or group of ``unix_owner`` does not exist.

    :ivar listeners: all listeners.
    :ivar credentials: the credentials of each TLS listener.
    :ivar ports: the open ports, in the order of the listeners.
    :ivar factory: factory of the connections.
    :ivar connections: all connections, from accept to end.
    :ivar datagrams: the echo of all UDP ports.
    :ivar events: the log budget of events that peers cause.
    """

    def __init__(
        self,
        settings: Settings,
        reactor_name: str,
        reactor: Any,
        *,
        check: bool = False,
        open_port: Opener = start_listening,
        certificates: Sequence[Sequence[PEMBlock]] | None = None,
    ) -> None:
        self.settings = settings
        self.reactor_name = reactor_name
        self.ports: list[IListeningPort] = []
        self.events = EventLog(reactor)
        self._counters = Counters()
        self.factory = ConnectionFactory(reactor.seconds)
        self.connections = self.factory.table
        self._drainer = Drainer(reactor, self.connections)
        self._admission = Admission(settings, reactor, self.connections, self._counters, self.events)
        self._deadlines = Deadlines(settings, reactor, self.connections, self._drainer)
        self._connection_log = ConnectionLog(self.events)
        self.factory.observers = (self._counters, self._admission, self._deadlines, self._connection_log)
        self.datagrams = EchoDatagram(self._counters, seconds=reactor.seconds)
        self._apply()
        ports = PortReactor(
            reactor,
            self._admission,
            at_once=settings.writes == "at-once",
            owner=owner_ids(settings.unix_owner),
            put_back=check,
            open_port=open_port,
        )
        self.listeners = [
            *listeners(settings, ports, certificates),
            *udp_listeners(settings, self.datagrams, self._counters, reactor, self.events, open_port=open_port),
        ]
        self.credentials = [each.credentials for each in self.listeners if each.credentials is not None]

    def privilegedStartService(self) -> None:
        """
        Open all listeners, while the process still may open privileged ports.

        :raise UnavailableError: if a listener can't be opened; all others are closed again.
        """
        super().privilegedStartService()
        self._open()

    def startService(self) -> None:
        """Open all listeners if the runner does not call ``privilegedStartService``, such as ``twist``."""
        if not self.ports:
            self._open()
        super().startService()

    def _open(self) -> None:
        self.ports = open_all(self.listeners, self.factory)
        self._set_budget()
        self._log_ports()

    def _set_budget(self) -> None:
        self._admission.budget = descriptor_budget()
        self._admission.apply(self.settings)

    def _log_ports(self) -> None:
        for port in self.ports:
            fields = _place_of(port)
            udp = isinstance(port, EchoDatagramPort)
            log.info(
                LISTENING_FOR_UDP if udp else LISTENING + " (IPv6 only)" * bool(fields.get("ipv6_only")),
                event="listening-udp" if udp else "listening",
                fd=port.fileno(),  # type: ignore[attr-defined]
                **fields,
                reactor=self.reactor_name,
            )
        for warning in self.warnings():
            log.warn("{problem}", event="certificate-warning", problem=warning)

    def warnings(self) -> list[str]:
        """Return a warning line for each problem of a certificate that is served nonetheless."""
        return [one_line(warning) for each in self.credentials for warning in each.warnings()]

    def renew_certificates(self) -> list[EchoError]:
        """
        Reload the certificate files, for new connections.

        :return: the errors; a listener with an error keeps all its old certificates.
        """
        problems: list[EchoError] = []
        for credentials in self.credentials:
            try:
                credentials.renew()
            except EchoError as problem:
                problems.append(problem)
        return problems

    def snapshot(self) -> Snapshot:
        """Return the current values of all counters."""
        return self._counters.snapshot(self.connections)

    def log_counters(self) -> None:
        """Log all counters as JSON."""
        counters = self.snapshot().as_dict()
        log.info("Counters: {log_json}", event="counters", log_json=json.dumps(counters), **flat(counters))

    def when_reloaded(self) -> Deferred[None]:
        """Return a Deferred that fires when the last reload holds for all new connections."""
        return succeed(None)

    def apply(self, settings: Settings) -> list[str]:
        """
        Apply other settings, as far as they can change at run time; open connections stay.

        :return: the names of the changed settings that need a restart.
        """
        changed = [
            setting
            for setting in table()
            if getattr(settings, setting.field_name) != getattr(self.settings, setting.field_name)
        ]
        live = {each.field_name: getattr(settings, each.field_name) for each in changed if each.live}
        self.settings = attrs.evolve(self.settings, **live)
        self._admission.apply(self.settings)
        self._apply()
        return [setting.name for setting in changed if not setting.live]

    def _apply(self) -> None:
        self.factory.greeting = self.settings.greeting_bytes
        limit(self.datagrams, self.settings)
        self.events.rate = self.settings.log_rate
        self._deadlines.settings = self.settings
        self._connection_log.enabled = self.settings.log_connections

    def stopService(self) -> Deferred[list[None]]:
        """
        Close all listeners, echo the data in flight, and end all connections.

        :return: fires when all connections are gone, after ``drain`` seconds at the latest.
        """
        super().stopService()
        ports, self.ports = self.ports, []
        ended: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in ports]
        if self.connections:
            count = len(self.connections)
            log.info(
                "Waiting up to {seconds} s for {count} {log_noun} to end",
                event="draining",
                seconds=self.settings.drain,
                count=count,
                log_noun="connection" if count == 1 else "connections",
            )
            for connection in list(self.connections):
                self._drainer.add(connection, self.settings.drain, "stop")
            ended.append(self.factory.when_empty())
        return gatherResults(ended)

    def abort(self) -> None:
        """Abort all connections at once; data in flight is lost."""
        for connection in list(self.connections):
            connection.ended_by = "drain"
            connection.transport.abortConnection()


def _address_of(host: IAddress) -> dict[str, object]:
    """Return a port's address as fields of a log event: a Unix socket has a path and no port."""
    name = getattr(host, "name", None)
    if name is not None:
        return {"address": shown_name(name), "port": None}
    return {"address": getattr(host, "host", "?"), "port": getattr(host, "port", None)}


def _place_of(port: Any) -> dict[str, object]:
    """
    Return a port's address as fields of a log event, with the details of IPv6.

    A link-local address includes its network interface, which Twisted omits for UDP (Twisted #6826). For a socket on
    all IPv6 addresses, the field ``ipv6_only`` is true if it does not accept IPv4.
    """
    fields = _address_of(port.getHost())
    if port.addressFamily == socket.AF_INET6:
        name = port.socket.getsockname()
        fields["address"], _ = socket.getnameinfo(name, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        if fields["address"] == ANY_IPV6:
            fields["ipv6_only"] = bool(port.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
    return fields
