"""Clients of an echo, on blocking sockets: what they send is known, and what comes back is compared."""

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
"""Seconds without any progress after which a test gives up."""

STALL = 0.3
"""Seconds without room for another byte after which a sender counts as blocked."""


def payload(size: int, seed: int = 1) -> bytes:
    """Bytes that never repeat, so that whatever is lost, doubled or shifted shows; the same ones for the same seed."""
    return hashlib.shake_128(seed.to_bytes(8)).digest(size)


def exchange(client: socket.socket, data: bytes, *, half_close: bool = True, late: bool = False) -> bytes:
    """
    Send data, optionally close the sending side, and read until the end of the stream.

    :param late: read nothing until all is sent, or the other side has stopped taking any more.
    :raise TimeoutError: if there is no progress for long.
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
    """Read so many bytes, or fewer if the stream ends."""
    client.settimeout(PATIENCE)
    received = bytearray()
    while len(received) < count and (chunk := client.recv(count - len(received))):
        received += chunk
    return bytes(received)


def not_taken(client: socket.socket) -> int:
    """Return the bytes that the other side's kernel has not confirmed; where the system does not tell, all of them."""
    queued = send_queue(client.fileno())
    return 1 << 30 if queued is None else queued


def reset(client: socket.socket) -> None:
    """Close with RST instead of FIN."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def name_served(port: int, *, trusted: bytes = b"") -> str:
    """
    The common name of the certificate that a TLS port of this host shows, whose first line comes, too.

    :param trusted: a certificate in PEM that its chain has to lead to; empty for any.
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
            raise AssertionError("it does not greet")
    [name] = x509.load_der_x509_certificate(shown).subject
    return str(name.value)


class TLSClient:
    """
    The TLS side of a client, apart from its socket, so that what goes out in which segment is in the test's hand.

    :param client: a connected socket, on which the handshake is made.
    :param between: called in the middle of the handshake, when the server has answered the first message.
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
        """Encrypt data, and with it the notice that no more will follow."""
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
        Decrypt all that was received.

        :return: the data, and whether its end was announced.
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
