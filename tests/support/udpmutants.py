"""Faulty UDP echo servers: each harms some datagrams in its own way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Replies = Iterator[bytes]
UDPMutant = Callable[[Iterator[bytes]], Replies]
"""Generator from received datagrams to sent ones, for one socket."""

HARM_INTERVAL = 7
"""Number of datagrams of which a mutant harms one."""


def honest(datagrams: Iterator[bytes]) -> Replies:
    """Send all datagrams: no mutant, but the control for the check."""
    yield from datagrams


def drops(datagrams: Iterator[bytes]) -> Replies:
    return (data for number, data in enumerate(datagrams) if number % HARM_INTERVAL)


def duplicates(datagrams: Iterator[bytes]) -> Replies:
    for number, data in enumerate(datagrams):
        yield data
        if not number % HARM_INTERVAL:
            yield data


def swaps(datagrams: Iterator[bytes]) -> Replies:
    for number, data in enumerate(datagrams):
        if not number % HARM_INTERVAL:
            yield next(datagrams)
        yield data


def truncates(datagrams: Iterator[bytes]) -> Replies:
    return (data if number % HARM_INTERVAL else data[: len(data) // 2] for number, data in enumerate(datagrams))


def flips(datagrams: Iterator[bytes]) -> Replies:
    for number, data in enumerate(datagrams):
        yield data if number % HARM_INTERVAL else data[:-1] + bytes([data[-1] ^ 1])


def flips_in_the_header(datagrams: Iterator[bytes]) -> Replies:
    for number, data in enumerate(datagrams):
        yield data if number % HARM_INTERVAL else bytes([data[0] ^ 1]) + data[1:]


def appends(datagrams: Iterator[bytes]) -> Replies:
    return (data if number % HARM_INTERVAL else data + b"!" for number, data in enumerate(datagrams))


@contextmanager
def serving(mutant: UDPMutant) -> Iterator[int]:
    """Serve one socket at a time with a mutant, in a thread; provide the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_serve, args=(server, mutant), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(END, server.getsockname())
        thread.join(10)


END = b"no more"


def _serve(server: socket.socket, mutant: UDPMutant) -> None:
    source: list[object] = []

    def receive() -> Iterator[bytes]:
        while True:
            data, address = server.recvfrom(1 << 16)
            if data == END:
                return
            source[:] = [address]
            yield data

    for data in mutant(receive()):
        server.sendto(data, source[0])  # type: ignore[call-overload]
