"""Clients of an echo on blocking sockets, with known data to send and compare."""

import hashlib
import select
import socket
import ssl
import struct
from collections.abc import Callable

from cryptography import x509
from OpenSSL import SSL

from echoproto.server.sockets.queues import send_queue

PATIENCE = 30.0
"""Seconds without progress after which a test fails."""

STALL = 0.3
"""Seconds without room for another byte after which a sender counts as blocked."""


def payload(size: int, seed: int = 1) -> bytes:
    """Return bytes of a seed without repetition, so that any loss, duplication or shift is visible."""
    return hashlib.shake_128(seed.to_bytes(8)).digest(size)


def exchange(client: socket.socket, data: bytes, *, half_close: bool = True, late: bool = False) -> bytes:
    """
    Send data, optionally close the sending side, and read until the end of the stream.

    :param late: read nothing until all data is sent, or the other side stops accepting it.
    :raise TimeoutError: after `PATIENCE` seconds without progress.
    """
    client.setblocking(False)
    unsent = memoryview(data)
    received = bytearray()
    reading = not late
    if not unsent and half_close:
        client.shutdown(socket.SHUT_WR)
    while True:
        readable, writable, _ = select.select(
            [client] if reading else [], [client] if unsent else [], [], PATIENCE if reading else STALL
        )
        if not readable and not writable:
            if reading:
                raise TimeoutError(f"no progress, {len(unsent)} bytes unsent, {len(received)} received")
            reading = True
        if writable:
            unsent = unsent[client.send(unsent[: 1 << 20]) :]
            if not unsent:
                reading = True
                if half_close:
                    client.shutdown(socket.SHUT_WR)
        if readable:
            chunk = client.recv(1 << 20)
            if not chunk:
                return bytes(received)
            received += chunk


def receive(client: socket.socket, count: int) -> bytes:
    """Read a number of bytes, or fewer if the stream ends."""
    client.settimeout(PATIENCE)
    received = bytearray()
    while len(received) < count and (chunk := client.recv(count - len(received))):
        received += chunk
    return bytes(received)


def not_taken(client: socket.socket) -> int:
    """Return the number of bytes that the peer's kernel has not confirmed; a huge number where it is unknown."""
    queued = send_queue(client.fileno())
    return 1 << 30 if queued is None else queued


def reset(client: socket.socket) -> None:
    """Close with RST instead of FIN."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def name_served(port: int, *, trusted: bytes = b"") -> str:
    """
    Return the common name of the certificate of a local TLS port, after its greeting.

    :param trusted: PEM of the root of its chain; empty to accept any certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if trusted:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=trusted.decode("ascii"))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client,
        context.wrap_socket(client) as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
        if secure.recv(6) != b"Hello\n" or shown is None:
            raise AssertionError("no greeting")
    [name] = x509.load_der_x509_certificate(shown).subject
    return str(name.value)


class TLSClient:
    """
    TLS of a client, apart from its socket, so that the test controls the segments.

    :param client: a connected socket for the handshake.
    :param between: called in the middle of the handshake, after the server's reply to the first message.
    """

    def __init__(self, client: socket.socket, between: Callable[[], object] = lambda: None) -> None:
        self._tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self._tls.set_connect_state()
        client.settimeout(PATIENCE)
        while True:
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                client.sendall(self._drain())
                self._tls.bio_write(client.recv(65536))
                between()
            else:
                client.sendall(self._drain())
                return

    def seal(self, data: bytes, *, close_notify: bool = True) -> bytes:
        """Encrypt data, followed by a close_notify."""
        sealed = bytearray()
        for start in range(0, len(data), 1 << 14):
            self._tls.sendall(data[start : start + (1 << 14)])
            sealed += self._drain()
        if close_notify:
            self._tls.shutdown()
            sealed += self._drain()
        return bytes(sealed)

    def unseal(self, sealed: bytes) -> tuple[bytes, bool]:
        """
        Decrypt all received data.

        :return: the data, and true after a close_notify.
        """
        data = bytearray()
        for start in range(0, len(sealed), 1 << 16):
            self._tls.bio_write(sealed[start : start + (1 << 16)])
            while True:
                try:
                    data += self._tls.recv(1 << 16)
                except SSL.WantReadError:
                    break
                except SSL.ZeroReturnError:
                    return bytes(data), True
        return bytes(data), False

    def _drain(self) -> bytes:
        out = bytearray()
        while True:
            try:
                out += self._tls.bio_read(1 << 16)
            except SSL.WantReadError:
                return bytes(out)
