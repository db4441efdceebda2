"""
Faulty echo servers: each harms or loses bytes in its own way, and the check must detect each.

A mutant is a generator from received chunks to sent chunks; the received chunks end at the peer's half-close.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.support.schedule import FaultKind

PAUSE = 0.4
"""Seconds without data that some mutants misinterpret."""

Mutant = Callable[[Iterator[bytes]], Iterator[bytes]]


def honest(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Send all chunks: no mutant, but the control for the check."""
    yield from chunks


def drops_the_last_byte(chunks: Iterator[bytes]) -> Iterator[bytes]:
    kept = b""
    for chunk in chunks:
        yield kept + chunk[:-1]
        kept = chunk[-1:]


def drops_a_chunk(chunks: Iterator[bytes]) -> Iterator[bytes]:
    return (chunk for number, chunk in enumerate(chunks) if number != 3)


def duplicates_a_chunk(chunks: Iterator[bytes]) -> Iterator[bytes]:
    return (chunk * 2 if number == 3 else chunk for number, chunk in enumerate(chunks))


def swaps_two_chunks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield from itertools.islice(chunks, 3)
    yield from reversed(list(itertools.islice(chunks, 2)))
    yield from chunks


def flips_a_bit(chunks: Iterator[bytes]) -> Iterator[bytes]:
    for number, chunk in enumerate(chunks):
        yield chunk[:-1] + bytes([chunk[-1] ^ 1]) if number == 3 else chunk


def cuts_at_nul(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut chunks at NUL, as the C server that this project began with."""
    return (chunk.partition(b"\0")[0] for chunk in chunks)


def forgets_the_tail(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Drop unsent data when the peer half-closes, as stock Twisted does."""
    waiting = b""
    for chunk in chunks:
        yield waiting
        waiting = chunk


def greets(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Send a greeting, which is harmless to a person, but not an echo."""
    yield b"Hello\n"
    yield from chunks


def says_goodbye(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield from chunks
    yield b"Bye\n"


def closes_early(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Close early, which resets the connection if data is unread."""
    return itertools.islice(chunks, 3)


def sends_only_its_own(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Send the right number of bytes, all of them wrong."""
    return (bytes(len(chunk)) for chunk in chunks)


def takes_a_pause_for_the_end(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """End at a pause, which only a stall on the way to it reveals: a stuck client makes it send, not wait."""
    for chunk, waited in _timed(chunks):
        if waited > PAUSE:
            return
        yield chunk


def forgets_the_tail_when_the_end_is_late(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Drop the tail before a late end, which only a delayed FIN reveals."""
    waiting = b""
    for chunk, waited in _timed(chunks):
        if chunk or waited < PAUSE:
            yield waiting
        waiting = chunk


def _timed(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, float]]:
    """Yield each chunk, and an empty one at the end, with the seconds of waiting for it."""
    while True:
        begun = time.monotonic()
        chunk = next(chunks, b"")
        yield chunk, time.monotonic() - begun
        if not chunk:
            return


REVEALED_BY_FAULTS: dict[Mutant, FaultKind] = {
    takes_a_pause_for_the_end: FaultKind.STALL,
    forgets_the_tail_when_the_end_is_late: FaultKind.SLOW_CLOSE,
}
"""Mutants that echo correctly on a network without faults, and the fault that reveals each."""

MUTANTS: tuple[Mutant, ...] = (
    drops_the_last_byte,
    drops_a_chunk,
    duplicates_a_chunk,
    swaps_two_chunks,
    flips_a_bit,
    cuts_at_nul,
    forgets_the_tail,
    greets,
    says_goodbye,
    closes_early,
    sends_only_its_own,
)


@contextmanager
def serving(mutant: Mutant) -> Iterator[Callable[[], socket.socket]]:
    """Serve with a mutant, in a thread for each connection; provide a function that connects to it."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        threading.Thread(target=_accept, args=(listener, mutant), daemon=True).start()
        address = listener.getsockname()
        yield lambda: socket.create_connection(address, timeout=10)
        listener.shutdown(socket.SHUT_RDWR)  # so that accept returns


def _accept(listener: socket.socket, mutant: Mutant) -> None:
    with suppress(OSError):  # the listener was closed: the end
        while True:
            threading.Thread(target=_serve, args=(listener.accept()[0], mutant), daemon=True).start()


def _serve(connection: socket.socket, mutant: Mutant) -> None:
    with connection, suppress(ConnectionError):  # the check resets some of its connections
        for chunk in mutant(iter(lambda: connection.recv(4096), b"")):
            connection.sendall(chunk)
