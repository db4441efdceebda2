"""
The UDP port of the echo: fair to its neighbours, whole datagrams, replies from the address that was asked.

Twisted's own `udp.Port` reads until it has 256 KiB of payload, which a flood of empty datagrams never reaches; forgets
the interface of an IPv6 peer, and of its own address (Twisted #6826); and has the system pick the source address of a
reply.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from errno import EACCES, errorcode
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from socket import socket as Socket  # noqa: N812 - a port has an attribute of that name
from typing import Any

from twisted.internet import error, udp
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from echoproto.datagram import EchoDatagram
from echoproto.errors import UnavailableError
from echoproto.server.counters import Counters
from echoproto.server.log.budget import EventLog
from echoproto.server.log.faults import log_fault
from echoproto.server.settings.table import Settings
from echoproto.server.sockets import ancillary
from echoproto.server.sockets.accept import bound_address

log = Logger("echoproto")

BATCH_SIZE = 32
"""
Datagrams that are read in one turn of the reactor, as many as libuv reads. Small ones take 7 µs each. With 64, clients
over TCP waited twice as long under a flood (``python -m checks.flood``).
"""

BATCH_BYTES = 256 * 1024
"""Bytes after which a batch ends, too, as many as Twisted reads from any transport."""

MAX_PACKET_SIZE = 65536
"""Size of the buffer; the largest payload of a datagram is 65,507 bytes over IPv4 and 65,527 over IPv6."""

CACHE_SIZE = 1024
"""Different ancillary data that are remembered; each is one of 256 marks, and one of the host's few addresses."""

DISCARD_PORT = 9
"""Port of the discard service (RFC 863), for a route lookup; nothing is sent to it."""

LISTENING_FOR_UDP = "Listening for UDP, socket fd is {fd}, address {address}, port {port}"

PAUSE_SECONDS = 0.1
"""Pause of the port after a fault, in seconds."""

SO_MEMINFO, DROPS = 55, 8
"""Linux: the option for a socket's memory use, and the index of the dropped datagrams in its 32-bit numbers."""


class EchoDatagramPort(udp.Port):
    """
    A UDP port for an `EchoDatagram`.

    :param interface: an IP address, or ``0.0.0.0`` or ``::`` for all of a family.
    :param ipv6_only: an IPv6 socket does not serve IPv4.
    :param reactor: watches the socket.
    :param events: budget for log lines about faults.

    :ivar served: true if this process reads the datagrams, rather than others, from the same socket.
    """

    protocol: EchoDatagram
    socket: Socket
    served = True

    def __init__(
        self,
        port: int,
        protocol: EchoDatagram,
        interface: str,
        *,
        ipv6_only: bool,
        counters: Counters,
        reactor: IReactorTime,
        events: EventLog,
    ) -> None:
        super().__init__(port, protocol, interface, MAX_PACKET_SIZE, reactor)
        self.counters = counters
        self._ipv6_only = ipv6_only
        self._events = events
        self._read = lru_cache(CACHE_SIZE)(ancillary.read)  # mostly the same as of the last datagram
        self._reply_control: ancillary.Control = ()
        self._made: Socket | None = None
        self._clock = reactor
        self._pause: IDelayedCall | None = None
        self._drops = 0
        self._tells_drops = sys.platform.startswith("linux")

    def createInternetSocket(self) -> Socket:
        """Make the socket, and have the system report the data of each datagram that the reply depends on."""
        self._made = skt = super().createInternetSocket()
        ipv4 = self.addressFamily == socket.AF_INET or not self._ipv6_only
        if self.addressFamily == socket.AF_INET6:
            skt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, self._ipv6_only)
        if not ancillary.ask(skt, wildcard=ip_address(self.interface).is_unspecified, ipv4=ipv4):
            log.warn(
                "Over IPv4, UDP replies leave from the address that the system picks, which need not be the one "
                "that was asked; name one with udp-interface",
                event="udp-reply-address",
            )
        return skt

    def startListening(self) -> None:
        """
        Bind, and begin to read.

        :raise CannotListenError: if the port can't be opened.
        :raise UnavailableError: if the address is that of a group.
        """
        _require_one_host(self.interface)
        adopted = self._preexistingSocket is not None
        if not adopted:
            self._preexistingSocket = self._bound()  # type: ignore[assignment]
        super().startListening()
        if adopted and self._tells_drops:
            self._drops = self._dropped()  # those before do not count

    def _bound(self) -> Socket:
        """Return a bound socket, and close it if that fails, which Twisted leaves to the garbage collector."""
        try:
            skt = self.createInternetSocket()
            skt.bind(bound_address(self, self.port))
        except OSError as problem:
            if self._made is not None:
                self._made.close()
            raise error.CannotListenError(self.interface, self.port, problem) from problem
        return skt

    def doRead(self) -> None:
        """Read a batch, so that other transports have their turn; a fault must not close the port."""
        try:
            self._take_batch()
        except Exception:
            failure = Failure()
            self.counters.count_error(type(failure.value).__name__)
            log_fault(self._events, "reading datagrams", failure)
            self._pause_reading()

    def _pause_reading(self) -> None:
        """Pause reading: the next datagram would probably cause the same fault at once."""
        self.stopReading()
        self._pause = self._clock.callLater(PAUSE_SECONDS, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self.startReading()

    def _take_batch(self) -> None:
        left = BATCH_BYTES
        for _ in range(BATCH_SIZE):
            try:
                datagram, control, _flags, addr = self.socket.recvmsg(MAX_PACKET_SIZE, ancillary.BUFFER_SIZE)
            except BlockingIOError:
                break
            except OSError as problem:
                self.counters.errors[errorcode.get(problem.errno or 0, type(problem).__name__)] += 1
                break
            self._received(datagram, control, addr)
            left -= len(datagram)
            if left <= 0:
                break
        self._count_drops()

    def _received(self, datagram: bytes, control: Sequence[tuple[int, int, bytes]], addr: Any) -> None:
        try:
            why, self._reply_control = self._read(tuple(control))
            if why is not None:
                self.protocol.refuse(why)
                return
            self.protocol.datagramReceived(datagram, addr)
        except Exception as fault:  # costs one reply
            self.protocol.fail(type(fault).__name__)
            log_fault(self._events, "the UDP echo", Failure())

    def write(self, datagram: bytes, addr: Any = None) -> None:
        """
        Reply to the present datagram.

        :raise OSError: if the system does not take the reply.
        """
        if self._reply_control:
            self.socket.sendmsg((datagram,), self._reply_control, 0, addr)
        else:
            self.socket.sendto(datagram, addr)

    def _count_drops(self) -> None:
        """Count datagrams that arrived while the socket's buffer was full; such a buffer always brings a turn."""
        if self._tells_drops:
            drops = self._dropped()
            self.counters.datagrams_dropped += (drops - self._drops) & 0xFFFFFFFF  # as wide as the system counts
            self._drops = drops

    def _dropped(self) -> int:
        """Return the number of datagrams that the socket has dropped in all, as far as the system tells."""
        try:
            use = self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (DROPS + 1))
        except OSError:  # Linux before 4.12
            self._tells_drops = False
            return self._drops
        return int.from_bytes(use[4 * DROPS :], sys.byteorder)

    def connectionLost(self, reason: Any = None) -> None:
        """Close, and log the totals."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        super().connectionLost(reason)
        if not self.served:
            return
        counted = self.counters.snapshot(())
        log.info(
            "UDP port closed: {received} {log_noun} received, {echoed} echoed; refused: {refused}; failed: {failed}; "
            "dropped by the system: {dropped}",
            event="udp-closed",
            received=counted.datagrams_received,
            log_noun="datagram" if counted.datagrams_received == 1 else "datagrams",
            echoed=counted.datagrams_echoed,
            refused=_in_words(counted.datagrams_refused),
            failed=_in_words(counted.datagrams_failed),
            dropped=counted.datagrams_dropped,
        )


def _in_words(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counted.items())) or "none"


def _require_one_host(interface: str) -> None:
    """Refuse the address of a group: a socket can be bound to it, and would reply to datagrams for the whole group."""
    address = ip_address(interface)
    group = address.is_multicast
    if isinstance(address, IPv4Address):
        with Socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            # Without SO_BROADCAST, the system refuses the broadcast addresses of its networks in this way.
            group = group or probe.connect_ex((interface, DISCARD_PORT)) == EACCES
    if group:
        raise UnavailableError("that is the address of a group, not of this host")


def limit(protocol: EchoDatagram, settings: Settings) -> None:
    """Set the limits of a protocol, which may be in use."""
    protocol.privileged_sources = settings.udp_privileged_sources
    protocol.source_rate = settings.udp_source_rate
    protocol.rate = settings.udp_rate
