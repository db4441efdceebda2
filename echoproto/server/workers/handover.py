"""
Sockets of workers: the service opens them, and workers take them over.

The service opens all sockets before it starts a worker, while it may still open privileged ports, and keeps them open
and unread. So it detects a port in use, all workers have the same port where the system picks one, and a new worker
needs no privileges. Clients that wait to be accepted by a worker are accepted by its successor.
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
"""Time in seconds that connections may wait for a worker; if it takes longer, they are for the others."""


def kernel_balances() -> bool:
    """
    Tell if the kernel spreads connections over sockets on one port, by SO_REUSEPORT.

    Systems other than Linux have that option, too, and give all connections to the socket that came last.
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
class _SharedPort:
    """
    A port that workers serve.

    :ivar sockets: one for each worker, or one for all of them.
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
    Open ports for workers.

    :ivar workers: number of workers.
    :ivar balance: each worker has sockets of its own, where that is possible; see `kernel_balances`.
    """

    workers: int
    balance: bool
    _places: list[_SharedPort] = field(factory=list)
    _resting: set[int] = field(factory=set)

    def open(self, port: Any) -> None:
        """
        Open a port, and leave reading to the workers.

        :param port: as an `Opener` has it.
        :raise CannotListenError: if the port can't be opened.
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
        self._places.append(_SharedPort(port, group or [port.socket]))

    def descriptors(self, worker: int) -> list[int]:
        """Return the sockets of a worker, in the order in which the ports were opened."""
        return [place.of(worker).fileno() for place in self._places]

    def ways(self) -> list[str]:
        """Describe the way in which the workers share each port, in that order."""
        return ["each its own socket, by SO_REUSEPORT" if place.own else "one shared socket" for place in self._places]

    def rest(self, worker: int) -> None:
        """
        Have the kernel send no connections to a worker that is absent for a while.

        Connections that wait to be accepted are refused, unless Linux's net.ipv4.tcp_migrate_req moves them to other
        workers. Datagrams wait for the worker.
        """
        self._resting.add(worker)
        for place in self._of_tcp():
            with suppress(OSError):  # it has just been closed
                place.of(worker).shutdown(socket.SHUT_RDWR)

    def resume(self, worker: int) -> None:
        """Have the kernel send connections to a worker again."""
        if worker in self._resting:
            self._resting.remove(worker)
            for place in self._of_tcp():
                place.of(worker).listen(place.port.backlog)

    def _of_tcp(self) -> list[_SharedPort]:
        return [place for place in self._places if place.own and isinstance(place.port, TCPPort)]

    def close(self) -> None:
        """Close the sockets that the ports themselves do not."""
        for place in self._places:
            for skt in place.sockets[1:]:
                skt.close()


def _open_group(port: Any, count: int) -> list[socket.socket]:
    """
    Open several sockets on one address.

    :raise CannotListenError: if the address can't be used.
    """
    group: list[socket.socket] = []
    try:
        with port.createInternetSocket() as alone:
            # Without SO_REUSEPORT, to detect another program on the port, even one with SO_REUSEPORT, as another
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
    Open ports with the sockets that were handed over.

    :param descriptors: of the sockets, in the order in which the ports are going to be opened.
    """

    def __init__(self, descriptors: Iterable[int]) -> None:
        self._sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]

    def open(self, port: Any) -> None:
        """
        Have a port read from the next socket, whatever its own address.

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
