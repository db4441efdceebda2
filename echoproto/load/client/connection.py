"""
One connection: its socket, optional TLS, and its interest in the poller.

Methods return or raise the result. They call no code above this module.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import struct
from collections.abc import Callable
from enum import Enum
from typing import Any

from attrs import frozen

from echoproto.load.address import Address
from echoproto.load.client.poller import READ, WRITE, Poller
from echoproto.load.client.proxyheader import header
from echoproto.load.client.tls import TLSSocket, describe
from echoproto.load.errors import REFUSED

LINGER_RESET = struct.pack("ii", 1, 0)
"""Value of SO_LINGER (socket(7)) with which closing sends an RST."""


class State(Enum):
    """A state of a connection, from the table in `echoproto.load.client.streams`."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    HANDSHAKE = "handshake"
    OPEN = "open"
    HALF_CLOSED = "half-closed"


@frozen
class Failure:
    """
    The failure of a connection.

    :ivar why: its name in the outcome's errors.
    :ivar reason: details, safe to print.
    :ivar lost: true if bytes without a reply count as lost.
    """

    why: str
    reason: str = ""
    lost: bool = False


class Connection:
    """
    A socket, or a sequence of sockets.

    :ivar fd: descriptor of the current or the last socket.
    :ivar recv: receives from the socket, or from TLS on top.
    """

    recv: Callable[[int], bytes]
    _send: Callable[[Any], int]
    _socket: socket.socket

    __slots__ = ("_mask", "_poller", "_send", "_socket", "fd", "recv", "state", "tls")

    def __init__(self, poller: Poller) -> None:
        self.state = State.CLOSED
        self.tls: TLSSocket | None = None
        self.fd = -1
        self._mask = 0
        self._poller = poller

    def open(self, address: Address) -> int:
        """
        Start to connect.

        :return: 0 or errno; EAGAIN if the queue of a Unix listener is full.
        """
        try:
            made = address.make_socket()
        except OSError as error:
            return error.errno or errno.EIO
        code = made.connect_ex(address.address)
        if code not in (0, errno.EINPROGRESS):
            made.close()
            return code
        self._socket = made
        self.recv, self._send = made.recv, made.send
        self.fd = made.fileno()
        self.state = State.CONNECTING
        self._mask = WRITE
        self._poller.register(self.fd, WRITE)
        return 0

    def finish_connecting(self, proxy: int | None) -> None:
        """
        Complete the connection once its socket is ready.

        :param proxy: version of the PROXY header to send first, or ``None``.
        :raise OSError: if the connection failed.
        """
        made = self._socket
        if code := made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))
        self.state = State.OPEN
        self.wait_for(READ)
        if proxy:
            # The send buffer is empty, so the header fits.
            made.send(header(proxy, made.getsockname(), made.getpeername()))

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Start TLS; call `do_handshake` next."""
        self.tls = TLSSocket(self._socket, context, host)
        self.recv, self._send = self.tls.recv, self.tls.send
        self.state = State.HANDSHAKE

    def do_handshake(self) -> None:
        """
        Continue the TLS handshake; the connection is open once it completes.

        :raise OSError: if the handshake failed.
        """
        try:
            if self.tls is not None:
                self.tls.do_handshake()
        except BlockingIOError:
            return  # only a read can block: the handshake fits into the buffers of a new socket
        self.state = State.OPEN

    def wait_for(self, mask: int) -> None:
        """Wait for readiness to read, write, or both."""
        if mask != self._mask:
            self._mask = mask
            self._poller.modify(self.fd, mask)

    def wait_for_end(self) -> None:
        """Watch for the end of the connection only."""
        self._poller.watch_end(self.fd)

    def send(self, data: memoryview) -> memoryview:
        """
        Send as much as the kernel accepts, and wait to write the rest.

        :return: the rest.
        :raise OSError: if the connection has ended.
        """
        send = self._send
        try:
            while data:
                data = data[send(data) :]
            if self.tls is not None:
                self.tls.flush()
        except BlockingIOError:
            self.wait_for(READ | WRITE)
        else:
            self.wait_for(READ)
        return data

    @property
    def pending(self) -> bool:
        """True if received data is buffered here; no event announces it."""
        return self.tls is not None and self.tls.pending

    def close_sending(self) -> None:
        """
        Close the sending side, once: with FIN, over TLS with close_notify.

        :raise OSError: if the connection has ended.
        """
        if self.state is not State.OPEN:
            return
        self.state = State.HALF_CLOSED
        if self.tls is None:
            self._socket.shutdown(socket.SHUT_WR)
        else:
            self.tls.close_sending()
            self.send(memoryview(b""))

    def close(self, *, reset: bool = False) -> None:
        """Close the socket."""
        self._poller.forget(self.fd)
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self._socket.close()
        self.tls = None
        self.state = State.CLOSED

    def failure(self, error: OSError) -> Failure:
        """Classify an error of this connection."""
        if self.state is State.HANDSHAKE:
            why = "certificate" if isinstance(error, ssl.SSLCertVerificationError) else "TLS"
            return Failure(why, describe(error))
        if isinstance(error, ssl.SSLEOFError):
            return Failure("no close_notify", lost=True)
        if isinstance(error, ssl.SSLError):
            return Failure("TLS", describe(error))
        if self.tls is not None and not self.tls.heard:
            # With TLS 1.3, the client's handshake completes before the server has checked the client. A server that
            # refuses sends an alert first, unless a reset overtakes the alert.
            return Failure("TLS", f"{REFUSED}: {describe(error)}")
        return Failure(errno.errorcode.get(error.errno or 0, "unknown"))
