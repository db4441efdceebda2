"""UDP servers that are almost an echo: each harms some datagrams in a way of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Replies = Iterator[bytes]
UDPMutant = Callable[[Iterator[bytes]], Replies]
"""Makes the datagrams to send of those received, all of one socket."""

EVERY = 7
"""Which of them it harms."""


def honest(datagrams: Iterator[bytes]) -> Replies:
    """Not a mutant."""
    yield from datagrams


def drops(datagrams: Iterator[bytes]) -> Replies:
    return (data for number, data in enumerate(datagrams) if number % EVERY)


def duplicates(datagrams: Iterator[bytes]) -> Replies:
    for number, data in enumerate(datagrams):
        yield data
        if not number % EVERY:
            yield data


def swaps(datagrams: Iterator[bytes]) -> Replies:
    for number, data in enumerate(datagrams):
        if not number % EVERY:
            yield next(datagrams)
        yield data


def truncates(datagrams: Iterator[bytes]) -> Replies:
    return (data if number % EVERY else data[: len(data) // 2] for number, data in enumerate(datagrams))


def flips(datagrams: Iterator[bytes]) -> Replies:
    for number, data in enumerate(datagrams):
        yield data if number % EVERY else data[:-1] + bytes([data[-1] ^ 1])


def flips_in_the_header(datagrams: Iterator[bytes]) -> Replies:
    for number, data in enumerate(datagrams):
        yield data if number % EVERY else bytes([data[0] ^ 1]) + data[1:]


def appends(datagrams: Iterator[bytes]) -> Replies:
    return (data if number % EVERY else data + b"!" for number, data in enumerate(datagrams))


@contextmanager
def serving(mutant: UDPMutant) -> Iterator[int]:
    """Serve with a mutant, in a thread; gives the port. For one socket at a time."""
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
