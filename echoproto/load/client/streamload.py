"""
A load over TCP, TLS or a Unix socket, in the phases of `echoproto.load.engine`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns

from echoproto.load.address import resolve
from echoproto.load.client.connecting import RETRY_AFTER
from echoproto.load.client.fastpath import run_fast_path
from echoproto.load.client.messages import HELLO, MAX_DRAWN, Settings
from echoproto.load.client.meter import Meter
from echoproto.load.client.poller import READ
from echoproto.load.client.senders import UNLIMITED_COUNT
from echoproto.load.client.stream import EchoStream
from echoproto.load.client.streams import Streams
from echoproto.load.errors import IDLE_CLOSED, REFUSALS, nothing_reached
from echoproto.load.workload import Workload
from echoproto.units import NS

DIAGNOSIS_SILENCE = 3 * NS // 10
"""ns of silence after which a diagnosis ends: the bytes behind a wrong one show its kind of harm."""

CLOSE_TIMEOUT = 3 * NS // 10
"""ns for the peers to close their side after this one."""


class StreamLoad:
    """
    The streams of a load in one process, and their common phases.

    :ivar accounts: messages of each stream, with their byte counts.
    :ivar working: streams with work left.
    :param first: number of the first stream.
    :param patience: seconds of inactivity after which a connection is given up.
    """

    def __init__(self, workload: Workload, meter: Meter, first: int, patience: float) -> None:
        self._workload = workload
        self._outcome = meter.outcome
        self._patience = int(patience * NS)
        self._streams = streams = Streams(workload, meter, first, self._patience)
        self.working = streams.working
        settings = Settings(
            seed=workload.seed,
            smallest=workload.smallest,
            largest=workload.largest,
            greeting=workload.greeting,
            supply=streams.pacing.supply,
            service=meter.service,
            response=None if workload.rate is None else meter.response,
            ahead=1 if workload.churn else MAX_DRAWN,
        )
        numbers = range(first, first + workload.connections)
        self._all = [EchoStream(number, settings, streams.poller) for number in numbers]
        self.accounts = [stream.messages for stream in self._all]
        self._idle = [EchoStream(0, settings, streams.poller, idle=True) for _ in range(workload.idle)]

    @property
    def last(self) -> int:
        """Time of the last received byte, in ns."""
        return self._streams.last

    @property
    def reason(self) -> str:
        """Reason of the last failure, safe to print."""
        return self._streams.reason

    @property
    def unsent(self) -> int:
        """Messages due, but not sent in time."""
        return self._streams.pacing.unsent

    @property
    def reached(self) -> bool:
        """True if a peer was reached: data was received, lost or harmed, or a connection is open."""
        failed = self._outcome.errors.keys() - {IDLE_CLOSED}
        refused = failed and failed <= REFUSALS
        return bool(self.last or self._outcome.findings or self._streams.lifetime.ready or not refused)

    def connect(self, wait: Callable[[], None]) -> None:
        """
        Make all connections; with churn, only a probe.

        Idle connections come right after the first one. Servers accept in order, so an echo on the later ones proves
        that the idle ones are accepted, too.

        :param wait: runs the loop until no stream is working.
        :raise EchoError: if no connection could be made.
        """
        workload, outcome, streams = self._workload, self._outcome, self._streams
        first, idle, ready = self._all[0], self._idle, streams.lifetime.ready
        others = [] if workload.churn else self._all[1:]
        for address in resolve(workload.target):
            streams.connecting.address = address
            outcome.errors.clear()
            self._make([first], wait)
            if outcome.connected:
                address.rotate(UNLIMITED_COUNT if workload.churn else len(self._all) + len(idle))
                if ready:
                    self._make(idle, wait)
                    idle = []
                self._make(others, wait)
                break
        if not ready and not outcome.interrupted:
            raise nothing_reached(workload, outcome, self.reason)
        self._make(idle, wait)
        if workload.churn:
            self._part(first)
            streams.close(first)
        streams.lifetime.begin()

    def _make(self, made: list[EchoStream], wait: Callable[[], None]) -> None:
        if not self._outcome.interrupted:
            self._streams.connecting.waiting.extend(made)
            self._streams.connect_more()
            wait()

    def begin(self, count: int | None, *, half_close: bool) -> None:
        """
        Start sending.

        :param count: number of messages; ``None`` for no limit.
        :param half_close: true if each connection closes its sending side after its last message.
        """
        self._streams.half_close = half_close
        self._streams.pacing.begin(self._streams.lifetime.senders(self._all), count)

    def turn(self, until: int) -> None:
        """Handle events until a time in ns, or until no stream is working."""
        streams = self._streams
        if streams.connecting.held:
            self._run(min(until, monotonic_ns() + RETRY_AFTER))
            streams.connecting.retry()
            streams.connect_more()
        elif streams.fast and not streams.connecting.waiting:
            run_fast_path(streams, until)
        else:
            self._run(until)

    def _run(self, until: int) -> None:
        streams = self._streams
        while self.working and (events := streams.pacing.wait(until)) is not None:
            for fd, mask in events:
                if stream := streams.by_fd.get(fd):  # another stream's failure may have closed it in this turn
                    streams.handle(stream, mask)
            streams.connect_more()

    def stop(self, now: int) -> None:
        """Send no more messages, as of a time in ns."""
        streams = self._streams
        streams.connecting.clear()
        streams.pacing.stop(now)
        for stream in list(self.working):
            stream.messages.give_back()
            streams.lifetime.wind_up(stream)

    def check(self, now: int) -> None:
        """End old diagnoses, and give up stuck streams."""
        streams = self._streams
        for stream in list(streams.doubted):
            if now - stream.since > DIAGNOSIS_SILENCE:
                streams.conclude(stream)
        for stream in list(self.working):
            if stream.in_progress and now - max(stream.since, stream.messages.sent_at) > self._patience:
                streams.give_up(stream)
        streams.connecting.give_up(now - self._patience)
        if streams.lifetime.check(now):
            for stream in list(streams.by_fd.values()):
                streams.give_up(stream)
            self.stop(now)

    def interrupt(self) -> None:
        """End at once; bytes in flight count as unknown."""
        self._streams.connecting.clear()
        for stream in self.working:
            stream.abandon()
            self._streams.close(stream)
        self.working.clear()
        self._streams.doubted.clear()

    def finish(self) -> None:
        """
        End all connections in order.

        Bytes that arrive before the peers close their side, or `CLOSE_TIMEOUT` passes, are still checked.
        """
        streams = self._streams
        for stream in list(streams.by_fd.values()):
            self._part(stream)
            if stream.idle:
                streams.close(stream)
        until = monotonic_ns() + CLOSE_TIMEOUT
        while streams.by_fd and (now := monotonic_ns()) < until:
            for fd, mask in streams.poller.poll((until - now) / NS):
                streams.handle(streams.by_fd[fd], mask)
        for stream in list(streams.by_fd.values()):
            streams.conclude(stream)
            streams.close(stream)

    def _part(self, stream: EchoStream) -> None:
        """Receive the last bytes, and close the sending side; any end of the connection is fine from then on."""
        if stream.idle:
            with suppress(OSError):  # the connection ends anyway
                stream.connection.recv(len(HELLO))  # a greeting; unread bytes would turn the FIN into an RST
        else:
            self._streams.handle(stream, READ)
            self._streams.conclude(stream)
        if stream.is_connected:
            stream.leaving = True
            self._streams.close_sending(stream)

    def close(self) -> None:
        """Close all open connections."""
        for stream in list(self._streams.by_fd.values()):
            self._streams.close(stream)
        self._streams.poller.close()
