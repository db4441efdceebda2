"""
The "nothing lost" check on the installed ``twistd``: over TCP, TLS and a Unix socket, with faults on the way, and with
SIGTERM in the middle.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from checks.nothing_lost import Result, Run, run
from tests.integration.twistd import LISTENING, Server, script
from tests.suite import environment_for
from tests.support.certificates import make_pem
from tests.support.schedule import FAULTS, Schedule, draw_stop
from tests.support.scheduled import Place

SHARES = {"tcp": 3, "tls": 1, "unix": 3}
"""How much of a run goes over each: TLS costs this many times more, on both sides."""

DRAIN = 10
"""Seconds that a stop may take (the default of ``drain``), before it aborts what is left."""

GROWTH = 4 << 10
"""KiB by which the memory of a server may grow while bytes flow through one connection."""

SETTLED = 100 << 20
"""Bytes after which its memory has settled: those for its buffers are allocated by then."""


def words(folder: str) -> list[str]:
    """What to have ``twistd echo`` serve in all three places, with what it needs in a folder."""
    pem = os.path.join(folder, "echo.pem")
    with open(pem, "wb") as file:
        file.write(make_pem())
    secure = f"ssl:0:privateKey={pem}:interface=127.0.0.1"
    unix = f"unix:{os.path.join(folder, 's')}"
    options = ["--greeting", "", "--log-connections", "off", "--drain", str(DRAIN)]
    return ["--port", "0", "--listen", secure, "--listen", unix, *options]


def places(server: Server, folder: str) -> dict[str, Place]:
    """Where a server that was just started with these words listens."""
    port = int(server.wait_for(LISTENING)[3])
    server.wait_for(LISTENING)

    def unix() -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.connect(os.path.join(folder, "s"))
        return client

    return {
        "tcp": Place(server.connect),
        "tls": Place(lambda: socket.create_connection((server.host, port)), secure=True),
        "unix": Place(unix),
    }


@define(eq=False)
class Stop:
    """
    Tells a server to stop in the middle of a run; to be its ``watch``.

    :ivar after: how many bytes are sent before.
    :ivar begun: when that was, by the monotonic clock; 0 before.
    """

    server: Server
    after: int
    begun: float = 0.0

    def __call__(self, run: Run) -> None:
        """Look whether so many bytes were sent."""
        if not self.begun and run.sent >= self.after:
            run.stopping()
            self.begun = time.monotonic()
            self.server.process.send_signal(signal.SIGTERM)


def stop_in_the_middle(server: Server, where: dict[str, Place], total: int, seed: int) -> tuple[Result, int, float]:
    """
    Send bytes to all places, and SIGTERM after some of them.

    :return: what came back, the exit status, and after how many seconds it had ended, at most.
    """
    stop = Stop(server, draw_stop(seed, total))
    result = run(*where.values(), total=total, seed=seed, faults=FAULTS, maximum=2 << 20, watch=stop)
    if not stop.begun:
        raise AssertionError(f"fewer than {stop.after} bytes were sent: {result}")
    status = server.end()
    return result, status, time.monotonic() - stop.begun


@define(eq=False)
class Memory:
    """
    Watches the memory of a server while bytes flow; to be the ``watch`` of a run.

    :ivar settled: bytes after which it has settled.
    :ivar step: bytes between two looks.
    :ivar seen: (bytes that came back, VmRSS in KiB), since then.
    """

    server: Server
    settled: int
    step: int
    seen: list[tuple[int, int]] = field(factory=list)

    def __call__(self, run: Run) -> None:
        """Look, if enough has come back since the last time."""
        received = sum(connection.received for connection in run.connections)
        if received >= (self.seen[-1][0] + self.step if self.seen else self.settled):
            self.seen.append((received, self.server.status("VmRSS")))

    @property
    def growth(self) -> int:
        """By how many KiB it has grown at the most."""
        return max(kib for _, kib in self.seen) - self.seen[0][1]

    @property
    def slope(self) -> float:
        """KiB per GiB."""
        return statistics.linear_regression(*zip(*self.seen, strict=True)).slope * 2**30


def through_one_connection(
    server: Server, place: Place, size: int, seed: int, settled: int = SETTLED
) -> tuple[Result, Memory]:
    """
    T4: send many bytes through one connection, and watch the memory of the server (on Linux).

    :param size: how many bytes.
    :param settled: bytes after which its memory has settled.
    """
    memory = Memory(server, settled, (size - settled) // 100)
    result = run(place, total=1, seed=seed, schedule=lambda number: Schedule(number, size), watch=memory)
    return result, memory


def check(reactor: str, total: int, seed: int) -> bool:
    """Run all of it on a reactor, and print how it went; gives whether all is well."""
    good = True
    with _serving(reactor) as (server, where):
        for name, place in where.items():
            begun = time.monotonic()
            result = run(place, total=total // 3, seed=seed, faults=FAULTS)
            good &= _told(f"{reactor:<8} {name:<5} {result}, {time.monotonic() - begun:.0f} s", result)
        result, status, seconds = stop_in_the_middle(server, where, min(total // 8, 1 << 28), seed)
        good &= _told(f"{reactor:<8} SIGTERM {result}, exit status {status} after {seconds:.1f} s", result)
        good &= status == 0 and seconds <= DRAIN + 1
    return good and "Traceback" not in "\n".join(server.lines)


def check_one_connection(reactor: str, total: int, seed: int) -> bool:
    """T4 on a reactor: print how it went; gives whether all is well, and the memory flat."""
    with _serving(reactor) as (server, where):
        begun = time.monotonic()
        result, memory = through_one_connection(server, where["tcp"], total, seed)
        flat = f"memory grew by {memory.growth} KiB, {memory.slope:.0f} KiB per GiB"
        good = _told(f"{reactor:<8} {result}, {flat}, {time.monotonic() - begun:.0f} s", result)
    return good and memory.growth <= GROWTH


@contextmanager
def _serving(reactor: str) -> Iterator[tuple[Server, dict[str, Place]]]:
    with tempfile.TemporaryDirectory(prefix="echo-") as folder:
        command = (script("twistd"), "-n", "echo", "--reactor", reactor, *words(folder))
        server = Server(*command, cwd=folder, env=environment_for(reactor))
        try:
            server.listening()
            yield server, places(server, folder)
        finally:
            server.stop()
            if "Traceback" in "\n".join(server.lines):
                print(*server.lines, sep="\n")


def _told(line: str, result: Result) -> bool:
    print(line, *(f"  {bad}" for bad in result.bad[:10]), sep="\n", flush=True)
    return not result.bad
