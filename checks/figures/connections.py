"""Figures of many connections, at once and in sequence."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack

from checks.figures.bench import (
    SELECT_HOLDS,
    Line,
    cpu_seconds,
    descriptors_of,
    progress,
    seconds_until,
    serving,
)
from checks.figures.load import PING, descriptors_at_rest, echoes
from tests.integration.twistd import PATIENCE, Server, many_descriptors
from tests.support.clients import receive, reset

CHURN = 50_000
SOURCE_ADDRESSES = 8
"""Number of local addresses of the churn, with a thread each: a port stays in TIME_WAIT for a minute."""

DESCRIPTOR_LIMIT = 64
"""Descriptor limit of a server that must run out of descriptors."""

ATTEMPTS = 50
"""Refused connections per second without free descriptors."""

ATTEMPT_SECONDS = 0.1
"""Seconds before a connect is tried again; the kernel resends a dropped SYN only after 1 s (RFC 6298)."""

MAX_CONNECTIONS = 300
"""Connection limit of a server that receives more at once."""

CPU_SHARE = 0.20
RECOVERY_SECONDS = 1.0
SETTLING_SECONDS = 5.0
RSS_GROWTH = 1.10
RSS_GROWTH_AGAIN = 1.05


def descriptors(reactor: str) -> Iterator[Line]:
    """C6: a server without free descriptors, while clients retry for 5 s, then leave."""
    few = ("sh", "-c", f'ulimit -n {DESCRIPTOR_LIMIT}; exec "$@"', "sh")
    with serving(reactor, prefix=few) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(2 * DESCRIPTOR_LIMIT)]
        inside = [client for client in clients if echoes(client)]
        seconds, attempts, refused = 5.0, 0, 0
        begun, used = time.monotonic(), cpu_seconds(server)
        while (now := time.monotonic()) < begun + seconds:
            attempts += 1
            with server.connect() as another:
                refused += not echoes(another)
            time.sleep(max(0.0, now + 1 / ATTEMPTS - time.monotonic()))
        share = (cpu_seconds(server) - used) / (time.monotonic() - begun)
        kept = sum(map(echoes, inside))
        yield Line(
            "descriptors-cpu",
            f"{share:.1%} of a processor, {refused} of {attempts} refused in {seconds:.0f} s",
            f"< {CPU_SHARE:.0%}, all refused",
            share < CPU_SHARE and refused == attempts,
        )
        yield Line(
            "descriptors-inside",
            f"{kept} of {len(inside)} still echo",
            "all",
            kept == len(inside) and kept > DESCRIPTOR_LIMIT / 2,
        )
        stack.close()
        yield _recovery("descriptors-recovery", server)


def churn(reactor: str) -> Iterator[Line]:
    """C1: connect, echo and close 50,000 times, from eight concurrent clients; one in four resets instead."""
    with serving(reactor) as server, ThreadPoolExecutor(SOURCE_ADDRESSES) as pool:
        before, begun = descriptors_at_rest(server), time.monotonic()
        futures = [pool.submit(connect_echo_close, server, number) for number in range(CHURN)]
        _wait(futures)
        failed = [future for future in futures if not future.result()]
        rate = CHURN / (time.monotonic() - begun)
        yield Line("churn", f"{len(failed)} of {CHURN:,} failed, {rate:,.0f} a second", "0 failed", not failed)
        settled = seconds_until(lambda: descriptors_of(server) == before, RECOVERY_SECONDS)
        yield Line(
            "churn-descriptors",
            f"{descriptors_of(server)} open after {settled:.1f} s, {before} at first",
            f"equal within {RECOVERY_SECONDS:.0f} s",
            descriptors_of(server) == before,
        )


def connect_echo_close(server: Server, number: int) -> bool:
    """
    Make one connection of a churn, which closes or resets; return true for an echo and an end.

    :param number: number of the connection, which selects its local address and its end.
    """
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((f"127.0.0.{2 + number % SOURCE_ADDRESSES}", 0))
        client.connect((server.host, server.port))
        good = echoes(client)
        if number // SOURCE_ADDRESSES % 4 == 0:
            reset(client)
            return good
        client.shutdown(socket.SHUT_WR)
        return good and receive(client, 1) == b""


def _wait(futures: list[Future[bool]]) -> None:
    while (done := wait(futures, timeout=2)).not_done:
        progress(f"{len(done.done)} of {len(futures)}")


def storm(reactor: str) -> Iterator[Line]:
    """C2, C3: a full backlog at once, many connections that all leave, and more than the limit."""
    with open("/proc/sys/net/core/somaxconn", encoding="ascii") as file:
        burst = min(1000 if reactor != "select" else SELECT_HOLDS, int(file.read()))
    count = 5000 if reactor != "select" else SELECT_HOLDS
    with serving(reactor) as server, many_descriptors(count + 100):
        before = descriptors_at_rest(server)
        echoed = _burst(server, burst)
        yield Line("storm", f"{burst - echoed} of {burst:,} lost", "0 lost", echoed == burst)
        server.counters()  # nobody is connected any more
        rss = server.status("VmRSS")
        _flood(server, count)
        yield _recovery("storm-recovery", server)
        seconds = seconds_until(lambda: server.tell()["active"] == 0, SETTLING_SECONDS)
        counters = server.counters()
        yield Line(
            "storm-gauges",
            f"0 of {counters['accepted']:,} active after {seconds:.1f} s, and all add up",
            f"0 within {SETTLING_SECONDS:.0f} s",
            seconds <= SETTLING_SECONDS,
        )
        seconds = seconds_until(lambda: descriptors_of(server) == before, SETTLING_SECONDS)
        yield Line(
            "storm-descriptors",
            f"{descriptors_of(server)} open after {seconds:.1f} s, {before} before {count:,} connections",
            f"equal within {SETTLING_SECONDS:.0f} s",
            seconds <= SETTLING_SECONDS,
        )
        yield _memory("storm-memory", server, rss, RSS_GROWTH)
        # What an allocator keeps of the first flood, the second finds there; what is lost at each adds up.
        rss = server.status("VmRSS")
        _flood(server, count)
        yield _memory("storm-memory-again", server, rss, RSS_GROWTH_AGAIN)
    yield _excess(reactor)


def _excess(reactor: str) -> Line:
    """C3: more concurrent connects than the limit."""
    limit, excess = MAX_CONNECTIONS, 2 * MAX_CONNECTIONS
    with serving(reactor, "--max-connections", str(limit)) as server:
        echoed = _burst(server, limit + excess)
        refused = server.counters()["refused"]
    return Line(
        "storm-excess",
        f"{limit - echoed} of {limit} lost, {sum(refused.values())} of {excess} refused",
        "0 lost, all refused",
        echoed == limit and refused == {"max-connections": excess},
    )


def _flood(server: Server, count: int) -> None:
    """Connect, send data that is not read, and reset, all at once."""
    clients = []
    for _ in range(count):
        clients.append(server.connect())
        clients[-1].sendall(PING)
    for client in clients:
        reset(client)


def _memory(name: str, server: Server, before: int, growth: float) -> Line:
    seconds = seconds_until(lambda: server.status("VmRSS") <= growth * before, SETTLING_SECONDS)
    after = server.status("VmRSS")
    return Line(
        name,
        f"RSS {after / 1024:.1f} MiB after {seconds:.1f} s, {before / 1024:.1f} before ({after / before - 1:+.0%})",
        f"{growth - 1:+.0%} within {SETTLING_SECONDS:.0f} s",
        after <= growth * before,
    )


def _burst(server: Server, count: int) -> int:
    """Connect all at once; return the number of echoes."""
    echoed = 0
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((server.host, server.port))
            selector.register(client, selectors.EVENT_WRITE)
        while selector.get_map() and (ready := selector.select(PATIENCE)):
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                selector.unregister(key.fileobj)
                echoed += echoes(key.fileobj)
    return echoed


def _recovery(name: str, server: Server) -> Line:
    def lets_in() -> bool:
        try:
            with socket.create_connection((server.host, server.port), timeout=ATTEMPT_SECONDS) as client:
                return echoes(client)
        except TimeoutError:  # the queue of those who wait is still full
            return False

    seconds = seconds_until(lets_in, PATIENCE)
    return Line(
        name,
        f"a new connection echoes after {seconds:.3f} s",
        f"≤ {RECOVERY_SECONDS:.0f} s",
        seconds <= RECOVERY_SECONDS,
    )
