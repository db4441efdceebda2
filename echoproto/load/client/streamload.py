"""
A load over TCP, TLS or a Unix socket, as `echoproto.load.engine` runs it, phase by phase.
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
from echoproto.load.client.senders import ENDLESS
from echoproto.load.client.stream import EchoStream
from echoproto.load.client.streams import Streams
from echoproto.load.errors import IDLE_CLOSED, REFUSALS, nothing_reached
from echoproto.load.workload import Workload
from echoproto.units import NS

DOUBT = 3 * NS // 10
"""ns that a harmed connection is looked at further, after it was last heard of: what is wrong shows by what follows."""

FAREWELL = 3 * NS // 10
"""ns that the peers have to end their side, after this side is done."""


class StreamLoad:
    """
    The streams of a load in one process, and the phases that they go through together.

    :ivar accounts: messages of each stream, which know how many bytes were sent and came back.
    :ivar working: streams that have not done all that they have to do.
    :param first: number of the first stream.
    :param patience: seconds without anything on a connection after which it is given up.
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
        """Time at which anything came back last, in ns."""
        return self._streams.last

    @property
    def reason(self) -> str:
        """Latest reason why something could not be reached, safe to print."""
        return self._streams.reason

    @property
    def unsent(self) -> int:
        """Messages that were due, and not sent before the time was over."""
        return self._streams.pacing.unsent

    @property
    def reached(self) -> bool:
        """True if anything came back or still may; data that was sent and lost has reached a peer, too."""
        failed = self._outcome.errors.keys() - {IDLE_CLOSED}
        refused = failed and failed <= REFUSALS
        return bool(self.last or self._outcome.findings or self._streams.lifetime.ready or not refused)

    def connect(self, wait: Callable[[], None]) -> None:
        """
        Make all connections; with churn, one that tells if anybody is there.

        The idle ones come before all others but the first: servers accept in order, so an echo on each of the others
        shows that the server has dealt with the idle ones, too.

        :param wait: runs the loop until nothing is working any more.
        :raise EchoError: if there are none.
        """
        workload, outcome, streams = self._workload, self._outcome, self._streams
        first, idle, ready = self._all[0], self._idle, streams.lifetime.ready
        others = [] if workload.churn else self._all[1:]
        for address in resolve(workload.target):
            streams.connecting.address = address
            outcome.errors.clear()
            self._make([first], wait)
            if outcome.connected:
                address.rotate(ENDLESS if workload.churn else len(self._all) + len(idle))
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
        Begin to send.

        :param count: number of messages; ``None`` for as many as there is time for.
        :param half_close: true if each connection closes its sending side after its last message.
        """
        self._streams.half_close = half_close
        self._streams.pacing.begin(self._streams.lifetime.senders(self._all), count)

    def turn(self, until: int) -> None:
        """Deal with what happens, up to a time in ns, or until nothing is working."""
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
                if stream := streams.by_fd.get(fd):  # unless it was closed by what another one has handed on to it
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
        """Name the harm that was looked at for long enough, and give up what is stuck."""
        streams = self._streams
        for stream in list(streams.doubted):
            if now - stream.since > DOUBT:
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
        """End at once: what has not come back need not have."""
        self._streams.connecting.clear()
        for stream in self.working:
            stream.abandon()
            self._streams.close(stream)
        self.working.clear()
        self._streams.doubted.clear()

    def finish(self) -> None:
        """
        End all connections in order.

        Until the peers have ended their side, for a while, what comes without being asked for is found.
        """
        streams = self._streams
        for stream in list(streams.by_fd.values()):
            self._part(stream)
            if stream.idle:
                streams.close(stream)
        until = monotonic_ns() + FAREWELL
        while streams.by_fd and (now := monotonic_ns()) < until:
            for fd, mask in streams.poller.poll((until - now) / NS):
                streams.handle(streams.by_fd[fd], mask)
        for stream in list(streams.by_fd.values()):
            streams.conclude(stream)
            streams.close(stream)

    def _part(self, stream: EchoStream) -> None:
        """Take what has come, and close the sending side; how the connection ends does not matter from then on."""
        if stream.idle:
            with suppress(OSError):  # whatever it says, it is over
                stream.connection.recv(len(HELLO))  # a greeting; what is not read would turn the FIN into a RST
        else:
            self._streams.handle(stream, READ)
            self._streams.conclude(stream)
        if stream.is_connected:
            stream.leaving = True
            self._streams.close_sending(stream)

    def close(self) -> None:
        """Close whatever is open still."""
        for stream in list(self._streams.by_fd.values()):
            self._streams.close(stream)
        self._streams.poller.close()
