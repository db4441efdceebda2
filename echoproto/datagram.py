"""
The echo of datagrams, as RFC 862 has it for UDP, and the rule of which sources get no reply.

Nothing here knows of settings, plugins, files or options of sockets. The source of a datagram can be forged. So
whoever answers can be made to send to a third party (an echo never more than it was sent), and two servers that answer
each other can be made to do so for ever, by one datagram (CVE-1999-0103, CVE-2024-2169).
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
"""Ports of services that may answer whatever they are sent: echo, discard, daytime, qotd, chargen, time (the small
services of inetd, as its guards have them) and NFS."""

PRIVILEGED_PORTS = 1024
"""Ports below this one are those of services; a client has one only if it asks for it."""

MULTICAST, RESERVED = 224, 240
"""First bytes of IPv4 addresses that are no host's: from the one on multicast, from the other on reserved."""

HEX_DIGITS = 4
"""Hex digits of the first group of a multicast address of IPv6 (ff00::/8): ``ff02::1`` is one; ``ff::1``, which is
00ff::1, is not."""

MOST_SOURCES = 10_000
"""How many sources a table remembers; with their names, that is about 2 MiB."""

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
"""Why a datagram gets no reply, and the same in words; ``datagrams_refused`` is counted under these."""

_own_ports: Counter[int] = Counter()
"""The port numbers on which this process echoes datagrams, and how many sockets have each."""


class DatagramCounters(TypingProtocol):
    """What is counted; each datagram once, in one of the three."""

    datagrams_echoed: int
    datagrams_refused: Counter[str]
    datagrams_failed: Counter[str]


def why_not_address(host: str) -> str | None:
    """
    Why nothing may be sent to an address, whoever has it.

    Broadcast addresses of this host's networks look like any other; to those, the system sends nothing for a socket
    without ``SO_BROADCAST`` (it says ``EACCES``).

    :param host: an IP address as sockets give it, without a scope; IPv4 may be mapped into IPv6.
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
    Token buckets: how many replies each source may still have. A bucket holds one second's worth, and begins full.

    The table is bounded: when it is full, the source goes that has been quiet for longest.

    :param seconds: a clock, in seconds, that never runs backwards.
    :param most: how many sources are remembered, at least 1.
    """

    def __init__(self, seconds: Callable[[], float], most: int = MOST_SOURCES) -> None:
        self._seconds = seconds
        self._most = most
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, source: str, rate: int) -> bool:
        """
        Whether a source may have one more reply.

        :param rate: replies a second, at least 1; it may differ from one call to the next.
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
    Send each datagram back to where it came from, unless its source is one that must get no reply.

    A reply is as long as its datagram. One that can't be sent is counted, and forgotten: UDP may lose it anyway.

    :param counters: where each datagram is counted, by what became of it.
    :param seconds: a clock, in seconds, that never runs backwards.

    The limits may be changed at any time:

    :ivar privileged_sources: whether sources with a port below 1024 get a reply, `SERVICE_PORTS` excepted.
    :ivar source_rate: replies a second that one source may have, see `echoproto.addresses.source_of`; 0 for no limit.
    :ivar rate: replies a second that all sources together may have; 0 for no limit.
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
        """From now on, no echo of this process replies to this port number."""
        self._port = self.transport.getHost().port  # type: ignore[union-attr]
        _own_ports[self._port] += 1

    def stopProtocol(self) -> None:
        """The port is closed: its number is nobody's again."""
        _own_ports[self._port] -= 1
        if not _own_ports[self._port]:
            del _own_ports[self._port]

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Send it back.

        :param addr: as sockets give it: a host, a port, and of IPv6 the flow and the scope.
        """
        why = self.why_not(addr[0], addr[1])
        if why is not None:
            self.refuse(why)
            return
        try:
            self.transport.write(datagram, addr)  # type: ignore[union-attr]
        except OSError as problem:
            self.fail(errorcode.get(problem.errno or 0, type(problem).__name__))
        except MessageLengthError:  # Twisted's own port has it in place of the OSError
            self.fail("EMSGSIZE")
        else:
            self.counters.datagrams_echoed += 1

    def why_not(self, host: str, port: int) -> str | None:
        """
        Why a source gets no reply now; if it gets one, that is taken from its budget.

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
