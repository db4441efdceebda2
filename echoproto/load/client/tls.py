"""
TLS on a socket that does not block, with a sending side that can be closed while more is received.

`ssl.SSLSocket.unwrap` reads from the socket, and fails at data that is on its way still; so this has OpenSSL work on
memory, and reads and writes the socket itself.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

from echoproto.errors import ConfigurationError, one_line
from echoproto.load.workload import Workload

MAX_RECORD_BYTES = 1 << 14
"""Bytes of one record (RFC 8446, section 5.1), and of one call of `TLSSocket.send`."""

RECEIVE_BYTES = 1 << 16
"""Bytes that are received at once."""


class TLSSocket:
    """
    What a load needs of a socket, over TLS.

    :ivar heard: whether anything but a handshake has come.
    :param plain: connected; does not block.
    :param host: whom its certificate has to name.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._plain = plain
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._sealed = memoryview(b"")
        self._opened = bytearray()
        self.heard = False

    def shake_hands(self) -> None:
        """
        Go on with the handshake, and return once it is done.

        :raise BlockingIOError: if it is not yet.
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
                    self.flush()  # the alert that tells the peer why; what failed is raised
                raise
            else:
                self.flush()
                return

    def recv(self, size: int) -> bytes:
        """
        Receive up to so many bytes; none at the end of the stream.

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
        Send some; what is taken, but does not go out at once, goes with the next call, or with `flush`.

        :raise BlockingIOError: if nothing can be taken now.
        """
        self.flush()
        count = self._tls.write(data[:MAX_RECORD_BYTES])
        with suppress(BlockingIOError):
            self.flush()
        return count

    def flush(self) -> None:
        """
        Send what was taken.

        :raise BlockingIOError: if not all of it can be sent now.
        """
        if self._outgoing.pending:
            self._sealed = memoryview(bytes(self._sealed) + self._outgoing.read())
        while self._sealed:
            self._sealed = self._sealed[self._plain.send(self._sealed) :]

    def close_sending(self) -> None:
        """
        Say that nothing more will follow; needs a `flush`, too.

        What has come, and was not received yet, is kept for `recv`: SSL_shutdown(3) fails where it meets data.
        """
        try:
            while True:
                self._opened += self._tls.read(RECEIVE_BYTES)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass  # all that has come is opened
        except ssl.SSLError:
            return  # `recv` fails by it, after what came before
        with suppress(ssl.SSLWantReadError):  # for the peer to say so as well, which it does when it has sent all
            self._tls.unwrap()

    @property
    def pending(self) -> bool:
        """True if there is more to receive, for which no event will come."""
        return bool(self._opened or self._incoming.pending or self._tls.pending())

    def _take(self) -> None:
        data = self._plain.recv(RECEIVE_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


def describe(error: OSError) -> str:
    """Return OpenSSL's reason for a failure of TLS in one line: the fault of the certificate, or the error."""
    name = getattr(error, "reason", None)
    said = name.replace("_", " ").lower() if isinstance(name, str) else error.strerror
    return one_line(getattr(error, "verify_message", "") or said or str(error))


def make_tls_context(workload: Workload) -> ssl.SSLContext:
    """
    How TLS is to be spoken.

    :raise ConfigurationError: if the file of authorities can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=workload.ca)
    except OSError as error:
        raise ConfigurationError(f"--ca {workload.ca}: {describe(error)}: give a PEM file of certificates") from None
    if not workload.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
