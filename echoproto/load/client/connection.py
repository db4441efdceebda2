"""
The socket of one connection of a load: how it is made, written to and closed.
"""

from __future__ import annotations

import errno
import socket
import ssl
import struct
from collections.abc import Callable
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from echoproto.load.client.messages import Exchange
from echoproto.load.client.poller import READ, WRITE
from echoproto.load.client.proxyheader import header
from echoproto.load.client.tls import TLSSocket, describe

if TYPE_CHECKING:
    from echoproto.load.client.streams import Streams


class Channel(Exchange):
    """
    A stream of messages with a socket of its own, or with one after another.

    :ivar socket: of the present connection, or ``None``.
    :ivar tls: TLS on it, or ``None``.
    :ivar recv: of the socket, or of TLS on it.
    :ivar send: the same.
    :ivar handle: what to do when it is ready for something.
    :ivar since: when anything happened on it last, in ns (but for what is in ``expected``).
    :ivar connect_at: when it began to connect, in ns.
    """

    recv: Callable[[int], bytes]
    send: Callable[[Any], int]

    __slots__ = (
        *("connect_at", "fd", "handle", "recv", "send", "since", "socket", "tls"),
        *("_first_byte_due", "_half_closed", "_mask", "_owner"),
    )

    def __init__(self, number: int, owner: Streams) -> None:
        super().__init__(number, owner.settings)
        self._owner = owner
        self.socket: socket.socket | None = None
        self.tls: TLSSocket | None = None
        self.fd = -1
        self.handle: Callable[[int], None] = lambda _mask: None
        self.since = self.connect_at = self._mask = 0
        self._first_byte_due = self._half_closed = False

    # What becomes of it is for the one who has it to say.

    def opened(self) -> None:
        """It can be used now."""
        raise NotImplementedError

    def attached(self) -> None:
        """It has a descriptor, to be waited for."""
        raise NotImplementedError

    def not_opened(self, code: int) -> None:
        """It could not be connected, as errno says."""
        raise NotImplementedError

    def no_room(self) -> None:
        """The peer's queue of connections is full."""
        raise NotImplementedError

    def failed(self, error: OSError) -> None:
        """Its socket says that it is over."""
        raise NotImplementedError

    def fail(self, why: str, *, reason: str = "") -> None:
        """It is over, since something has failed, for a reason."""
        raise NotImplementedError

    def connect(self) -> None:
        """Begin a connection."""
        owner = self._owner
        self.renew()
        self._half_closed = False
        self._first_byte_due = owner.churn is not None
        self.since = self.connect_at = monotonic_ns()
        self.connect_again()

    def connect_again(self) -> None:
        """Begin the same connection, also where the peer had no room for it before."""
        owner = self._owner
        try:
            made = owner.address.make_socket()
        except OSError as error:
            self.not_opened(error.errno or 0)
            return
        code = made.connect_ex(owner.address.address)
        if code not in (0, errno.EINPROGRESS):
            made.close()
            if code == errno.EAGAIN and made.family == socket.AF_UNIX:
                self.no_room()
            else:
                self.not_opened(code)
            return
        self.socket = made
        self.recv = made.recv
        self.send = made.send
        self.fd = made.fileno()
        self.attached()
        self.handle = lambda _mask: self._connecting(made)
        self._mask = WRITE
        owner.poller.register(self.fd, WRITE)

    def _wait_for(self, mask: int) -> None:
        if mask != self._mask:
            self._mask = mask
            self._owner.poller.modify(self.fd, mask)

    def _connecting(self, made: socket.socket) -> None:
        owner = self._owner
        if code := made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.close()
            self.not_opened(code)
            return
        self.since = monotonic_ns()
        owner.meter.connect.add(self.since - self.connect_at)
        owner.meter.outcome.connected += 1
        self._wait_for(READ)
        if owner.proxy:
            # It fits: nothing else was sent yet.
            made.send(header(owner.proxy, made.getsockname(), made.getpeername()))
        if owner.tls is None:
            self.opened()
            return
        tls = self.tls = TLSSocket(made, owner.tls, owner.host)
        self.recv = tls.recv
        self.send = tls.send
        self.handle = lambda _mask: self._shake_hands(tls)
        self._shake_hands(tls)

    def _shake_hands(self, tls: TLSSocket) -> None:
        self.since = monotonic_ns()
        try:
            tls.shake_hands()
        except BlockingIOError:
            return  # a handshake fits into the buffers of a new socket, so it is the peer's turn
        except OSError as error:
            self.fail(
                "certificate" if isinstance(error, ssl.SSLCertVerificationError) else "TLS", reason=describe(error)
            )
        else:
            self.opened()

    def _flush(self) -> bool:
        """Send what is unsent, as much as the kernel takes; gives whether the connection is still there."""
        send = self.send
        try:
            while self.unsent:
                self.unsent = self.unsent[send(self.unsent) :]
            if self.tls is not None:
                self.tls.flush()
        except BlockingIOError:
            self._wait_for(READ | WRITE)
            return True
        except OSError as error:
            self.failed(error)
            return False
        self._wait_for(READ)
        return True

    def close_sending(self) -> None:
        """Close the sending side, once all is sent: with FIN, over TLS with close_notify."""
        if self.unsent or self._half_closed or self.socket is None:
            return
        self._half_closed = True
        try:
            if self.tls is None:
                self.socket.shutdown(socket.SHUT_WR)
                return
            self.tls.close_sending()
        except OSError as error:
            self.failed(error)
            return
        self._flush()

    def close(self, *, reset: bool = False) -> None:
        """Close the connection, if there is one."""
        if self.socket is None:
            return
        self._owner.poller.forget(self.fd)
        del self._owner.links[self.fd]
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        self.socket = self.tls = None
