"""
The log lines of connections and disconnections, at a bounded rate.

One log event costs about 16 µs, which is more than an echo: under a storm of connections, the log must not be what
takes the processor's time, nor what fills the disk.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from echoproto.errors import one_line
from echoproto.protocol import Echo

log = Logger("echoproto")

BURST = 20
"""Lines of one kind that are logged at once, before the rate counts."""

WHY = {ConnectionDone: "closed by peer", ConnectionAborted: "aborted here", ConnectionLost: "reset or lost"}

IPV4_MAPPED = "::ffff:"
"""How an IPv4 peer of a socket that serves both is written (RFC 4291, section 2.5.5.2)."""


class LineBudget:
    """
    How many lines one kind of event may still log: a token bucket, and a count of what did not fit.

    :param clock: tells the time and, once a second at the most, calls ``left_out``.
    :param rate: lines a second in the long run, at least 1.
    :param left_out: called with how many lines were left out since it was last called.
    """

    def __init__(self, clock: IReactorTime, rate: int, left_out: Callable[[int], None]) -> None:
        self._clock = clock
        self._rate = rate
        self._left_out = left_out
        self._tokens = float(BURST)
        self._filled_at = clock.seconds()
        self._suppressed = 0
        self._report: IDelayedCall | None = None

    def take(self) -> bool:
        """Whether there is room for a line; if not, it is counted."""
        now = self._clock.seconds()
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return True
        self._suppressed += 1
        if self._report is None:
            self._report = self._clock.callLater(1, self._tell)
        return False

    def _tell(self) -> None:
        self._report = None
        suppressed, self._suppressed = self._suppressed, 0
        self._tokens -= 1  # the line that tells of them is a line, too
        self._left_out(suppressed)

    def close(self) -> None:
        """Tell now what has not been told yet."""
        if self._report is not None:
            self._report.cancel()
            self._tell()


class ConnectionLog:
    """
    Logs each connection and each disconnection, as far as the rate allows.

    :param clock: the reactor.
    :param rate: lines a second of each of the two kinds, in the long run.

    :ivar stopping: whether the service stops, so that it is not the peers who end their connections.
    """

    def __init__(self, clock: IReactorTime, rate: int) -> None:
        self._connected = LineBudget(clock, rate, self._connections_left_out)
        self._disconnected = LineBudget(clock, rate, self._disconnections_left_out)
        self.stopping = False

    def connected(self, connection: Echo) -> None:
        """Log who has connected, and the descriptor of the socket."""
        if self._connected.take():
            ip, port = peer_of(connection)
            log.info(
                "New connection, socket fd is {fd}, ip is {ip}, port {port}",
                fd=connection.transport.fileno(),
                ip=ip,
                port=port,
            )

    def disconnected(self, connection: Echo, reason: Failure) -> None:
        """Log who is gone, how many bytes came and went, how long it took, and why it ended."""
        if self._disconnected.take():
            ip, port = peer_of(connection)
            log.info(
                "Host disconnected, ip {ip}, port {port}, {bytes} bytes, {seconds:.3f} seconds, {why}",
                ip=ip,
                port=port,
                bytes=connection.bytes_received,
                seconds=connection.factory.seconds() - connection.connected_at,
                why=self._why(connection, reason),
            )

    def close(self) -> None:
        """Log how many lines were left out, if that is not logged yet."""
        self._connected.close()
        self._disconnected.close()

    def _why(self, connection: Echo, reason: Failure) -> str:
        """Why a connection has ended, in a few words."""
        if self.stopping and not reason.check(ConnectionAborted):
            return "closed here, the service stops"
        if reason.check(ConnectionLost) and getattr(connection.transport, "truncated", False):
            return "closed by peer, without the end of TLS"
        for kind, words in WHY.items():
            if reason.check(kind):
                return words
        return one_line(f"{type(reason.value).__name__}: {reason.getErrorMessage()}")

    def _connections_left_out(self, count: int) -> None:
        log.info("{count} more new connections, not logged one by one", count=count)

    def _disconnections_left_out(self, count: int) -> None:
        log.info("{count} more disconnections, not logged one by one", count=count)


def peer_of(connection: Echo) -> tuple[str, int]:
    """
    Who is at the other end.

    :return: IP address and port; ``("unix", 0)`` for a Unix socket, whose clients have no name.
    """
    peer: object = connection.transport.getPeer()
    if isinstance(peer, IPv4Address | IPv6Address):
        return peer.host.removeprefix(IPV4_MAPPED) if "." in peer.host else peer.host, peer.port
    return "unix", 0
