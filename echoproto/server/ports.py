"""
What endpoints listen with: the reactor, but for the ports, which are ours.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.posixbase import PosixReactorBase

from echoproto.server.accepting import Accepting, TCPPort
from echoproto.server.admission import Admission


class PortReactor:
    """
    Stands in for a reactor where an endpoint listens.

    :param reactor: has everything else.
    :param admission: decides for all ports who may come in.
    """

    def __init__(self, reactor: Any, admission: Admission) -> None:
        self._reactor = reactor
        self._admission = admission

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = "", *, ipv6_only: bool = True
    ) -> IListeningPort:
        """See `twisted.internet.interfaces.IReactorTCP`; an IPv6 socket serves IPv4, too, if it is asked to."""
        made = TCPPort(port, factory, backlog, interface, self._reactor)
        made.ipv6_only = ipv6_only
        return self._start(made)

    listenSSL = PosixReactorBase.listenSSL  # which is listenTCP, and TLS around the factory

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: socket.AddressFamily, factory: IProtocolFactory
    ) -> IListeningPort:
        """See `twisted.internet.interfaces.IReactorSocket`."""
        return self._start(TCPPort._fromListeningDescriptor(self._reactor, fileDescriptor, addressFamily, factory))

    def _start(self, port: Accepting) -> IListeningPort:
        port.admission = self._admission
        port.startListening()
        return port
