"""
Listeners of the service, made from the settings, and opened all together or not at all.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet import error
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime, IStreamServerEndpoint
from twisted.python.failure import Failure

from echoproto.datagram import EchoDatagram
from echoproto.errors import ConfigurationError, EchoError, UnavailableError, one_line, quoted
from echoproto.server.counters import Counters
from echoproto.server.log.budget import EventLog
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.endpoints import TCPEndpoint, TLSEndpoint, UDPEndpoint, make_endpoint
from echoproto.server.sockets.endpointstrings import TLS_TYPES, EndpointString, UnknownArgumentError
from echoproto.server.sockets.pemfiles import PEMBlock
from echoproto.server.sockets.ports import Opener, PortReactor, start_listening
from echoproto.server.sockets.socketnames import check_path, socket_name

if TYPE_CHECKING:
    from echoproto.server.sockets.credentials import Credentials

EXAMPLES = {
    "tcp6": r"tcp6:8888:interface=\:\:1",
    "ssl": "ssl:8443:privateKey=key.pem:certKey=cert.pem",
    "tls": "tls:/etc/echo/certificates:8443",
    "unix": "unix:/run/echo/sock:mode=660",
    "systemd": "systemd:domain=INET6:index=0",
}
"""Example of an endpoint string of each type; `EXAMPLE` is for all other types."""

EXAMPLE = "tcp:8888:interface=127.0.0.1"

ADVICE = {
    errno.EADDRINUSE: "stop the program that holds it, or choose another",
    errno.EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE, paths the right to write there",
    errno.EADDRNOTAVAIL: "no network interface of this host has that address",
}

LINK_LOCAL = re.compile("fe[89ab][0-9a-f]:", re.IGNORECASE)
"""Beginning of an address in fe80::/10 (RFC 4291, section 2.5.6)."""


@frozen
class Listener:
    """
    An endpoint, and its description.

    :ivar description: for people: ``port 8888 on all addresses``, or the endpoint string.
    """

    description: str
    endpoint: IStreamServerEndpoint

    @property
    def credentials(self) -> Credentials | None:
        """Return the credentials of a TLS listener."""
        return self.endpoint.credentials if isinstance(self.endpoint, TLSEndpoint) else None


def listeners(
    settings: Settings, reactor: PortReactor, certificates: Sequence[Sequence[PEMBlock]] | None = None
) -> list[Listener]:
    """
    Make the listeners of the settings; nothing is opened yet.

    :param certificates: of each TLS listener, in their order, in place of the content of their files.
    :raise ConfigurationError: if an endpoint string is invalid, or a file, path or descriptor in it can't be used.
    """
    given = iter(certificates) if certificates is not None else None
    found = [_from_string(reactor, description, settings, given) for description in settings.listen]
    descriptors = [each.endpoint.fileno for each in found if isinstance(each.endpoint, AdoptedStreamServerEndpoint)]
    for descriptor in descriptors:
        if descriptors.count(descriptor) > 1:
            raise ConfigurationError(f"descriptor {descriptor}, which was handed over, can't be listened on twice")
    port = settings.served_port
    if port is not None:
        endpoint = TCPEndpoint(reactor, port, settings.interface, settings.backlog)
        found.insert(0, Listener(f"port {port} on {settings.interface or 'all addresses'}", endpoint))
    return found


def _from_string(
    reactor: PortReactor, description: str, settings: Settings, given: Iterator[Sequence[PEMBlock]] | None
) -> Listener:
    try:
        words = EndpointString.parse(description)
        if words.type == "unix":
            check_path(socket_name(words["address"]))
    except ConfigurationError as problem:
        raise ConfigurationError(f"{quoted(description)}: {problem}{_grammar(description, problem)}") from problem
    try:
        blocks = next(given) if given is not None and words.type in TLS_TYPES else None
        endpoint = make_endpoint(reactor, words, backlog=settings.backlog, mode=settings.unix_mode, blocks=blocks)
    except EchoError as problem:
        raise type(problem)(f"{quoted(description)}: {problem}") from problem
    return Listener(one_line(description), endpoint)


def udp_listeners(
    settings: Settings,
    protocol: EchoDatagram,
    counters: Counters,
    reactor: IReactorTime,
    events: EventLog,
    *,
    open_port: Opener = start_listening,
) -> list[Listener]:
    """
    Make the listener for datagrams, if the settings ask for one; nothing is opened yet.

    :param reactor: watches the port.
    :param open_port: opens it.
    """
    if settings.udp is None:
        return []
    where = f"UDP port {settings.udp} on {settings.udp_interface or 'all addresses'}"
    endpoint = UDPEndpoint(protocol, settings.udp, settings.udp_interface, counters, reactor, events, open_port)
    return [Listener(where, endpoint)]


def _grammar(description: str, problem: ConfigurationError) -> str:
    """Return advice on an endpoint string that can't be read; may be empty."""
    if "::" in description:
        return r"; a colon within a value is written \:"
    if isinstance(problem, UnknownArgumentError):
        return ""
    return f"; an endpoint string looks like {EXAMPLES.get(description.partition(':')[0], EXAMPLE)}"


def open_all(listeners: Sequence[Listener], factory: IProtocolFactory) -> list[IListeningPort]:
    """
    Open all listeners, or none.

    :return: the open ports, in the order of the listeners.
    :raise UnavailableError: if one can't be opened; then the others are closed.
    """
    ports: list[IListeningPort] = []
    try:
        for listener in listeners:
            ports.append(_open(listener, factory))  # noqa: PERF401 - if one fails, the open ones have to be known
    except EchoError:
        for port in ports:
            port.stopListening()
        raise
    return ports


def _open(listener: Listener, factory: IProtocolFactory) -> IListeningPort:
    results: list[IListeningPort | Failure] = []
    waiting = listener.endpoint.listen(factory).addBoth(results.append)
    if not results:
        waiting.cancel()
        raise UnavailableError(f"can't listen on {listener.description}: it does not open at once")
    port = results[0]
    if isinstance(port, Failure):
        raise UnavailableError(f"can't listen on {listener.description}: {_reason(port.value)}") from port.value
    return port


def _reason(problem: BaseException | None) -> str:
    """Describe an error, without the numbers and the names of functions in exceptions."""
    interface = ""
    if isinstance(problem, error.CannotListenError):
        interface, problem = problem.interface or "", problem.socketError
    if isinstance(problem, EchoError):
        return str(problem)
    if isinstance(problem, socket.gaierror):
        return _unresolved(interface)
    if isinstance(problem, OSError) and problem.strerror:
        advice = ADVICE.get(problem.errno or 0)
        if problem.errno == errno.EINVAL and LINK_LOCAL.match(interface):
            advice = f"a link-local address needs its network interface, as in {interface}%eth0"
        name = f"{os.fsdecode(problem.filename)}: " if problem.filename else ""
        return name + problem.strerror + (f"; {advice}" if advice else "")
    return str(problem) or type(problem).__name__


def _unresolved(interface: str) -> str:
    """Explain why an address can't be listened on."""
    address, scope, link = interface.partition("%")
    if scope and LINK_LOCAL.match(address):
        return f"this host has no network interface {quoted(link)}"
    if scope and ":" in address:
        return f"only a link-local address has a network interface; write it without %{link}"
    return (
        f"{quoted(interface)} is neither an IP address, such as 127.0.0.1, nor the name of a host that has one of IPv4"
    )
