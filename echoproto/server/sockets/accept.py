"""
Ports that ask who may come in, count whom they turn away, and outlive it when accept(2) fails.

Twisted's own ports close whom they have no descriptor for without anybody knowing, log a line for each of them, and try
again at once, and for ever, when accept(2) fails for want of memory (`twisted.internet.tcp._accept`).
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from echoproto.addresses import without_mapping
from echoproto.server.limits.admission import Admission
from echoproto.server.log.faults import log_fault
from echoproto.server.sockets.connection import TCPConnection

log = Logger("echoproto")

EXHAUSTED = (errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""The system has not enough of something; it will not have it the very next moment either (accept(2))."""

PAUSE_SECONDS = 0.1
"""How long a port rests then."""

REST_SECONDS = 0.01
"""How long it rests at least when too many come at once: not a timer for each of thousands a second."""


class Accepting(tcp.Port):
    """
    What the ports have in common. Set ``admission`` before it listens.

    :ivar admission: decides who may come in.
    """

    admission: Admission
    _resting: IDelayedCall | None = None
    _spare: int | None = None

    def startListening(self) -> None:
        """Listen, and keep a descriptor in reserve, to turn somebody away with when there is no other left."""
        super().startListening()
        self._spare = _reserve()

    def doRead(self) -> None:
        """Accept those who wait, as far as there is room for them now; a fault must not close the port."""
        try:
            self._accept()
        except Exception:
            self._count_fault()
            self._rest(PAUSE_SECONDS)

    def _count_fault(self) -> None:
        failure = Failure()
        self.admission.counters.count_error(type(failure.value).__name__)
        log_fault(self.admission.events, "accepting", failure)

    def _accept(self) -> None:
        wanted = self.admission.room(self.numberAccepts)
        accepted = 0
        while accepted < wanted:
            try:
                skt, address = self.socket.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if not self._outlive(error):
                    return
            else:
                self._serve(skt, address)
            accepted += 1
        if accepted == wanted < self.numberAccepts:
            self._rest(max(REST_SECONDS, self.admission.wait()))
        else:  # as many as there were are expected next time, and more if that was not enough
            self.numberAccepts = accepted + 20 if accepted == self.numberAccepts else max(1, accepted)

    def _serve(self, skt: socket.socket, address: Any) -> None:
        """Have a connection made of a socket, or close it."""
        transport = None
        try:
            host, address = self._who(address)
            if not self.admission.admit(host):
                skt.close()
                return
            factory: Any = self.factory
            protocol = factory.buildProtocol(self._buildAddr(address))
            transport = self.transport(skt, protocol, address, self, self.sessionno, self.reactor)
            self.sessionno += 1
            protocol.makeConnection(transport)
        except Exception:  # it must not take the others with it, nor the port
            self._count_fault()
            if transport is None:
                skt.close()
            else:
                transport.protocol = getattr(protocol, "wrappedProtocol", protocol)  # TLS may be half made
                transport.abortConnection()

    def _who(self, address: Any) -> tuple[str | None, Any]:
        """The IP address of a peer, if it has one; and what accept(2) gave, with the link that it belongs to."""
        if self.addressFamily == socket.AF_INET6:
            if address[3]:
                name, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
                address = (name, *address[1:])
            return without_mapping(address[0]), address
        return (address[0] if self.addressFamily == socket.AF_INET else None), address

    def _outlive(self, error: OSError) -> bool:
        """Count that accept(2) has failed; whether to go on at once."""
        if error.errno == errno.EMFILE and self._turn_away():
            return True
        name = errno.errorcode.get(error.errno or 0, type(error).__name__)
        counters = self.admission.counters
        counters.errors[name] += 1
        if self.admission.events.room(f"failures to accept, {name}"):
            log.error(
                "Could not accept a connection: {name}, {reason}",
                event="accept-failed",
                name=name,
                reason=error.strerror,
            )
        if error.errno in EXHAUSTED or error.errno == errno.EMFILE:
            self._rest(PAUSE_SECONDS)
            return False
        return True  # the connection has failed by itself: ECONNABORTED, EPROTO, EPERM (a packet filter's)

    def _turn_away(self) -> bool:
        """No descriptor is left: use the spare one to accept somebody, and close; whether that could be done."""
        if self._spare is None:
            self._spare = _reserve()
            return False
        os.close(self._spare)
        try:
            skt, address = self.socket.accept()
            skt.close()
        except OSError as error:
            return isinstance(error, BlockingIOError)  # gone already
        finally:
            self._spare = _reserve()
        self.admission.refused("descriptors", self._who(address)[0])
        return True

    def _rest(self, seconds: float) -> None:
        """Accept nobody for a while; they wait in the backlog."""
        if self._resting is None and self.connected and not self.disconnecting:
            self.stopReading()
            reactor: Any = self.reactor
            self._resting = reactor.callLater(seconds, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        try:
            self.startReading()
        except OSError as error:  # no room to watch it (ENOMEM, ENOSPC of epoll_ctl): without a timer, it would be deaf
            self._outlive(error)
            self._rest(PAUSE_SECONDS)

    def loseConnection(self, *arguments: Any, **keywords: Any) -> Any:
        """Stop listening."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        return super().loseConnection(*arguments, **keywords)

    stopListening = loseConnection


class TCPPort(Accepting):
    """A TCP port that says whether its IPv6 socket serves IPv4, too; left alone, that depends on the system."""

    ipv6_only = True
    transport = TCPConnection

    def createInternetSocket(self) -> socket.socket:
        """Make the socket, and see to it whom it serves."""
        skt: socket.socket = super().createInternetSocket()
        if self.addressFamily == socket.AF_INET6:
            skt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, self.ipv6_only)
        return skt


def bound_address(port: Any, number: int) -> tuple[Any, ...]:
    """
    What a port's socket is to be bound to: of a link-local address, such as ``fe80::1%eth0``, the interface, too.

    :param number: of the port.
    """
    if port.addressFamily == socket.AF_INET6:
        resolved: tuple[Any, ...] = tcp._resolveIPv6(port.interface, number)
        return resolved
    return (port.interface, number)


def _reserve() -> int | None:
    """A descriptor to do without when there is no other left; ``None`` if there is none even now."""
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None
