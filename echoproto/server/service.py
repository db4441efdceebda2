"""
The echo service: listens when it starts, stops listening when it stops, and has all limits in between.
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
"""All of IPv6, and of IPv4, too, if the socket does not leave it alone (RFC 3493, section 5.3)."""

LISTENING = "Listening, server socket fd is {fd}, address {address}, port {port}, reactor {reactor}"


class EchoService(Service):
    """
    Serves an echo at several places at once.

    :param settings: where, and how.
    :param reactor_name: for the log.
    :param reactor: serves it, and tells the time.
    :param check: whether this is to try a start out, after which all is to be as it was before.
    :param open_port: how ports are opened.
    :param certificates: of each TLS listener, in place of what its files hold now.
    :raise ConfigurationError: if it can't be understood where to listen, or ``unix_owner`` names nobody.

    :ivar listeners: where it listens.
    :ivar credentials: of each TLS listener.
    :ivar ports: what is open now, in the order of the listeners.
    :ivar factory: makes the connections.
    :ivar connections: all of them, from accept to end.
    :ivar datagrams: echoes datagrams, if there is a UDP port.
    :ivar events: how much may still be logged of what others bring about.
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
        Read the files of certificates anew, for connections to come.

        :return: their errors; a listener with an error keeps all its old certificates.
        """
        problems: list[EchoError] = []
        for credentials in self.credentials:
            try:
                credentials.renew()
            except EchoError as problem:
                problems.append(problem)
        return problems

    def snapshot(self) -> Snapshot:
        """What has been served, refused, cut and lost up to now."""
        return self._counters.snapshot(self.connections)

    def log_counters(self) -> None:
        """Log the snapshot, as JSON."""
        counters = self.snapshot().as_dict()
        log.info("Counters: {log_json}", event="counters", log_json=json.dumps(counters), **flat(counters))

    def when_reloaded(self) -> Deferred[None]:
        """Fires when what was applied and renewed last holds for all connections to come."""
        return succeed(None)

    def apply(self, settings: Settings) -> list[str]:
        """
        Hold to other settings from here on, as far as they can change; who is connected stays so.

        :return: the names of those that differ, and can't change while the service runs.
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
        Accept nobody any more, have what is in flight come back, and end all connections.

        :return: fires when all of them are gone, after ``drain`` seconds at the latest.
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
        """End all connections at once, whatever is in flight."""
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
    The same, with what IPv6 has beside it.

    A link-local address has its network interface, which Twisted leaves out of UDP's (Twisted #6826). Of a socket on
    all of IPv6, a further field says whether it leaves IPv4 alone.
    """
    fields = _address_of(port.getHost())
    if port.addressFamily == socket.AF_INET6:
        name = port.socket.getsockname()
        fields["address"], _ = socket.getnameinfo(name, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        if fields["address"] == ANY_IPV6:
            fields["ipv6_only"] = bool(port.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
    return fields
