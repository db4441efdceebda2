"""
The making of connections: few at the same time, again where the listener's queue was full, and with TLS.
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
"""Connections that are being made at the same time: fewer than any backlog."""

RETRY_AFTER = NS // 100
"""ns after which a connection that the listener's queue had no room for is tried again."""


class Connecting:
    """
    The streams whose connections are to be made.

    :ivar address: address that they connect to.
    :ivar waiting: streams whose turn has not come.
    :ivar held: streams that the listener's queue had no room for, which a Unix socket tells at once.
    :param by_fd: has each stream with a socket, by its descriptor.
    :param failed: deals with a stream that could not be connected, and errno.
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
        """Begin a connection."""
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
        Go on with a connection whose socket is ready.

        :return: true once it is open.
        :raise OSError: if it can't be made.
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
            connection.shake_hands()
        return connection.state is State.OPEN

    def begin_more(self, working: set[EchoStream], doubted: set[EchoStream]) -> None:
        """
        Begin as many connections as may be made at the same time.

        :param working: has those that are being made, and gets those that are begun.
        :param doubted: streams in it that are connected.
        """
        while self.waiting and not self.held and len(working) - len(doubted) < MAX_CONNECTING:
            stream = self.waiting.popleft()
            working.add(stream)
            self.begin(stream)

    def retry(self) -> None:
        """Try again to connect where the queue was full, until it is found to be so still."""
        for _ in range(len(self.held)):
            stream = self.held.popleft()
            self._open(stream)
            if self.held and self.held[-1] is stream:
                self.held.rotate()  # it stays the first of them
                break

    def give_up(self, before: int) -> None:
        """Give up all if the first that is held has been so since a time in ns: there is no room for any."""
        if self.held and self.held[0].connect_at < before:
            given_up = [*self.held, *self.waiting]
            self.clear()
            for stream in given_up:
                self._failed(stream, errno.EAGAIN)

    def clear(self) -> None:
        """Make no more connections."""
        self.waiting.clear()
        self.held.clear()
