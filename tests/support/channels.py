"""
Client ends of connections on non-blocking sockets, plain or with TLS.

Each knows how many of its sent bytes have arrived at the server's kernel (not at the service).
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
"""Maximum bytes of data in a TLS record (RFC 8446, 5.1)."""


class Plain:
    """
    A channel without TLS.

    :param client: a connected socket.
    :param link: its link to the server, if it is not connected to the server itself.

    :ivar ended: kind of end of the received stream; empty before the end.
    """

    def __init__(self, client: socket.socket, link: Link | None = None) -> None:
        self.socket = client
        self.link = link
        self.ended = ""
        self._sent = 0
        self._answered = False
        client.setblocking(False)

    def events(self, *, sending: bool, reading: bool) -> int:
        """Return the events to wait for, to send and to read."""
        return (EVENT_WRITE if sending else 0) | (EVENT_READ if reading else 0)

    def send(self, data: memoryview) -> int:
        """
        Send some data; return the number of accepted bytes.

        :raise BlockingIOError: if there is no room for a byte.
        :raise ConnectionError: if the connection is gone.
        """
        count = self.socket.send(data)
        self._sent += count
        return count

    def half_close(self) -> None:
        """Close the sending side."""
        with suppress(OSError):  # after a reset, receiving reports it
            self.socket.shutdown(socket.SHUT_WR)

    def receive(self, count: int) -> bytes:
        """
        Receive some data; empty at the end of the stream, and for an incomplete TLS record.

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
        Return the minimum number of bytes that have arrived at the server.

        Bytes on a connection in the backlog do not count, since the service does not have them yet; a reply proves that
        the connection was accepted.
        """
        return self._taken() if self._has_answered() else 0

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def reset(self) -> None:
        """Close the socket with RST."""
        reset(self.socket)

    def _taken(self) -> int:
        """Return the minimum number of sent bytes, with TLS encrypted ones, that have arrived at the server."""
        if self.link is not None:
            return self.link.arrived()
        if self.socket.family == socket.AF_UNIX:  # sent bytes arrive at once
            return self._sent
        return max(0, self._sent - not_taken(self.socket))

    def _has_answered(self) -> bool:
        if not self._answered:
            with suppress(OSError):
                self._answered = bool(self.socket.recv(1, socket.MSG_PEEK))
        return self._answered


class Secure(Plain):
    """A channel with TLS; its half-close is the close_notify, after which TLS 1.3 lets the other side go on."""

    def __init__(self, client: socket.socket, link: Link | None = None) -> None:
        super().__init__(client, link)
        self._tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self._tls.set_connect_state()
        self._out = bytearray()
        self._made = 0
        # The ends of records: offsets on the socket, and the corresponding offsets in the data.
        self._ends = [0]
        self._data = [0]
        self._half_closing = False
        self._shake_hands()

    def events(self, *, sending: bool, reading: bool) -> int:
        """Return the events to wait for; a handshake always reads."""
        sending = bool(self._out) or (sending and self._answered)
        return super().events(sending=sending, reading=reading or not self._answered)

    def send(self, data: memoryview) -> int:
        """Encrypt and send as much data as there is room for."""
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
        """Send the close_notify, after the handshake; the TCP connection stays open."""
        self._half_closing = True
        if self._answered:
            self._tls.shutdown()
        self._collect()

    def receive(self, count: int) -> bytes:
        """Decrypt the complete records of the received data."""
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
        """Return the minimum number of arrived data bytes; an incomplete record does not count."""
        return self._data[bisect_right(self._ends, self._taken()) - 1]

    def _collect(self) -> None:
        """Collect the encrypted data to send."""
        while True:
            try:
                sealed = self._tls.bio_read(1 << 16)
            except SSL.WantReadError:
                return
            self._out += sealed
            self._made += len(sealed)

    def _flush(self) -> None:
        """Send as much encrypted data as there is room for."""
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
