"""
Echo of datagrams by RFC 862, and the rules for sources that get no reply.

This module knows nothing of settings, plugins, files or socket options. The source of a datagram can be forged: a
forged datagram makes the service send to a third party (never more than it received), and makes two servers that
answer each other do so forever (CVE-1999-0103, CVE-2024-2169).
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from errno import errorcode
from typing import Any
from typing import Protocol as TypingProtocol

from twisted.internet.error import MessageLengthError
from twisted.internet.protocol import DatagramProtocol

from echoproto.addresses import source_of
from echoproto.tokenbucket import TokenBucket

SERVICE_PORTS = frozenset({7, 9, 13, 17, 19, 37, 2049})
"""Ports of services that may answer any datagram: echo, discard, daytime, qotd, chargen, time (the small services of
inetd, which have the same guard) and NFS."""

PRIVILEGED_PORTS = 1024
"""First unprivileged port; lower ones belong to services, and to clients only by request."""

MULTICAST, RESERVED = 224, 240
"""First bytes at which the multicast and the reserved addresses of IPv4 begin; none of them belongs to a host."""

HEX_DIGITS = 4
"""Hex digits in the first group of an IPv6 multicast address (ff00::/8): ``ff02::1`` is one, ``ff::1`` (00ff::1) is
not."""

MOST_SOURCES = 10_000
"""Maximum number of sources in a table; with their names, about 2 MiB."""

REFUSALS = {
    "source port 0": "nothing can be sent to port 0",
    "own port": "from a port number on which this process echoes datagrams, whatever the address",
    "service port": "from the port of a service that may answer: 7, 9, 13, 17, 19, 37 or 2049",
    "privileged port": "from a port below 1024",
    "multicast source": "from a multicast address",
    "reserved source": "from 0.0.0.0/8, 240.0.0.0/4 (which holds 255.255.255.255) or ::",
    "sent to a group": "sent to a broadcast or multicast address",
    "echoed already": "with the mark that the replies of this program carry",
    "source rate": "over the budget of its source",
    "total rate": "over the budget of all sources",
}
"""Reasons for no reply, and their descriptions; the keys of ``datagrams_refused``."""

_own_ports: Counter[int] = Counter()
"""Number of sockets of this process for each port on which it echoes datagrams."""


class DatagramCounters(TypingProtocol):
    """Counters; each datagram counts once, in one of the three."""

    datagrams_echoed: int
    datagrams_refused: Counter[str]
    datagrams_failed: Counter[str]


def why_not_address(host: str) -> str | None:
    """
    Return the reason for which nothing may be sent to an address.

    Broadcast addresses of this host's networks look like any other; the system refuses to send to them on a socket
    without ``SO_BROADCAST`` (``EACCES``).

    :param host: an IP address from a socket, without a scope; IPv4 may be mapped into IPv6.
    :return: a key of `REFUSALS`, or ``None``.
    """
    if ":" in host:
        if not host.startswith("::ffff:") or "." not in host:
            if host[:2] == "ff" and host.find(":") == HEX_DIGITS:
                return "multicast source"
            return "reserved source" if host == "::" else None
        host = host[7:]
    first = int(host.partition(".")[0])
    if 0 < first < MULTICAST:
        return None
    return "multicast source" if MULTICAST <= first < RESERVED else "reserved source"


class Budgets:
    """
    Token buckets with the remaining replies of each source; a bucket holds those of one second, and is full at first.

    The table is bounded: when it is full, it drops the source that has been quiet for the longest time.

    :param seconds: a monotonic clock, in seconds.
    :param most: maximum number of sources, at least 1.
    """

    def __init__(self, seconds: Callable[[], float], most: int = MOST_SOURCES) -> None:
        self._seconds = seconds
        self._most = most
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, source: str, rate: int) -> bool:
        """
        Take one reply from the budget of a source; return false if it is used up.

        :param rate: replies per second, at least 1; it may change between calls.
        """
        bucket = self._buckets.get(source)
        if bucket is None:
            self._buckets[source] = bucket = TokenBucket(self._seconds, rate, rate)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(source)
            bucket.rate = bucket.burst = rate
        return bucket.take()


class EchoDatagram(DatagramProtocol):
    """
    Send each datagram back to its source, unless the source must get no reply.

    A reply is as long as its datagram. A reply that can't be sent is counted and dropped: UDP may lose it anyway.

    :param counters: counters of the datagrams by result.
    :param seconds: a monotonic clock, in seconds.

    The limits may be changed at any time:

    :ivar privileged_sources: true to reply to ports below 1024, except `SERVICE_PORTS`.
    :ivar source_rate: maximum replies per second to one source (`echoproto.addresses.source_of`); 0 for no limit.
    :ivar rate: maximum replies per second to all sources together; 0 for no limit.
    """

    noisy = False
    privileged_sources = False
    source_rate = 0
    rate = 0
    _port: int

    def __init__(self, counters: DatagramCounters, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self.counters = counters
        self._sources = Budgets(seconds)
        self._total = Budgets(seconds, most=1)

    def startProtocol(self) -> None:
        """Make all echoes of this process refuse this port number as a source."""
        self._port = self.transport.getHost().port  # type: ignore[union-attr]
        _own_ports[self._port] += 1

    def stopProtocol(self) -> None:
        """Release the port number."""
        _own_ports[self._port] -= 1
        if not _own_ports[self._port]:
            del _own_ports[self._port]

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Send a datagram back.

        :param addr: address from a socket: host, port, and for IPv6 flow and scope.
        """
        why = self.why_not(addr[0], addr[1])
        if why is not None:
            self.refuse(why)
            return
        try:
            self.transport.write(datagram, addr)  # type: ignore[union-attr]
        except OSError as problem:
            self.fail(errorcode.get(problem.errno or 0, type(problem).__name__))
        except MessageLengthError:  # raised by Twisted's own port instead of the OSError
            self.fail("EMSGSIZE")
        else:
            self.counters.datagrams_echoed += 1

    def why_not(self, host: str, port: int) -> str | None:
        """
        Return the reason for which a source gets no reply; if there is none, take a reply from its budget.
        :return: a key of `REFUSALS`, or ``None``.
        """
        if why := self._why_not_port(port) or why_not_address(host):
            return why
        if self.source_rate and not self._sources.take(source_of(host), self.source_rate):
            return "source rate"
        if self.rate and not self._total.take("", self.rate):
            return "total rate"
        return None

    def _why_not_port(self, port: int) -> str | None:
        if port in _own_ports:
            return "own port"
        if port >= PRIVILEGED_PORTS:
            return "service port" if port in SERVICE_PORTS else None
        if port == 0:
            return "source port 0"
        if port in SERVICE_PORTS:
            return "service port"
        return None if self.privileged_sources else "privileged port"

    def refuse(self, why: str) -> None:
        """
        Count a datagram that gets no reply.

        :param why: a key of `REFUSALS`.
        """
        self.counters.datagrams_refused[why] += 1

    def fail(self, name: str) -> None:
        """
        Count a datagram whose reply could not be sent.

        :param name: the name of the error, such as ``EPERM``.
        """
        self.counters.datagrams_failed[name] += 1
