"""
Check that nothing is lost: many connections at once, each with its own schedule, and every byte compared.

``python -m checks.nothing_lost [--gib N] [--seed S] [--reactor R ...]`` starts the installed ``twistd`` on each
reactor, and sends N GiB through it: a third each over TCP, over TLS with close_notify, and over a Unix socket; half of
the connections pass a proxy with a fault. A smaller run over all three follows, in which the service gets SIGTERM.

``python -m checks.nothing_lost --one-connection`` sends 4.5 GiB through one TCP connection (T4), and checks that the
server's memory does not grow.

The seed is printed, and repeats the schedules and faults. The exit status is 1 if a byte is lost or corrupted.

Proves T1, T4, T6, T9, O7.
"""

from __future__ import annotations

import argparse
import selectors
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from secrets import randbits
from signal import SIGTERM, signal

from attrs import define, field

from echoproto.load.client.payload import Payload
from tests.support.faultproxy import FaultProxy
from tests.support.schedule import FaultKind, Schedule, draw
from tests.support.scheduled import STALL, Connection, Place
from tests.support.streamcheck import StreamCheck

PATIENCE = 30.0
"""Seconds without progress on any connection after which outstanding bytes count as lost."""


@define
class Result:
    """The result of all connections of a run."""

    seed: int
    connections: int = 0
    sent: int = 0
    acked: int = 0
    lost: int = 0
    unknown: int = 0
    bad: list[str] = field(factory=list)

    def add(self, connection: Connection) -> None:
        """Count a connection that is over."""
        verdict = connection.verdict()
        self.connections += 1
        self.sent += verdict.sent
        self.acked += verdict.acked
        self.lost += verdict.lost
        self.unknown += verdict.unknown
        if what := connection.complaint():
            schedule = connection.schedule
            self.bad.append(
                f"schedule {schedule.seed}: {what} of {verdict.sent} ({connection.ended}, {schedule.fault.kind.value})"
            )

    def __str__(self) -> str:
        return (
            f"{self.connections} connections, {self.sent / 2**30:.2f} GiB sent, {self.acked / 2**30:.2f} GiB back, "
            f"{self.lost} bytes lost, {self.unknown} unknown after faults, {len(self.bad)} bad, seed {self.seed}"
        )


@define(eq=False)
class Run:
    """
    Send bytes through an echo without a greeting.

    :ivar places: addresses of the echo, used in turn.
    :ivar total: minimum number of bytes to send, over all connections.
    :ivar seed: seed of the run, 0 to 2**63 - 1.
    :ivar schedule: returns the schedule of a connection for a seed.
    :ivar at_once: number of concurrent connections.
    :ivar patience: seconds without progress on any connection after which all are given up.
    :ivar watch: called repeatedly during the run.
    :ivar sent: bytes sent so far, over all connections.
    """

    places: Sequence[Place]
    total: int
    seed: int
    schedule: Callable[[int], Schedule]
    at_once: int
    patience: float
    watch: Callable[[Run], None]
    result: Result = field(init=False)
    sent: int = 0
    _stopping: bool = field(init=False, default=False)
    _selector: selectors.BaseSelector = field(init=False, factory=selectors.DefaultSelector)

    def __attrs_post_init__(self) -> None:
        self.result = Result(self.seed)

    @property
    def connections(self) -> Iterable[Connection]:
        """Connections that are not over."""
        return [key.data for key in self._selector.get_map().values()]

    def stopping(self) -> None:
        """Note the arrived bytes, right before the service is told to stop: they must come back."""
        self._stopping = True
        for connection in self.connections:
            connection.arrived = connection.channel.arrived()

    def run(self) -> Result:
        """Run to the end."""
        planned = opened = 0
        last_progress = time.monotonic()
        with self._selector, FaultProxy() as proxy:
            while (more := planned < self.total and not self._stopping) or self._selector.get_map():
                while more and len(self._selector.get_map()) < self.at_once:
                    schedule = self.schedule(self.seed + opened)
                    self._open(self.places[opened % len(self.places)], schedule, proxy, opened)
                    opened += 1
                    planned += schedule.size + 1000  # so that the empty ones come to an end, too
                    more = planned < self.total
                for key, mask in self._selector.select(STALL):
                    last_progress = time.monotonic()
                    before = key.data.sent
                    key.data.turn(mask)
                    self.sent += key.data.sent - before
                    self._rewatch(key)
                self.watch(self)
                self._urge(given_up=time.monotonic() - last_progress > self.patience)
        return self.result

    def _open(self, place: Place, schedule: Schedule, proxy: FaultProxy, stream: int) -> None:
        # Two of the payload, because each keeps the block that it is at, and the sending is ahead.
        check = StreamCheck(Payload(self.seed, stream))
        connection = Connection(place.open(schedule, proxy), schedule, Payload(self.seed, stream), check)
        if connection.ended:
            self.result.add(connection)
        else:
            self._selector.register(connection.channel.socket, connection.events, connection)

    def _rewatch(self, key: selectors.SelectorKey) -> None:
        connection = key.data
        if connection.ended:
            self._selector.unregister(key.fileobj)
            self.result.add(connection)
        elif connection.events != key.events:
            self._selector.modify(key.fileobj, connection.events, connection)

    def _urge(self, *, given_up: bool) -> None:
        """Start to read on connections that are stuck, and end all without progress."""
        now = time.monotonic()
        for key in list(self._selector.get_map().values()):
            if not key.data.reading and now - key.data.stuck_since > STALL:
                key.data.reading = True
                self._rewatch(key)
            elif given_up:
                key.data.finish("no progress")
                self._rewatch(key)


def run(
    *places: Place,
    total: int,
    seed: int,
    maximum: int = 8 << 20,
    faults: Sequence[FaultKind] = (FaultKind.NONE,),
    schedule: Callable[[int], Schedule] | None = None,
    at_once: int = 20,
    patience: float = PATIENCE,
    watch: Callable[[Run], None] = lambda run: None,
) -> Result:
    """
    Send bytes through an echo without a greeting; see `Run`.

    :param maximum: maximum bytes of one connection.
    :param faults: choice of faults for each connection.
    :param schedule: schedules in place of both.
    """

    def drawn(number: int) -> Schedule:
        return draw(number, maximum, faults)

    return Run(places, total, seed, schedule or drawn, at_once, patience, watch).run()


def main() -> int:
    """Check the installed service on each reactor."""
    from tests.integration.runs import check, check_one_connection
    from tests.suite import here

    parser = argparse.ArgumentParser(
        prog="python -m checks.nothing_lost",
        description=(__doc__ or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--gib", type=float, help="GiB to send on each reactor (default 1; 4.5 with --one-connection)")
    parser.add_argument(
        "--seed", type=int, default=randbits(31), help="seed of the schedules, to repeat a run (default random)"
    )
    parser.add_argument(
        "--reactor", action="append", metavar="R", help="reactor; may be repeated (default all of this platform)"
    )
    parser.add_argument("--one-connection", action="store_true", help="send all data through one connection (T4)")
    arguments = parser.parse_args()
    signal(SIGTERM, lambda *_: sys.exit("ended before its time"))  # and the server with it
    kind, gib = (check_one_connection, 4.5) if arguments.one_connection else (check, 1.0)
    total = int((arguments.gib or gib) * 2**30)
    good = [kind(name, total, arguments.seed) for name in arguments.reactor or here()]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
