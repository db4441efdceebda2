"""Many connections at once, and one after the other."""

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
SOURCES = 8
"""Local addresses that the clients of the churn come from, a thread each: a port is in TIME_WAIT for a minute."""

FEW = 64
"""Descriptors that the server may have when it is to run out of them."""

ATTEMPTS = 50
"""Connections a second that are refused while there is no descriptor."""

ATTEMPT_SECONDS = 0.1
"""After which a connect is tried anew; a kernel whose SYN was dropped would do so after 1 s only (RFC 6298)."""

ROOM = 300
"""Connections that there is room for, where more than that come at once."""

CPU_SHARE = 0.20
RECOVERY_SECONDS = 1.0
SETTLING_SECONDS = 5.0
RSS_GROWTH = 1.10
RSS_GROWTH_AGAIN = 1.05


def descriptors(reactor: str) -> Iterator[Line]:
    """C6: a server that has run out of descriptors, and whose clients come again and again for 5 s, then leave."""
    few = ("sh", "-c", f'ulimit -n {FEW}; exec "$@"', "sh")
    with serving(reactor, prefix=few) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(2 * FEW)]
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
            "descriptors-inside", f"{kept} of {len(inside)} still echo", "all", kept == len(inside) and kept > FEW / 2
        )
        stack.close()
        yield _recovery("descriptors-recovery", server)


def churn(reactor: str) -> Iterator[Line]:
    """C1: 50,000 times connect, echo and close, from eight clients at once; one in four resets instead of closing."""
    with serving(reactor) as server, ThreadPoolExecutor(SOURCES) as pool:
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
    One connection of a churn, which closes or resets; whether it got its echo, and its end.

    :param number: by which local addresses, and the two ends, take turns.
    """
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((f"127.0.0.{2 + number % SOURCES}", 0))
        client.connect((server.host, server.port))
        good = echoes(client)
        if number // SOURCES % 4 == 0:
            reset(client)
            return good
        client.shutdown(socket.SHUT_WR)
        return good and receive(client, 1) == b""


def _wait(futures: list[Future[bool]]) -> None:
    while (done := wait(futures, timeout=2)).not_done:
        progress(f"{len(done.done)} of {len(futures)}")


def storm(reactor: str) -> Iterator[Line]:
    """C2, C3: as many connects at once as may wait, many connections that all go away, and more than there may be."""
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
    """C3: more at once than there may be."""
    limit, excess = ROOM, 2 * ROOM
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
    """Connect, send what is not read, and reset, all at once."""
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
    """Connect at once, without waiting for one another; how many got their echo."""
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
