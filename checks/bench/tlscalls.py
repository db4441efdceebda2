"""
Measure the cost of a TLS echo in each of Python's OpenSSL bindings: ``python -m checks.bench.tlscalls``.

Twisted's TLS uses pyOpenSSL, which calls OpenSSL through cffi; asyncio and uvloop use the interpreter's ``ssl`` module,
which is C. Both do the same work in memory, without a socket: decrypt a record, encrypt the reply. Version and cipher
are the same; each uses the OpenSSL that it was built with.
"""

from __future__ import annotations

import argparse
import os
import ssl
import statistics
import tempfile
import time
from contextlib import suppress
from itertools import pairwise

from OpenSSL import SSL
from rich.table import Table

from echoproto.terminal import console as terminal
from tests.support.certificates import make_pem

CALLS = ("record in", "decrypt", "encrypt", "record out")
ASKED = 1 << 15
"""Maximum bytes per read of Twisted."""


class ByPyOpenSSL:
    """A server on pyOpenSSL."""

    def __init__(self, pem: str) -> None:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_file(pem)
        context.use_privatekey_file(pem)
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()
        self.calls = (self._tls.bio_write, self._tls.recv, self._tls.send, self._tls.bio_read)
        self.version = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode()

    def shake_hands(self) -> None:
        """Continue the handshake, as far as the data allows."""
        with suppress(SSL.WantReadError):
            self._tls.do_handshake()

    def out(self) -> bytes:
        """Return the data to send to the client."""
        with suppress(SSL.WantReadError):
            return self._tls.bio_read(ASKED)
        return b""

    @property
    def cipher(self) -> str:
        """Return the negotiated cipher."""
        return f"{self._tls.get_protocol_version_name()}, {self._tls.get_cipher_name()}"


class BySsl:
    """A peer on the interpreter's ``ssl`` module."""

    version = ssl.OPENSSL_VERSION

    def __init__(self, pem: str = "") -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if pem else ssl.PROTOCOL_TLS_CLIENT)
        if pem:
            context.load_cert_chain(pem)
        else:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(incoming, self._outgoing, server_side=bool(pem))
        self.calls = (incoming.write, self._tls.read, self._tls.write, self._outgoing.read)

    def shake_hands(self) -> None:
        """Continue the handshake, as far as the data allows."""
        with suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()

    def out(self) -> bytes:
        """Return the data to send to the peer."""
        return self._outgoing.read()

    @property
    def cipher(self) -> str:
        """Return the negotiated cipher."""
        return f"{self._tls.version()}, {(self._tls.cipher() or ('none',))[0]}"


def sample(server: ByPyOpenSSL | BySsl, size: int, echoes: int) -> list[float]:
    """
    Echo texts over a connection.

    :return: seconds per echo of each of the `CALLS`.
    :raise RuntimeError: if an echo differs from the sent text.
    """
    client = BySsl()
    give, read, write, _ = client.calls
    client.shake_hands()
    while record := client.out():
        server.calls[0](record)
        server.shake_hands()
        give(server.out())
        client.shake_hands()
    text, spent = os.urandom(size), [0.0] * len(CALLS)
    record_in, decrypt, encrypt, record_out = server.calls
    clock = time.perf_counter
    for _ in range(echoes):
        write(text)
        record = client.out()
        times = [clock()]
        record_in(record)
        times.append(clock())
        clear = decrypt(len(record))
        times.append(clock())
        encrypt(clear)
        times.append(clock())
        record = record_out(ASKED)
        times.append(clock())
        give(record)
        if read(size) != text:
            raise RuntimeError(f"by {type(server).__name__}, an echo is not what was sent")
        spent = [before + end - begin for before, (begin, end) in zip(spent, pairwise(times), strict=True)]
    return [each / echoes for each in spent]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m checks.bench.tlscalls", description=(__doc__ or "").split("\n\n")[1]
    )
    parser.add_argument("--size", type=int, default=64, help="message size in bytes (default 64)")
    parser.add_argument("--rounds", type=int, default=9, help="number of rounds (default 9)")
    parser.add_argument("--echoes", type=int, default=5_000, help="echoes per round (default 5000)")
    arguments = parser.parse_args()
    sides = {"pyOpenSSL": ByPyOpenSSL, "ssl": BySsl}
    found: dict[str, list[list[float]]] = {name: [] for name in sides}
    about = {}
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(make_pem())
        file.flush()
        for _ in range(arguments.rounds):
            for name, side in sides.items():
                server = side(file.name)
                found[name].append(sample(server, arguments.size, arguments.echoes))
                about[name] = f"{server.cipher}, {server.version}"
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("µs an echo")
    for title in (*CALLS, "all"):
        table.add_column(title, justify="right")
    table.add_column("")
    for name, samples in found.items():
        middles = [statistics.median(each) for each in zip(*samples, strict=True)]
        whole = statistics.median(sum(each) for each in samples)
        table.add_row(name, *(f"{each * 1e6:.2f}" for each in (*middles, whole)), about[name])
    terminal().print(table)


if __name__ == "__main__":
    main()
