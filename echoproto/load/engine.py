"""
The engine of a load: it connects, warms up, measures, and returns an outcome.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import nullcontext
from time import monotonic_ns

from echoproto.host.limits import descriptors
from echoproto.load.address import affordable
from echoproto.load.client.meter import Meter
from echoproto.load.client.poller import precise_wakeups
from echoproto.load.client.streamload import StreamLoad
from echoproto.load.client.udp import UDPLoad
from echoproto.load.errors import ClientLimit, nothing_reached
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Transport, Workload
from echoproto.units import NS

TICK = NS // 5
"""Time between two checks and two calls of ``progress``, in ns; a second has a whole number of them."""

STALL_SECONDS = 10.0
"""Time without data on a connection after which its outstanding bytes count as lost."""


def run(
    workload: Workload,
    *,
    progress: Callable[[Outcome], None] | None = None,
    first: int = 0,
    interrupted: Callable[[], bool] = lambda: False,
    patience: float = STALL_SECONDS,
) -> Outcome:
    """
    Run a load in this process.

    A failed connection is counted and not made anew, while the others go on (with churn, the next message has a new
    connection anyway). The run ends when all have failed.

    :param workload: the load; this process runs all of it, and ignores its number of processes.
    :param progress: called about every 0.2 s with the outcome so far; a slow call distorts the measured times.
    :param first: number of the first connection; processes with different numbers send different bytes.
    :param interrupted: called as often; if it returns true, the run ends at once.
    :param patience: seconds without data after which a connection is given up.
    :raise EchoError: if no connection could be used at all, as in `echoproto.load.errors`.
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
        with descriptors(needed), precise_wakeups() if workload.rate else nullcontext():
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
        # The objects made so far stay, so the collector need not visit them, which takes as long as many echoes.
        gc.collect()
        gc.freeze()
        if workload.warmup:
            self._phase(monotonic_ns() + int(workload.warmup * NS), None, half_close=False)
            self._check_reached()
        meter.read_server_usage()
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
        """Raise the reason for which no message was echoed, if it is known, as for a failed connect."""
        outcome, load = self._meter.outcome, self._load
        if outcome.interrupted or outcome.messages:
            return
        self._count_bytes()
        if (not outcome.acked and outcome.errors["greeting"]) or not load.reached:
            raise nothing_reached(self._workload, outcome, load.reason)

    def _phase(self, end: int, count: int | None, *, half_close: bool) -> None:
        """Send until a time or a count of messages, then wait for the messages in flight."""
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
        if late < TICK:  # otherwise this process was delayed itself, and has received data still to read
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
