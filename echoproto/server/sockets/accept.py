"""
Ports with admission, which count the connections that they refuse, and survive failures of accept(2).

Twisted's own ports close connections without a count if no descriptor is left, log a line for each, and try again at
once, and forever, when accept(2) fails for want of memory (`twisted.internet.tcp._accept`).
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

EXHAUSTION_ERRORS = (errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Errors of a system that lacks a resource, and will lack it in the next moment, too (accept(2))."""

PAUSE_SECONDS = 0.1
"""Pause of a port after such an error."""

MIN_PAUSE_SECONDS = 0.01
"""Minimum pause above the accept rate, so that thousands of connections a second do not need a timer each."""


class Accepting(tcp.Port):
    """
    Base of the ports. Set ``admission`` before it listens.

    :ivar admission: decides which connections are accepted.
    """

    admission: Admission
    _pause: IDelayedCall | None = None
    _spare: int | None = None

    def startListening(self) -> None:
        """Listen, and keep a spare descriptor, to reject connections with when no other is left."""
        super().startListening()
        self._spare = _reserve()

    def doRead(self) -> None:
        """Accept waiting connections, within the accept rate; a fault must not close the port."""
        try:
            self._accept()
        except Exception:
            self._count_fault()
            self._pause_accepting(PAUSE_SECONDS)

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
                if not self._handle_accept_error(error):
                    return
            else:
                self._serve(skt, address)
            accepted += 1
        if accepted == wanted < self.numberAccepts:
            self._pause_accepting(max(MIN_PAUSE_SECONDS, self.admission.wait()))
        else:  # the same number is expected next time, and more if it was not enough
            self.numberAccepts = accepted + 20 if accepted == self.numberAccepts else max(1, accepted)

    def _serve(self, skt: socket.socket, address: Any) -> None:
        """Make a connection of a socket, or close it."""
        transport = None
        try:
            host, address = self._peer(address)
            if not self.admission.admit(host):
                skt.close()
                return
            factory: Any = self.factory
            protocol = factory.buildProtocol(self._buildAddr(address))
            transport = self.transport(skt, protocol, address, self, self.sessionno, self.reactor)
            self.sessionno += 1
            protocol.makeConnection(transport)
        except Exception:  # other connections, and the port, go on
            self._count_fault()
            if transport is None:
                skt.close()
            else:
                transport.protocol = getattr(protocol, "wrappedProtocol", protocol)  # TLS may be half made
                transport.abortConnection()

    def _peer(self, address: Any) -> tuple[str | None, Any]:
        """Return the IP address of a peer, if it has one, and the address of accept(2), with its interface."""
        if self.addressFamily == socket.AF_INET6:
            if address[3]:
                name, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
                address = (name, *address[1:])
            return without_mapping(address[0]), address
        return (address[0] if self.addressFamily == socket.AF_INET else None), address

    def _handle_accept_error(self, error: OSError) -> bool:
        """Count and log an error of accept(2); return true if the port may go on at once."""
        if error.errno == errno.EMFILE and self._reject_with_spare_fd():
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
        if error.errno in EXHAUSTION_ERRORS or error.errno == errno.EMFILE:
            self._pause_accepting(PAUSE_SECONDS)
            return False
        return True  # of the connection alone: ECONNABORTED, EPROTO, EPERM (a packet filter's)

    def _reject_with_spare_fd(self) -> bool:
        """Accept a connection with the spare descriptor, and close it; return true if that succeeded."""
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
        self.admission.refused("descriptors", self._peer(address)[0])
        return True

    def _pause_accepting(self, seconds: float) -> None:
        """Accept no connection for a while; they wait in the backlog."""
        if self._pause is None and self.connected and not self.disconnecting:
            self.stopReading()
            reactor: Any = self.reactor
            self._pause = reactor.callLater(seconds, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        try:
            self.startReading()
        except OSError as error:  # can't be watched (ENOMEM, ENOSPC of epoll_ctl): try again by a timer
            self._handle_accept_error(error)
            self._pause_accepting(PAUSE_SECONDS)

    def loseConnection(self, *arguments: Any, **keywords: Any) -> Any:
        """Stop listening."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        return super().loseConnection(*arguments, **keywords)

    stopListening = loseConnection


class TCPPort(Accepting):
    """A TCP port that sets if its IPv6 socket serves IPv4, too; the default depends on the system."""

    ipv6_only = True
    transport = TCPConnection

    def createInternetSocket(self) -> socket.socket:
        """Make the socket, for IPv6 alone or for both."""
        skt: socket.socket = super().createInternetSocket()
        if self.addressFamily == socket.AF_INET6:
            skt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, self.ipv6_only)
        return skt


def bound_address(port: Any, number: int) -> tuple[Any, ...]:
    """
    Return the address for a port's socket; a link-local one, such as ``fe80::1%eth0``, with its interface.

    :param number: of the port.
    """
    if port.addressFamily == socket.AF_INET6:
        resolved: tuple[Any, ...] = tcp._resolveIPv6(port.interface, number)
        return resolved
    return (port.interface, number)


def _reserve() -> int | None:
    """Open a spare descriptor; return ``None`` if none is left."""
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None
