"""
The reactor as endpoints see it, with this package's ports.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from echoproto.server.limits.admission import Admission
from echoproto.server.sockets.accept import Accepting, TCPPort
from echoproto.server.sockets.connection import BufferedTCPConnection, BufferedUnixConnection, UnixConnection
from echoproto.server.sockets.unix import MODE, UnixPort

Opener = Callable[[Any], None]
"""Function that opens a port: a `TCPPort`, `AdmittingUnixPort` or `EchoDatagramPort`."""


def start_listening(port: Any) -> None:
    """Open a port, and read from it."""
    port.startListening()


class AdmittingUnixPort(Accepting, UnixPort):
    """A `UnixPort` with admission."""

    transport = UnixConnection


class PortReactor:
    """
    A reactor whose ports are this package's own.

    :param reactor: for everything else.
    :param admission: of all ports.
    :param at_once: connections write at once, rather than in the next turn as Twisted's do.
    :param owner: user and group ID of the files of Unix sockets, see `UnixPort`.
    :param put_back: put stale files of Unix sockets back at the end, see `UnixPort`.
    :param open_port: opens a port.
    """

    def __init__(
        self,
        reactor: Any,
        admission: Admission,
        *,
        at_once: bool = True,
        owner: tuple[int, int] | None = None,
        put_back: bool = False,
        open_port: Opener = start_listening,
    ) -> None:
        self._open_port = open_port
        self._at_once = at_once
        self._reactor = reactor
        self._admission = admission
        self._owner = owner
        self._put_back = put_back

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = "", *, ipv6_only: bool = True
    ) -> IListeningPort:
        """Listen as `IReactorTCP` has it; an IPv6 socket serves IPv4, too, unless it is ``ipv6_only``."""
        made = TCPPort(port, factory, backlog, interface, self._reactor)
        made.ipv6_only = ipv6_only
        return self._start(made)

    def listenUNIX(
        self,
        address: bytes | str,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = MODE,
        wantPID: bool = False,
    ) -> IListeningPort:
        """
        Listen as `IReactorUNIX` has it.

        :param wantPID: ignored: a connection attempt tells if a server lives, not a lock file.
        """
        return self._start(
            AdmittingUnixPort(
                address, factory, backlog, mode, self._reactor, owner=self._owner, put_back=self._put_back
            )
        )

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: socket.AddressFamily, factory: IProtocolFactory
    ) -> IListeningPort:
        """Adopt a port as `IReactorSocket` has it; the file of a Unix socket stays as it is."""
        if addressFamily == socket.AF_UNIX:
            return self._start(AdmittingUnixPort._fromListeningDescriptor(self._reactor, fileDescriptor, factory))
        return self._start(TCPPort._fromListeningDescriptor(self._reactor, fileDescriptor, addressFamily, factory))

    def _start(self, port: Accepting) -> IListeningPort:
        port.admission = self._admission
        if not self._at_once:
            port.transport = BufferedUnixConnection if isinstance(port, UnixPort) else BufferedTCPConnection
        self._open_port(port)
        if self._at_once and not isinstance(port, UnixPort):
            # No delay by Nagle's algorithm for data that is written at once; connections inherit the option.
            port.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return port
