"""
The sockets that workers serve: how the service opens them, and how a worker takes them over.

The service opens all of them before there is any worker, while it may still open privileged ports, and keeps them open
and unread. So it notices a port in use as ever, all workers have the same port where the system picks one, and a worker
that is replaced needs no privileges; who waited to be accepted by it is accepted by its successor.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from attrs import define, field
from twisted.internet.error import CannotListenError

from echoproto.server.sockets.accept import TCPPort, bound_address
from echoproto.server.sockets.udp import EchoDatagramPort

SHORT_SECONDS = 1
"""So long, connections may wait for a worker; if it takes longer, they are for the others."""


def kernel_balances() -> bool:
    """
    Whether the kernel spreads connections over sockets on one port, by SO_REUSEPORT.

    Other systems than Linux have that option, too, and give all connections to the one socket that came last.
    """
    if not sys.platform.startswith("linux"):
        return False
    with socket.socket() as skt:
        try:
            skt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        except OSError:
            return False
    return True


@define
class _Place:
    """
    One place to listen at.

    :ivar sockets: one for each worker, or the one for all of them.
    """

    port: Any
    sockets: list[socket.socket]

    @property
    def own(self) -> bool:
        return len(self.sockets) > 1

    def of(self, worker: int) -> socket.socket:
        return self.sockets[worker if self.own else 0]


@define
class Handover:
    """
    Opens ports for workers.

    :ivar workers: how many there are.
    :ivar balance: whether each has sockets of its own, as far as that can be; see `kernel_balances`.
    """

    workers: int
    balance: bool
    _places: list[_Place] = field(factory=list)
    _resting: set[int] = field(factory=set)

    def open(self, port: Any) -> None:
        """
        Open a port, and leave it to the workers to read from it.

        :param port: as an `Opener` has it.
        :raise CannotListenError: if it can't be opened.
        """
        group: list[socket.socket] = []
        handed_over = port._preexistingSocket is not None
        if self.balance and self.workers > 1 and not handed_over and isinstance(port, TCPPort | EchoDatagramPort):
            group = _open_group(port, self.workers)
            port._preexistingSocket = group[0]
        port.startListening()
        port.stopReading()
        port._shouldShutdown = False  # the workers' are the same sockets, and end by themselves
        if isinstance(port, EchoDatagramPort):
            port.served = False
        self._places.append(_Place(port, group or [port.socket]))

    def descriptors(self, worker: int) -> list[int]:
        """What a worker is handed, in the order in which the ports were opened."""
        return [place.of(worker).fileno() for place in self._places]

    def ways(self) -> list[str]:
        """How the workers share each place, in words, in that order."""
        return ["each its own socket, by SO_REUSEPORT" if place.own else "one shared socket" for place in self._places]

    def rest(self, worker: int) -> None:
        """
        There is no such worker for a while: have the kernel send nobody to it.

        Who waits to be accepted is turned away, unless Linux's net.ipv4.tcp_migrate_req moves them to other workers.
        Of UDP, there is no such thing: datagrams wait for it.
        """
        self._resting.add(worker)
        for place in self._of_tcp():
            with suppress(OSError):  # it has just been closed
                place.of(worker).shutdown(socket.SHUT_RDWR)

    def resume(self, worker: int) -> None:
        """There is one again."""
        if worker in self._resting:
            self._resting.remove(worker)
            for place in self._of_tcp():
                place.of(worker).listen(place.port.backlog)

    def _of_tcp(self) -> list[_Place]:
        return [place for place in self._places if place.own and isinstance(place.port, TCPPort)]

    def close(self) -> None:
        """Close what the ports themselves do not."""
        for place in self._places:
            for skt in place.sockets[1:]:
                skt.close()


def _open_group(port: Any, count: int) -> list[socket.socket]:
    """
    Open as many sockets on one address.

    :raise CannotListenError: if that can't be.
    """
    group: list[socket.socket] = []
    try:
        with port.createInternetSocket() as alone:
            # Without SO_REUSEPORT, to find out whether another program has it, even one with SO_REUSEPORT, as another
            # instance of this one. (Two that start at the same instant would both get through.)
            alone.bind(bound_address(port, port.port))
            number = alone.getsockname()[1]
            if port.port:
                alone.close()
            else:
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # keeps the number until the others have it
            for _ in range(count):
                group.append(skt := port.createInternetSocket())
                skt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                skt.bind(bound_address(port, number))
        if isinstance(port, TCPPort):
            for skt in group:
                skt.listen(port.backlog)
    except OSError as problem:
        for skt in group:
            skt.close()
        raise CannotListenError(port.interface, port.port, problem) from problem
    return group


class Inheritance:
    """
    Opens ports with the sockets that were handed over.

    :param descriptors: theirs, in the order in which the ports are going to be opened.
    """

    def __init__(self, descriptors: Iterable[int]) -> None:
        self._sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]

    def open(self, port: Any) -> None:
        """
        Have a port read from the next socket, wherever it was to listen.

        :raise CannotListenError: if that socket is of another family, as where a system has no IPv6.
        """
        skt = self._sockets[0]
        if skt.family != port.addressFamily:
            problem = OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
            raise CannotListenError(port.interface, port.port, problem)
        del self._sockets[0]
        skt.setblocking(False)
        port._preexistingSocket = skt
        port.startListening()
