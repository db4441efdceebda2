"""The load of the figures: clients that measure their wait, and greedy ones in processes of their own."""

from __future__ import annotations

import ctypes
import multiprocessing
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from checks.figures.bench import descriptors_of, progress
from tests.integration.twistd import PATIENCE, Server, many_descriptors
from tests.support.clients import STALL, receive

PING = bytes(range(64))
"""Message whose echo is timed."""

SEGMENT = 1460
"""Largest segment over Ethernet, as in RFC 879; that of the loopback is 65,483, for which kernels buffer far more."""

TRICKLE = 4096
"""Bytes per second that a slow reader reads."""

OFFERED = 32 << 20
"""Maximum bytes that a blocked connection offers; the server must accept far fewer."""

OFFERED_BY_MANY = 2 << 20
"""The same for 1,000 connections, so that a server that accepts all uses 2 GiB, not all memory."""

Address = tuple[str, int]
Counter = Any  # mypy does not know what multiprocessing.Value makes


def echoes(client: socket.socket) -> bool:
    """Return true if a message comes back."""
    try:
        client.sendall(PING)
        return receive(client, len(PING)) == PING
    except OSError:
        return False


def descriptors_at_rest(server: Server) -> int:
    """Return the number of descriptors of a server without connections."""
    with server.connect() as client:
        assert echoes(client), "no echo"
        return descriptors_of(server) - 1


def waits(clients: Sequence[socket.socket], *, seconds: float, pause: float) -> list[float]:
    """
    Have clients send at intervals, each after its last echo; return the seconds of each echo.

    :param seconds: duration of sending.
    :param pause: seconds between two sends of one client.
    :raise AssertionError: if an echo is wrong, or does not come.
    """
    taken: list[float] = []
    sent: dict[socket.socket, float] = {}
    number = 0
    begun = said = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        while (now := time.monotonic()) < begun + seconds or sent:
            due = begun + number * pause / len(clients)
            if due <= now < begun + seconds:
                client = clients[number % len(clients)]
                number += 1
                if client not in sent:
                    sent[client] = time.monotonic()
                    client.sendall(PING)
                continue
            for key, _ in selector.select(due - now if due > now else STALL):
                assert isinstance(key.fileobj, socket.socket)
                assert receive(key.fileobj, len(PING)) == PING, "a wrong echo"
                taken.append(time.monotonic() - sent.pop(key.fileobj))
            assert now < begun + seconds + PATIENCE, f"{len(sent)} echoes have not come"
            if now > said + 2:
                said = now
                progress(f"{len(taken)} pings")
    return taken


def narrow(address: Address) -> socket.socket:
    """Connect with small buffers and segments, so that kernels buffer little of the offered data."""
    client = socket.socket()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        client.setsockopt(socket.SOL_SOCKET, buffer, 16 * SEGMENT)
    client.settimeout(PATIENCE)
    client.connect(address)
    return client


def fill(clients: Sequence[socket.socket], most: int = OFFERED) -> int:
    """
    Send on each connection until the other side accepts no more; read nothing.

    :param most: maximum bytes for each connection.
    :return: number of bytes sent, over all connections.
    """
    block = bytes(1 << 16)
    sent = dict.fromkeys(clients, 0)
    said = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.setblocking(False)
            selector.register(client, selectors.EVENT_WRITE)
        while selector.get_map() and (ready := selector.select(STALL)):
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                sent[key.fileobj] += key.fileobj.send(block)
                if sent[key.fileobj] >= most:
                    selector.unregister(key.fileobj)
            if time.monotonic() > said + 2:
                said = time.monotonic()
                progress(f"{sum(sent.values()) >> 20} MiB offered")
    return sum(sent.values())


@contextmanager
def apart(load: Callable[..., None], *arguments: object, outlived: bool = False) -> Iterator[Counter]:
    """
    Put a load on the server from another process, which has started when this context begins.

    :param load: called with the arguments, the counter of this context, and an event to set at the start.
    :param outlived: true if it may end by itself, since the server ends.
    """
    context = multiprocessing.get_context("spawn")
    counter, begun = context.Value(ctypes.c_uint64), context.Event()
    process = context.Process(target=load, args=(*arguments, counter, begun), daemon=True)
    process.start()
    try:
        deadline = time.monotonic() + 4 * PATIENCE
        while not begun.wait(1):
            assert process.is_alive(), "the load has ended before it began"
            assert time.monotonic() < deadline, "the load has not begun"
        yield counter
        assert outlived or process.is_alive(), "the load has ended by itself"
    finally:
        process.kill()
        process.join()


def one_hog(address: Address, echoed: Counter, begun: Any) -> None:
    """Send and receive at full rate, until the other side ends the connection."""
    client = socket.create_connection(address, PATIENCE)
    client.setblocking(False)
    block = memoryview(bytes(1 << 20))
    with client, selectors.DefaultSelector() as selector, suppress(ConnectionError):
        selector.register(client, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while True:
            [(_, mask)] = selector.select()
            if mask & selectors.EVENT_READ:
                chunk = client.recv(1 << 20)
                if not chunk:
                    return
                echoed.value += len(chunk)
                begun.set()
            if mask & selectors.EVENT_WRITE:
                client.send(block)


def many_slow_readers(address: Address, count: int, offered: Counter, begun: Any) -> None:
    """Send as much as is accepted on many connections, and read a little of each at intervals, forever."""
    with many_descriptors(count + 100):
        clients = [narrow(address) for _ in range(count)]
        offered.value = fill(clients, OFFERED_BY_MANY)
        begun.set()
        block = bytes(TRICKLE)
        while True:
            for client in clients:
                try:
                    offered.value -= len(client.recv(TRICKLE))
                    offered.value += client.send(block)
                except BlockingIOError:
                    pass  # no window was opened yet
                time.sleep(1 / count)
