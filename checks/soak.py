"""
Run mixed load and faults against the installed ``twistd`` for a long time:
``python -m checks.soak [--minutes N] [--reactor R] [--seed S] [--sighup]``.

Repeats, all at once: connections with every byte compared (with late readers, half-closes and resets), churn, peers
that never read, idle connections, garbage in place of a TLS handshake, and floods of connects. The exit status is 1 if
a byte is lost or corrupted, a well-behaved client is refused, a traceback is logged, descriptors are not released, or
memory grows. Needs Linux (/proc).

Proves T1, T9.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from random import Random
from secrets import randbits
from signal import SIGHUP, SIGTERM, signal
from threading import Event

from attrs import define, field, frozen

from checks.figures.bench import Line, descriptors_of, seconds_until, serving
from checks.figures.connections import connect_echo_close
from checks.figures.load import PING, descriptors_at_rest, echoes, fill, narrow
from checks.nothing_lost import run
from echoproto.reactors.selection import AUTO, auto_name
from tests.integration.twistd import LISTENING, PATIENCE, Server, many_descriptors
from tests.suite import KNOWN
from tests.support.certificates import make_pem
from tests.support.clients import reset
from tests.support.schedule import FAULTS
from tests.support.scheduled import Place

GROWTH = 8.0
"""Maximum growth of the memory in MiB per hour; a leak of 100 B at 1,000 connections per second would be 340."""

NOISE = 4.0
"""Allowed rise in MiB in a short run, since an allocator keeps memory that it got from the system."""

JUDGED_MINUTES = 5.0
"""Minimum length of a run for a verdict on growth; in a shorter one, the warm-up looks like growth."""

SETTLING_SECONDS = 5.0
PROGRESS_SECONDS = 10.0
MAX_PROBLEMS = 20

CHURN_PAUSE = 0.008
"""Maximum seconds between two connections of the churn; all that close in a minute are in TIME_WAIT together."""

FLOOD = 300
IDLE = 20
BLOCKED = 5


@define
class Run:
    """
    One soak.

    :ivar problems: problems so far.
    :ivar done: number of runs of each kind of load, and of compared bytes.
    """

    server: Server
    tls: int
    seed: int
    over: Event = field(factory=Event)
    problems: list[str] = field(factory=list)
    done: Counter[str] = field(factory=Counter)

    def repeat(self, kind: Callable[[Run, Random], None]) -> None:
        """Repeat one kind of load until the time is over."""
        random = Random(f"{self.seed} {kind.__name__}")
        while not self.over.is_set():
            try:
                kind(self, random)
                self.done[kind.__name__] += 1
            except (AssertionError, OSError) as error:
                self.problem(f"{kind.__name__}: {type(error).__name__}: {error}")

    def problem(self, text: str) -> None:
        """Record a problem; end the soak after many."""
        self.problems.append(text)
        if len(self.problems) >= MAX_PROBLEMS:
            self.over.set()

    def __str__(self) -> str:
        done = sorted(self.done.items())
        return ", ".join([f"{len(self.problems)} problems", *(f"{count:,} {name}" for name, count in done)])


def checked(soak: Run, random: Random) -> None:
    """Compare every byte of connections with late reads, half-closes, resets, and faults on their way."""
    place = Place(soak.server.connect)
    result = run(place, total=32 << 20, seed=random.getrandbits(31), maximum=4 << 20, faults=FAULTS, at_once=10)
    soak.done["MiB compared"] += result.acked >> 20
    for line in result.bad:
        soak.problem(f"checked: {line}")


def churn(soak: Run, random: Random) -> None:
    """Connect, echo, and close or reset."""
    assert connect_echo_close(soak.server, random.getrandbits(16)), "no echo, or no end"
    soak.over.wait(random.uniform(0, CHURN_PAUSE))


def idle(soak: Run, random: Random) -> None:
    """Connect, stay idle for a while, and then expect an echo."""
    with ExitStack() as stack:
        clients = [stack.enter_context(soak.server.connect()) for _ in range(IDLE)]
        soak.over.wait(random.uniform(0, 30))
        assert all(map(echoes, clients)), "no echo after a pause"


def blocked(soak: Run, random: Random) -> None:
    """Send until nothing more is accepted, never read, and leave."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(narrow((soak.server.host, soak.server.port))) for _ in range(random.randint(1, BLOCKED))
        ]
        fill(clients)
        soak.over.wait(random.uniform(0, 20))
        for client in clients:
            reset(client)


def garbage(soak: Run, random: Random) -> None:
    """Send garbage to the TLS port; the server may do anything but die."""
    with socket.create_connection((soak.server.host, soak.tls), timeout=PATIENCE) as client, suppress(OSError):
        client.settimeout(1)
        client.sendall(random.choice((b"GET / HTTP/1.1\r\n\r\n", b"\0", random.randbytes(random.randint(1, 9999)))))
        while client.recv(1 << 16):
            pass


def flood(soak: Run, random: Random) -> None:
    """Connect many times at once, send data, and reset all connections before the echo."""
    clients = [socket.socket() for _ in range(random.randint(FLOOD // 2, FLOOD))]
    for client in clients:
        client.setblocking(False)
        client.connect_ex((soak.server.host, soak.server.port))
    for client in clients:
        with suppress(BlockingIOError, BrokenPipeError):  # not connected yet
            client.send(PING)
        reset(client)
    soak.over.wait(random.uniform(0, 2))


def hang_up(soak: Run, random: Random) -> None:
    """Have the server reload."""
    soak.server.process.send_signal(SIGHUP)
    soak.over.wait(random.uniform(0, 5))


KINDS = (checked, churn, idle, blocked, garbage, flood)


@frozen
class Growth:
    """
    Growth of the memory.

    :ivar slope: MiB per hour.
    :ivar rise: MiB from the first to the last sample, along the line.
    :ivar scatter: MiB, the standard deviation from the line.
    """

    slope: float
    rise: float
    scatter: float

    @property
    def leaks(self) -> bool:
        """True if it is more than noise."""
        return self.slope > GROWTH and self.rise > max(NOISE, 2 * self.scatter)


def growth(samples: Sequence[tuple[float, float]]) -> Growth:
    """
    Return the growth by least squares, without the first third, which is the warm-up.

    :param samples: seconds and MiB, at least four.
    """
    seconds, sizes = zip(*samples[len(samples) // 3 :], strict=True)
    slope, start = statistics.linear_regression(seconds, sizes)
    scatter = statistics.pstdev(size - start - slope * second for second, size in zip(seconds, sizes, strict=True))
    return Growth(slope * 3600, slope * (seconds[-1] - seconds[0]), scatter)


def watch(soak: Run, seconds: float) -> list[tuple[float, float]]:
    """Wait until the time is over; return the memory in MiB, every few seconds."""
    begun = said = time.monotonic()
    samples: list[tuple[float, float]] = []
    while True:
        try:
            size, descriptors = soak.server.status("VmRSS") / 1024, descriptors_of(soak.server)
        except (OSError, ValueError):  # /proc tells neither of a process that has ended
            soak.problem("the server has ended by itself")
            return samples
        now = time.monotonic()
        samples.append((now - begun, size))
        if now - said >= PROGRESS_SECONDS:
            said = now
            print(f"    … {now - begun:.0f} s, RSS {size:.1f} MiB, {descriptors} descriptors, {soak}", flush=True)
        if soak.over.wait(min(5.0, seconds / 20)) or time.monotonic() - begun >= seconds:
            return samples


def soaked(server: Server, tls: int, seconds: float, seed: int, *, sighup: bool) -> list[Line]:
    """Return the result of a soak of a server."""
    soak = Run(server, tls, seed)
    before = descriptors_at_rest(server)
    print(f"the server's pid is {server.pid}, and it has {before} descriptors", flush=True)
    kinds = (*KINDS, hang_up) if sighup else KINDS
    with ThreadPoolExecutor(len(kinds)) as pool:
        loads = [pool.submit(soak.repeat, kind) for kind in kinds]
        for load in loads:
            load.add_done_callback(lambda _: soak.over.set())  # which is how it ends, or else an error of its own
        try:
            samples = watch(soak, seconds)
        finally:
            soak.over.set()
    for load in loads:
        load.result()
    print(*(f"  {problem}" for problem in soak.problems), sep="\n", end="\n" if soak.problems else "")
    print(soak)
    lines = [Line("load", f"{len(soak.problems)} problems", "0 problems", not soak.problems)]
    if server.process.poll() is None:
        settled = seconds_until(lambda: descriptors_of(server) == before, SETTLING_SECONDS)
        after = descriptors_of(server)
        hold = f"equal within {SETTLING_SECONDS:.0f} s"
        lines.append(Line("descriptors", f"{after} after {settled:.1f} s, {before} at first", hold, after == before))
    if len(samples) > 3:
        grown = growth(samples)
        sizes = f"{samples[0][1]:.1f} to {samples[-1][1]:.1f} MiB, ± {grown.scatter:.1f}"
        held = not grown.leaks if seconds >= 60 * JUDGED_MINUTES else None
        lines.append(Line("memory", f"{grown.slope:+.1f} MiB an hour, {sizes}", f"≤ {GROWTH:.0f} MiB an hour", held))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.soak", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--minutes", type=float, default=30.0, help="duration in minutes (default 30)")
    parser.add_argument("--reactor", default=AUTO, choices=(AUTO, *KNOWN), help="reactor of the server (default auto)")
    parser.add_argument(
        "--seed", type=int, default=randbits(31), help="seed of the schedules, to repeat a run (default random)"
    )
    parser.add_argument("--sighup", action="store_true", help="make the server reload from time to time")
    arguments = parser.parse_args()
    signal(SIGTERM, lambda *_: sys.exit("ended before its time"))  # and the server with it
    reactor = auto_name() if arguments.reactor == AUTO else arguments.reactor
    lines, log = [], Line("log", "no traceback, exit status 0", "the same", held=True)
    with tempfile.TemporaryDirectory(prefix="echo-") as folder, many_descriptors(2000):
        path = os.path.join(folder, "echo.pem")
        with open(path, "wb") as file:
            file.write(make_pem())
        try:
            listen = f"ssl:0:privateKey={path}:interface=127.0.0.1"
            with serving(reactor, "--port", "0", "--listen", listen) as server:
                tls = int(server.wait_for(LISTENING)[3])
                print(f"{arguments.minutes:g} minutes on {reactor}, seed {arguments.seed}", flush=True)
                lines = soaked(server, tls, 60 * arguments.minutes, arguments.seed, sighup=arguments.sighup)
        except AssertionError as error:
            log = Line("log", str(error), "no traceback, exit status 0", held=False)
    print(*lines, log, sep="\n")
    return 0 if all(line.held is not False for line in (*lines, log)) else 1


if __name__ == "__main__":
    sys.exit(main())
