"""
Runs a load: connects, warms up, measures, and brings what it found into an outcome.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import nullcontext
from time import monotonic_ns

from echoproto.host.limits import descriptors
from echoproto.load.address import affordable
from echoproto.load.client.meter import NS, Meter
from echoproto.load.client.poller import punctual
from echoproto.load.client.streamload import StreamLoad
from echoproto.load.client.udp import UDPLoad
from echoproto.load.errors import ClientLimit, nothing_reached
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Transport, Workload

TICK = NS // 5
"""ns between two looks at what has come to pass, and two calls of ``progress``; a whole number of them in a second."""

PATIENCE = 10.0
"""Seconds without anything on a connection after which what has not come back on it is lost."""


def run(
    workload: Workload,
    *,
    progress: Callable[[Outcome], None] | None = None,
    first: int = 0,
    interrupted: Callable[[], bool] = lambda: False,
    patience: float = PATIENCE,
) -> Outcome:
    """
    Run a load, in one process.

    A connection that fails is not made anew: it is counted, and the others go on (but for churn, where the next
    message has a new one anyway). If all have failed, the run is over.

    :param workload: what to do; of its connections, rate and count, this process does all, whatever it says of
        processes.
    :param progress: called about every 0.2 s with what was found so far; the sooner it returns, the truer the times.
    :param first: number of the first connection, so that no two processes send the same bytes.
    :param interrupted: asked as often; if it says so, the run ends at once.
    :param patience: seconds without anything on a connection after which it is given up.
    :raise EchoError: if nothing at all could be reached, as in `echoproto.load.errors`.
    """
    meter = Meter(workload.server_pid)
    workload, fewer = affordable(workload)
    if fewer:
        meter.outcome.own_limits["descriptors"] += fewer
    is_udp = workload.target.transport is Transport.UDP
    try:
        load = (UDPLoad if is_udp else StreamLoad)(workload, meter, first, patience)
    except OSError as error:
        raise ClientLimit(f"client limit: {error.strerror}") from None
    try:
        needed = workload.connections + workload.idle
        with descriptors(needed), punctual() if workload.rate else nullcontext():
            _Run(workload, meter, load, progress, interrupted).all()
    finally:
        gc.unfreeze()
        load.close()
    return meter.outcome


class _Run:
    def __init__(
        self,
        workload: Workload,
        meter: Meter,
        load: StreamLoad | UDPLoad,
        progress: Callable[[Outcome], None] | None,
        interrupted: Callable[[], bool],
    ) -> None:
        self._workload = workload
        self._meter = meter
        self._load = load
        self._progress = progress
        self._interrupted = interrupted
        self._next_tick = 0

    def all(self) -> None:
        """Connect, warm up, measure."""
        workload, meter, load = self._workload, self._meter, self._load
        self._next_tick = monotonic_ns() + TICK
        load.connect(self._wait)
        # What there is now stays; the collector need not go through all of it, which takes as long as many echoes.
        gc.collect()
        gc.freeze()
        if workload.warmup:
            self._phase(monotonic_ns() + int(workload.warmup * NS), None, half_close=False)
            self._check_reached()
        meter.look()
        begun = monotonic_ns()
        self._tick(begun)
        end = begun + int((workload.duration or 1e9) * NS)
        meter.begin(begun, end, anew=workload.churn is not None)
        self._next_tick = begun + TICK
        self._phase(end, workload.count, half_close=workload.half_close)
        now = monotonic_ns()
        over = now if workload.count is None else begun
        meter.tick(now)
        meter.end(max(load.last, min(end, over)))
        load.finish()
        self._count_bytes()
        self._check_reached()

    def _check_reached(self) -> None:
        """Say why no message has come to an echo, if that is known, as if no connection could have been made."""
        outcome, load = self._meter.outcome, self._load
        if outcome.interrupted or outcome.messages:
            return
        self._count_bytes()
        if (not outcome.acked and outcome.errors["greeting"]) or not load.reached:
            raise nothing_reached(self._workload, outcome, load.reason)

    def _phase(self, end: int, count: int | None, *, half_close: bool) -> None:
        """Send until a time, or so many messages; then wait for what is in flight."""
        if self._meter.outcome.interrupted:
            return
        self._load.begin(count, half_close=half_close)
        self._until(end)
        self._load.stop(min(end, monotonic_ns()))
        self._meter.outcome.unsent = self._load.unsent
        self._wait()

    def _wait(self) -> None:
        self._until(1 << 62)

    def _until(self, end: int) -> None:
        load = self._load
        while load.working and (now := monotonic_ns()) < end:
            load.turn(min(end, self._next_tick))
            if (now := monotonic_ns()) >= self._next_tick:
                self._tick(now)

    def _tick(self, now: int) -> None:
        late = max(0, now - self._next_tick)
        self._next_tick += (late // TICK + 1) * TICK
        if late < TICK:  # else this process was held up itself, and has not looked yet at what has come meanwhile
            self._load.check(now)
        self._meter.tick(now)
        if self._progress is not None:
            self._count_bytes()
            self._progress(self._meter.outcome)
        if self._interrupted():
            self._meter.outcome.interrupted = True
            self._load.interrupt()

    def _count_bytes(self) -> None:
        outcome, accounts = self._meter.outcome, self._load.accounts
        outcome.sent = sum(each.sent for each in accounts)
        outcome.acked = sum(each.acked for each in accounts)
        outcome.lost = sum(each.lost for each in accounts)
        outcome.unknown = sum(each.unknown for each in accounts)
