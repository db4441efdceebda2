"""
What endpoints listen with: the reactor, but for the ports, which are ours.
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
"""Opens a port that was made: a `TCPPort`, `AdmittingUnixPort` or `EchoDatagramPort`."""


def start_listening(port: Any) -> None:
    """Open a port as ever, and read from it."""
    port.startListening()


class AdmittingUnixPort(Accepting, UnixPort):
    """A `UnixPort` that asks who may come in."""

    transport = UnixConnection


class PortReactor:
    """
    Stands in for a reactor where an endpoint listens.

    :param reactor: has everything else.
    :param admission: decides for all ports who may come in.
    :param at_once: whether connections write at once, or as Twisted's own do.
    :param owner: user and group ID of the files of Unix sockets, as `UnixPort` has them.
    :param put_back: whether stale files of Unix sockets are put back at the end, as `UnixPort` has it.
    :param open_port: how ports are opened.
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
        """See `twisted.internet.interfaces.IReactorTCP`; an IPv6 socket serves IPv4, too, if it is asked to."""
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
        See `twisted.internet.interfaces.IReactorUNIX`.

        :param wantPID: of no use: whether a server lives is asked of its socket, not of a lock file.
        """
        return self._start(
            AdmittingUnixPort(
                address, factory, backlog, mode, self._reactor, owner=self._owner, put_back=self._put_back
            )
        )

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: socket.AddressFamily, factory: IProtocolFactory
    ) -> IListeningPort:
        """See `twisted.internet.interfaces.IReactorSocket`; the file of a Unix socket is left alone."""
        if addressFamily == socket.AF_UNIX:
            return self._start(AdmittingUnixPort._fromListeningDescriptor(self._reactor, fileDescriptor, factory))
        return self._start(TCPPort._fromListeningDescriptor(self._reactor, fileDescriptor, addressFamily, factory))

    def _start(self, port: Accepting) -> IListeningPort:
        port.admission = self._admission
        if not self._at_once:
            port.transport = BufferedUnixConnection if isinstance(port, UnixPort) else BufferedTCPConnection
        self._open_port(port)
        if self._at_once and not isinstance(port, UnixPort):
            # What is written at once is to leave at once, and not wait as Nagle has it; connections inherit that.
            port.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return port
