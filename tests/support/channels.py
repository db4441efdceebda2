"""
Clients' ends of connections, on sockets that never block: bytes as they are, or in TLS.

Each knows how many of the bytes that were sent on it have arrived at the server: at its kernel, not at the service.
"""

from __future__ import annotations

import socket
from bisect import bisect_right
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE

from OpenSSL import SSL

from tests.support.clients import not_taken, reset
from tests.support.faultproxy import Link

RECORD = 1 << 14
"""Bytes of data in a record of TLS at the most (RFC 8446, 5.1)."""


class Plain:
    """
    Bytes as they are.

    :param client: a connected socket.
    :param link: what it is linked to the server by, if it is not connected to it itself.

    :ivar ended: how the stream has ended that is received; empty before that.
    """

    def __init__(self, client: socket.socket, link: Link | None = None) -> None:
        self.socket = client
        self.link = link
        self.ended = ""
        self._sent = 0
        self._answered = False
        client.setblocking(False)

    def events(self, *, sending: bool, reading: bool) -> int:
        """What to wait for, if there is something to send, and something is to be received."""
        return (EVENT_WRITE if sending else 0) | (EVENT_READ if reading else 0)

    def send(self, data: memoryview) -> int:
        """
        Send some data; gives how much of it was taken.

        :raise BlockingIOError: if there is no room for any.
        :raise ConnectionError: if the connection is gone.
        """
        count = self.socket.send(data)
        self._sent += count
        return count

    def half_close(self) -> None:
        """Announce that nothing more will be sent."""
        with suppress(OSError):  # if it was reset, receiving will tell
            self.socket.shutdown(socket.SHUT_WR)

    def receive(self, count: int) -> bytes:
        """
        Receive some data; nothing at the end of the stream, and if it was not enough to be of use.

        :raise BlockingIOError: if there is none.
        :raise ConnectionError: if the connection is gone.
        """
        data = self.socket.recv(count)
        if data:
            self._answered = True
        else:
            self.ended = "end of stream"
        return data

    def arrived(self) -> int:
        """
        How many bytes of data are at the server, at least.

        Those of a connection that waits to be accepted are not the service's yet, so they do not count; one that has
        answered was accepted.
        """
        return self._taken() if self._has_answered() else 0

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def reset(self) -> None:
        """Close it with RST."""
        reset(self.socket)

    def _taken(self) -> int:
        """How many bytes, as they were sent on the socket, are at the server, at least."""
        if self.link is not None:
            return self.link.arrived()
        if self.socket.family == socket.AF_UNIX:  # what is sent is there
            return self._sent
        return max(0, self._sent - not_taken(self.socket))

    def _has_answered(self) -> bool:
        if not self._answered:
            with suppress(OSError):
                self._answered = bool(self.socket.recv(1, socket.MSG_PEEK))
        return self._answered


class Secure(Plain):
    """TLS; its half-close is the close_notify, after which TLS 1.3 lets the other side go on."""

    def __init__(self, client: socket.socket, link: Link | None = None) -> None:
        super().__init__(client, link)
        self._tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self._tls.set_connect_state()
        self._out = bytearray()
        self._made = 0
        # After how many bytes on the socket how many of data are complete: the ends of records.
        self._ends = [0]
        self._data = [0]
        self._half_closing = False
        self._shake_hands()

    def events(self, *, sending: bool, reading: bool) -> int:
        """A handshake is read whether or not the data is to be."""
        sending = bool(self._out) or (sending and self._answered)
        return super().events(sending=sending, reading=reading or not self._answered)

    def send(self, data: memoryview) -> int:
        """Encrypt as much as there is room for."""
        self._flush()
        count = 0
        while self._answered and not self._out and count < len(data):
            sealed = self._tls.send(data[count : count + RECORD])
            count += sealed
            self._collect()
            self._ends.append(self._made)
            self._data.append(self._data[-1] + sealed)
            self._flush()
        return count

    def half_close(self) -> None:
        """Send the close_notify, as soon as the handshake is done; what is below it stays open."""
        self._half_closing = True
        if self._answered:
            self._tls.shutdown()
        self._collect()

    def receive(self, count: int) -> bytes:
        """Decrypt what is complete of what was received."""
        sealed = self.socket.recv(count)
        if not sealed:
            self.ended = "end without close_notify"
            return b""
        self._tls.bio_write(sealed)
        data = bytearray()
        try:
            if not self._answered:
                self._shake_hands()
            while self._answered:
                data += self._tls.recv(RECORD)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = "end of stream"
        except SSL.Error as error:
            raise ConnectionError(f"TLS: {error}") from error
        self._collect()
        return bytes(data)

    def arrived(self) -> int:
        """Of a record of which only a part has arrived, nothing counts."""
        return self._data[bisect_right(self._ends, self._taken()) - 1]

    def _collect(self) -> None:
        """Take over what TLS wants to be sent."""
        while True:
            try:
                sealed = self._tls.bio_read(1 << 16)
            except SSL.WantReadError:
                return
            self._out += sealed
            self._made += len(sealed)

    def _flush(self) -> None:
        """Send of that what there is room for."""
        while self._out:
            try:
                count = self.socket.send(self._out)
            except BlockingIOError:
                return
            del self._out[:count]
            self._sent += count

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            pass
        else:
            self._answered = True
            if self._half_closing:
                self._tls.shutdown()
        self._collect()
