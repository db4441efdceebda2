"""
Endpoints of TCP, TLS, Unix sockets and UDP, made from endpoint strings and settings.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet import error
from twisted.internet.defer import Deferred, execute
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, UNIXServerEndpoint
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime, IStreamServerEndpoint
from zope.interface import implementer

from echoproto.datagram import EchoDatagram
from echoproto.errors import UnavailableError, not_installed
from echoproto.server.counters import Counters
from echoproto.server.log.budget import EventLog
from echoproto.server.sockets.activation import check_descriptor, descriptor_of
from echoproto.server.sockets.endpointstrings import EndpointString
from echoproto.server.sockets.pemfiles import PEMBlock, PEMFiles, PEMFolder
from echoproto.server.sockets.ports import Opener, PortReactor, start_listening
from echoproto.server.sockets.socketnames import socket_name
from echoproto.server.sockets.udp import EchoDatagramPort

if TYPE_CHECKING:
    from echoproto.server.sockets.credentials import Credentials

WITHOUT_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EINVAL, errno.ENOPROTOOPT)
"""Errors of a system without IPv6, or one that keeps it apart from IPv4 (OpenBSD)."""


@implementer(IStreamServerEndpoint)
@frozen
class TCPEndpoint:
    """
    Listen on one TCP port with one socket.

    :ivar interface: an IP address; ``0.0.0.0`` for all of IPv4, ``::`` for all of IPv6, empty for both at once.
    :ivar port: 0 to 65535; 0 for one that the system picks.
    """

    reactor: PortReactor
    port: int
    interface: str
    backlog: int

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; the Deferred has its result already."""
        listen = partial(self.reactor.listenTCP, self.port, protocolFactory, self.backlog)
        return execute(open_on, self.interface, listen)


@implementer(IStreamServerEndpoint)
@frozen
class TLSEndpoint:
    """
    Listen with TLS.

    :ivar tcp: the endpoint below it.
    """

    tcp: TCPEndpoint
    credentials: Credentials

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; the Deferred has its result already."""
        from echoproto.server.sockets.tls import EchoTLSFactory

        clock: Any = self.tcp.reactor
        return self.tcp.listen(EchoTLSFactory(self.credentials, False, protocolFactory, clock))


@implementer(IStreamServerEndpoint)
@frozen
class UDPEndpoint:
    """
    Open the UDP port together with the listeners of streams, so that all of them open, or none.

    :ivar interface: an IP address; ``0.0.0.0`` for all of IPv4, ``::`` for all of IPv6, empty for both at once.
    :ivar port: 0 to 65535; 0 for one that the system picks.
    """

    protocol: EchoDatagram
    port: int
    interface: str
    counters: Counters
    reactor: IReactorTime
    events: EventLog
    open_port: Opener = start_listening

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; the Deferred has its result already. The factory is for streams, and has no part in it."""
        return execute(open_on, self.interface, self._open)

    def _open(self, interface: str, *, ipv6_only: bool) -> IListeningPort:
        port = EchoDatagramPort(
            self.port,
            self.protocol,
            interface,
            ipv6_only=ipv6_only,
            counters=self.counters,
            reactor=self.reactor,
            events=self.events,
        )
        self.open_port(port)
        return port


def open_on(interface: str, open_port: Callable[..., IListeningPort]) -> IListeningPort:
    """
    Open one port, on both IPv6 and IPv4 where no interface is named and the system has both.

    :param interface: an IP address; ``0.0.0.0`` for all of IPv4, ``::`` for all of IPv6, empty for both at once.
    :param open_port: takes an address, and ``ipv6_only``, by which an IPv6 socket does not serve IPv4.
    """
    if interface:
        return open_port(interface, ipv6_only=True)
    try:
        return open_port("::", ipv6_only=False)
    except error.CannotListenError as problem:
        if getattr(problem.socketError, "errno", None) not in WITHOUT_IPV6:
            raise
        return open_port("0.0.0.0", ipv6_only=True)  # noqa: S104 - all addresses are what was asked for


def make_endpoint(
    reactor: PortReactor, words: EndpointString, *, backlog: int, mode: str, blocks: Sequence[PEMBlock] | None = None
) -> IStreamServerEndpoint:
    """
    Make an endpoint; nothing is opened yet.

    :param backlog: default of the string's.
    :param mode: permissions of a Unix socket, in octal; default of the string's.
    :param blocks: in place of the content of a TLS endpoint's files.
    :raise ConfigurationError: if a file, path or descriptor can't be used.
    :raise UnavailableError: if the extra for TLS is missing.
    """
    backlog = int(words["backlog"] or backlog)
    if words.type == "unix":
        return UNIXServerEndpoint(
            reactor, socket_name(words["address"]), backlog, int(words["mode"] or mode, 8), wantPID=False
        )
    if words.type == "systemd":
        descriptor = descriptor_of(words["index"], words["name"])
        check_descriptor(descriptor, words["domain"])
        return AdoptedStreamServerEndpoint(reactor, descriptor, socket.AddressFamily[f"AF_{words['domain']}"])
    tcp = TCPEndpoint(reactor, int(words["port"]), words["interface"], backlog)
    if words.type in ("tls", "ssl"):
        return TLSEndpoint(tcp, _credentials(words, blocks))
    return tcp


def _credentials(words: EndpointString, blocks: Sequence[PEMBlock] | None) -> Credentials:
    try:
        from echoproto.server.sockets.credentials import Credentials
    except ImportError as problem:
        raise UnavailableError(not_installed("pyOpenSSL", "tls")) from problem
    if words.type == "tls":
        return Credentials(PEMFolder(words["path"]), blocks)
    key = words["privateKey"]
    paths = [words["certKey"] or key, key, *filter(None, [words["extraCertChain"]])]
    return Credentials(PEMFiles(paths), blocks, method=words["sslmethod"], dh_parameters=words["dhParameters"])
