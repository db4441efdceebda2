"""
Connection setup: a bounded number at a time, retried while the listener's queue is full, with TLS on top.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic_ns

from echoproto.load.address import Address
from echoproto.load.client.connection import State
from echoproto.load.client.meter import Meter
from echoproto.load.client.stream import EchoStream
from echoproto.load.client.tls import make_tls_context
from echoproto.load.workload import Transport, Workload
from echoproto.units import NS

MAX_CONNECTING = 64
"""Maximum concurrent connection attempts: fewer than any listener's backlog."""

RETRY_AFTER = NS // 100
"""ns between attempts while the listener's queue is full."""


class Connecting:
    """
    The streams that need a connection.

    :ivar address: address of the server.
    :ivar waiting: streams that have not been tried yet.
    :ivar held: streams refused by a full listener's queue; only Unix sockets report that.
    :param by_fd: streams with a socket, by descriptor.
    :param failed: called with a stream that could not connect, and errno.
    """

    address: Address

    def __init__(
        self,
        workload: Workload,
        meter: Meter,
        by_fd: dict[int, EchoStream],
        failed: Callable[[EchoStream, int], None],
    ) -> None:
        self.waiting: deque[EchoStream] = deque()
        self.held: deque[EchoStream] = deque()
        self._workload = workload
        self._tls = make_tls_context(workload) if workload.target.transport is Transport.TLS else None
        self._meter = meter
        self._by_fd = by_fd
        self._failed = failed

    def begin(self, stream: EchoStream) -> None:
        """Start a connection."""
        stream.connect_at = monotonic_ns()
        stream.messages.renew()
        self._open(stream)

    def _open(self, stream: EchoStream) -> None:
        stream.since = monotonic_ns()
        connection = stream.connection
        code = connection.open(self.address)
        if not code:
            self._by_fd[connection.fd] = stream
        elif code == errno.EAGAIN and self.address.family == socket.AF_UNIX:
            self.held.append(stream)
        else:
            self._failed(stream, code)

    def go_on(self, stream: EchoStream) -> bool:
        """
        Continue a connection attempt whose socket is ready.

        :return: true once the connection is open.
        :raise OSError: if the connection fails.
        """
        connection = stream.connection
        if connection.state is State.CONNECTING:
            connection.finish_connecting(self._workload.proxy)
            self._meter.connect.add(monotonic_ns() - stream.connect_at)
            self._meter.outcome.connected += 1
            stream.first_byte_due = self._workload.churn is not None
            if self._tls is not None:
                connection.start_tls(self._tls, self._workload.target.host)
        stream.since = monotonic_ns()
        if connection.state is State.HANDSHAKE:
            connection.do_handshake()
        return connection.state is State.OPEN

    def begin_more(self, working: set[EchoStream], doubted: set[EchoStream]) -> None:
        """
        Start connections up to `MAX_CONNECTING` at a time.

        :param working: streams at work; started ones are added.
        :param doubted: connected streams among them.
        """
        while self.waiting and not self.held and len(working) - len(doubted) < MAX_CONNECTING:
            stream = self.waiting.popleft()
            working.add(stream)
            self.begin(stream)

    def retry(self) -> None:
        """Retry held streams in order, until the queue is full again."""
        for _ in range(len(self.held)):
            stream = self.held.popleft()
            self._open(stream)
            if self.held and self.held[-1] is stream:
                self.held.rotate()  # it keeps its place at the head
                break

    def give_up(self, before: int) -> None:
        """Fail every unconnected stream if the first held one began before a time in ns."""
        if self.held and self.held[0].connect_at < before:
            given_up = [*self.held, *self.waiting]
            self.clear()
            for stream in given_up:
                self._failed(stream, errno.EAGAIN)

    def clear(self) -> None:
        """Cancel all connections that are not started yet."""
        self.waiting.clear()
        self.held.clear()
