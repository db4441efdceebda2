"""
One connection: its socket, TLS on it, and the readiness that is waited for.

It returns or raises what has happened, and calls nobody but the poller.
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
"""SO_LINGER of socket(7) with no time at all: closing sends an RST."""


class State(Enum):
    """A state of a connection; see the table in `echoproto.load.client.streams`."""

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
    :ivar reason: more on that, safe to print.
    :ivar lost: True if the bytes that have not come back should have.
    """

    why: str
    reason: str = ""
    lost: bool = False


class Connection:
    """
    A socket, or one after another.

    :ivar fd: descriptor of the socket; of the last one, if there is none.
    :ivar recv: receives from the socket, or from TLS on it.
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
        Begin to connect.

        :return: 0, or errno if that failed; EAGAIN if the listener of a Unix socket has no room in its queue.
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
        Go on once the socket is ready: the connection is open, or has failed.

        :param proxy: version of the PROXY header to send first, or ``None``.
        :raise OSError: if it could not be made.
        """
        made = self._socket
        if code := made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))
        self.state = State.OPEN
        self.wait_for(READ)
        if proxy:
            # It fits: nothing else was sent yet.
            made.send(header(proxy, made.getsockname(), made.getpeername()))

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Begin TLS, which needs `shake_hands` next."""
        self.tls = TLSSocket(self._socket, context, host)
        self.recv, self._send = self.tls.recv, self.tls.send
        self.state = State.HANDSHAKE

    def shake_hands(self) -> None:
        """
        Go on with the handshake of TLS; the connection is open once it is done.

        :raise OSError: if it failed.
        """
        try:
            if self.tls is not None:
                self.tls.shake_hands()
        except BlockingIOError:
            return  # a handshake fits into the buffers of a new socket, so it is the peer's turn
        self.state = State.OPEN

    def wait_for(self, mask: int) -> None:
        """Wait for readiness to read, write, or both."""
        if mask != self._mask:
            self._mask = mask
            self._poller.modify(self.fd, mask)

    def wait_for_end(self) -> None:
        """Wait only for the end of the connection."""
        self._poller.watch_end(self.fd)

    def send(self, data: memoryview) -> memoryview:
        """
        Send as much as the kernel takes; what is left is to be sent when the socket is ready.

        :return: the rest.
        :raise OSError: if the connection is over.
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
        """True if there is more to receive, for which no event will come."""
        return self.tls is not None and self.tls.pending

    def close_sending(self) -> None:
        """
        Close the sending side, once: with FIN, over TLS with close_notify.

        :raise OSError: if the connection is over.
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
        """Return the failure that an error of this connection stands for."""
        if self.state is State.HANDSHAKE:
            why = "certificate" if isinstance(error, ssl.SSLCertVerificationError) else "TLS"
            return Failure(why, describe(error))
        if isinstance(error, ssl.SSLEOFError):
            return Failure("no close_notify", lost=True)
        if isinstance(error, ssl.SSLError):
            return Failure("TLS", describe(error))
        if self.tls is not None and not self.tls.heard:
            # TLS 1.3 has a client take the handshake for done before the server has seen its part of it; where that is
            # refused, an alert is the first to come, unless a reset overtakes it.
            return Failure("TLS", f"{REFUSED}: {describe(error)}")
        return Failure(errno.errorcode.get(error.errno or 0, "unknown"))
