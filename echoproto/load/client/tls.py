"""
TLS on a non-blocking socket, with half-close.

`ssl.SSLSocket.unwrap` reads from the socket, and fails if data is still on its way. So OpenSSL works on memory here,
and this module reads and writes the socket.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

from echoproto.errors import ConfigurationError, one_line
from echoproto.load.workload import Workload

MAX_RECORD_BYTES = 1 << 14
"""Maximum bytes of a record (RFC 8446, section 5.1), and of a call of `TLSSocket.send`."""

RECEIVE_BYTES = 1 << 16
"""Maximum bytes per receive."""


class TLSSocket:
    """
    The part of a socket's interface that a load needs, over TLS.

    :ivar heard: true once application data has been received.
    :param plain: connected, non-blocking socket.
    :param host: name that the certificate must contain.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._plain = plain
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._sealed = memoryview(b"")
        self._opened = bytearray()
        self.heard = False

    def do_handshake(self) -> None:
        """
        Continue the handshake, and return once it is complete.

        :raise BlockingIOError: if it is incomplete.
        :raise OSError: if it failed; an `ssl.SSLError`, most likely.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                self._take()
            except ssl.SSLError:
                with suppress(OSError):
                    self.flush()  # sends the alert that tells the peer why; the handshake's own error is raised
                raise
            else:
                self.flush()
                return

    def recv(self, size: int) -> bytes:
        """
        Receive up to a number of bytes; none at the end of the stream.

        :raise BlockingIOError: if there are none yet.
        :raise ssl.SSLEOFError: if the stream has ended without close_notify.
        """
        if self._opened:
            data = bytes(self._opened[:size])
            del self._opened[:size]
            return data
        while True:
            try:
                data = self._tls.read(size)
            except ssl.SSLWantReadError:
                self._take()
            except ssl.SSLZeroReturnError:
                return b""
            else:
                self.heard = True
                return data

    def send(self, data: memoryview) -> int:
        """
        Accept bytes to send, and return their number; the next call or `flush` sends those that did not go out at once.

        :raise BlockingIOError: if no bytes can be accepted now.
        """
        self.flush()
        count = self._tls.write(data[:MAX_RECORD_BYTES])
        with suppress(BlockingIOError):
            self.flush()
        return count

    def flush(self) -> None:
        """
        Send all accepted bytes.

        :raise BlockingIOError: if some of them can't be sent now.
        """
        if self._outgoing.pending:
            self._sealed = memoryview(bytes(self._sealed) + self._outgoing.read())
        while self._sealed:
            self._sealed = self._sealed[self._plain.send(self._sealed) :]

    def close_sending(self) -> None:
        """
        Prepare close_notify; call `flush` next to send it.

        Received data is kept for `recv`, because SSL_shutdown(3) fails if data is pending.
        """
        try:
            while True:
                self._opened += self._tls.read(RECEIVE_BYTES)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass  # all received data is decrypted
        except ssl.SSLError:
            return  # `recv` raises it, after the data before it
        with suppress(
            ssl.SSLWantReadError
        ):  # waits for the peer's close_notify, which comes when the peer has sent all
            self._tls.unwrap()

    @property
    def pending(self) -> bool:
        """True if received data is buffered here; no event announces it."""
        return bool(self._opened or self._incoming.pending or self._tls.pending())

    def _take(self) -> None:
        data = self._plain.recv(RECEIVE_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


def describe(error: OSError) -> str:
    """Describe a TLS failure in one line: the fault of the certificate, or OpenSSL's error."""
    name = getattr(error, "reason", None)
    said = name.replace("_", " ").lower() if isinstance(name, str) else error.strerror
    return one_line(getattr(error, "verify_message", "") or said or str(error))


def make_tls_context(workload: Workload) -> ssl.SSLContext:
    """
    Return the TLS context of a load.

    :raise ConfigurationError: if the CA file can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=workload.ca)
    except OSError as error:
        raise ConfigurationError(f"--ca {workload.ca}: {describe(error)}: give a PEM file of certificates") from None
    if not workload.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
