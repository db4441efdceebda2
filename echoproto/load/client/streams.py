"""
A load over TCP, TLS or a Unix socket: the policy of its streams.

Theory of operation. A `echoproto.load.client.connection.Connection` knows a socket, and
`echoproto.load.client.messages.Messages` know bytes; neither knows the other. An
`echoproto.load.client.stream.EchoStream` has both, and moves bytes between them. None of them calls the code above it:
they return what has happened, or raise an OSError. `Streams`, here, decides what follows:

- when a stream sends its next message: its pacing decides (`echoproto.load.client.senders`), when one has come back or
  when one is due;
- how many messages a connection carries: its lifetime decides, all of them or one
  (`echoproto.load.client.lifetime`);
- what an event or an error means: the methods here. `echoproto.load.client.streamload` waits for the events, looks now
  and then for what is stuck, and takes all streams through the phases of a run.

An event is a descriptor and what it is ready for. The state of the connection says what to do:

===========  ===================================  =====================================================
state        waits for                            next
===========  ===================================  =====================================================
CLOSED       its turn; room in a Unix queue       CONNECTING, by ``connecting``
CONNECTING   the kernel                           HANDSHAKE over TLS, else OPEN; if it fails, CLOSED
HANDSHAKE    the peer                             OPEN; if it fails, CLOSED
OPEN         a greeting, if one is due            OPEN, and can send
OPEN         messages in flight                   OPEN, and sends the next, or rests; after its last one,
                                                  HALF_CLOSED if that is asked for; with churn, CLOSED
OPEN         more of what is wrong (`doubted`)    CLOSED, when there is enough, or nothing more comes
OPEN, idle   nothing: only its end is watched     CLOSED, which counts as an error
HALF_CLOSED  the peer's end                       CLOSED
===========  ===================================  =====================================================

A stream is in ``working`` while it waits for anything but its turn to send; a phase of the run is over when that set is
empty. Whatever happens on a stream sets its ``since``. It is given up when that is too long ago.

Most loads have one message in flight on each connection, over plain sockets, in a closed loop, and that must cost
least. Then `Streams.fill` has the messages enter the fast path, and `echoproto.load.client.fastpath` receives and sends
in place of the methods here. All that is out of the ordinary comes back to them, and the methods of `Messages` that
need to know what is in flight leave the fast path first.

Two orders matter. A stream that fails hands on the messages that wait for it, and the streams that get them may fail in
turn: `OpenLoop` does this in a loop, not in a recursion, and whoever waits for events expects that a descriptor may be
gone. And a connection is closed before its stream goes on, because with churn the stream opens the next one at once.
"""

from __future__ import annotations

import errno
import os
from time import monotonic_ns

from echoproto.load.client.connecting import Connecting
from echoproto.load.client.connection import Failure, State
from echoproto.load.client.diagnosis import Kind, shown
from echoproto.load.client.lifetime import Churning, Lasting
from echoproto.load.client.meter import Meter
from echoproto.load.client.poller import WRITE, make_poller
from echoproto.load.client.senders import ClosedLoop, make_pacing
from echoproto.load.client.stream import EchoStream
from echoproto.load.errors import IDLE_CLOSED
from echoproto.load.workload import Transport, Workload

MAX_FAST_BYTES = 1 << 14
"""Bytes of the largest message on the fast path: to compare more takes too long for those that wait meanwhile."""

MAX_RECEIVE_BYTES = 1 << 18
"""Bytes that are received at once at the most."""

END_OF_STREAM = Failure("end of stream", lost=True)
NO_PROGRESS = Failure("no progress", lost=True)
NO_GREETING = Failure("greeting")


class Streams:
    """
    All streams of a load in one process.

    :ivar by_fd: streams that have a socket, by its descriptor.
    :ivar working: streams that have not done all that they have to do.
    :ivar doubted: streams on which harm was found, and more is looked at.
    :ivar fast: true if the fast path can be taken.
    :ivar half_close: true if each connection closes its sending side after its last message.
    :ivar room: bytes that are received at once at the most.
    :ivar last: time at which anything came back last, in ns.
    :ivar reason: the latest reason why something can't be reached.
    :param first: number of the first stream.
    :param patience: ns in which nothing but failures is borne with churn.
    """

    def __init__(self, workload: Workload, meter: Meter, first: int, patience: int) -> None:
        self.meter = meter
        self.poller = make_poller()
        self.by_fd: dict[int, EchoStream] = {}
        self.doubted: set[EchoStream] = set()
        self.half_close = False
        self.last = 0
        self.reason = ""
        self._workload = workload
        churn = workload.churn
        self.lifetime = Churning(self, churn, patience) if churn else Lasting(self)
        self.pacing: ClosedLoop[EchoStream] = make_pacing(workload, first, self.poller, meter.lag, self.lifetime.offer)
        self.working = self.pacing.working
        self.connecting = Connecting(workload, meter, self.by_fd, self.not_connected)
        self._window = 1 if churn else workload.window
        self.room = min(MAX_RECEIVE_BYTES, self._window * workload.largest + 1)
        plain = not (churn or workload.rate or workload.target.transport is Transport.TLS)
        self.fast = plain and self._window == 1 and workload.largest <= MAX_FAST_BYTES

    # Connections

    def connect_more(self) -> None:
        """Begin as many connections as may be made at the same time, if there are any to be made."""
        self.connecting.begin_more(self.working, self.doubted)

    def not_connected(self, stream: EchoStream, code: int) -> None:
        """Count a connection that could not be made, as errno says."""
        full = code == errno.EAGAIN
        self.reason = "the listener's queue is full" if full else os.strerror(code)
        if limit := self.connecting.address.local_limit(code):
            self.meter.outcome.own_limits[limit] += 1
        else:
            self.meter.error(errno.errorcode.get(code, "unknown"), self.reason if full else "")
        self.over(stream, failed=True)

    def handle(self, stream: EchoStream, mask: int) -> None:
        """Deal with what a connection is ready for."""
        state = stream.connection.state
        try:
            if not (state is State.OPEN or state is State.HALF_CLOSED):
                if self.connecting.go_on(stream):
                    self._opened(stream)
            elif stream.idle:
                self.fail(stream, Failure(IDLE_CLOSED))
            else:
                if mask & WRITE:
                    stream.since = monotonic_ns()
                    stream.flush()
                    if not (stream.messages.unsent or stream.diagnosis):
                        self.fill(stream)
                if mask & ~WRITE:
                    self._receive(stream)
        except OSError as error:
            self.failed(stream, error)

    def _opened(self, stream: EchoStream) -> None:
        if stream.idle:
            stream.connection.wait_for_end()
            self.lifetime.opened(stream)
            return
        if not stream.messages.greeting_due:
            self.lifetime.opened(stream)
        if stream.connection.pending:
            self._receive(stream)  # it came with the end of the handshake, and no event will tell

    def fill(self, stream: EchoStream) -> None:
        """Send as many messages as may be in flight."""
        try:
            if not stream.fill(self._window, scheduled=self.pacing.scheduled):
                return
        except OSError as error:
            self.failed(stream, error)
            return
        messages = stream.messages
        if self.half_close and not messages.unsent and self.lifetime.is_last(stream):
            self.close_sending(stream)
        elif not messages.flight:
            self.rest(stream)
        elif self.fast:
            messages.enter_fast_path()

    def rest(self, stream: EchoStream) -> None:
        """Note that a stream has nothing in flight; unless there is more to be found out about it."""
        if stream not in self.doubted:
            self.pacing.rest(stream)

    def _receive(self, stream: EchoStream) -> None:
        connection = stream.connection
        while connection.state is not State.CLOSED:
            try:
                data = connection.recv(self.room)
            except BlockingIOError:
                return
            self.received(stream, data, monotonic_ns())
            if connection.tls is None or not connection.tls.pending:
                return  # what else there is comes with the next event

    def received(self, stream: EchoStream, data: bytes, now: int) -> None:
        """
        Deal with what has come.

        :param data: empty at the end of the stream.
        :param now: in ns.
        """
        messages = stream.messages
        if not data:
            self._ended(stream)
        elif stream.diagnosis:
            stream.diagnosis.received(data)
            if stream.diagnosis.full:
                self.conclude(stream)
        else:
            stream.since = self.last = now
            if stream.first_byte_due:
                stream.first_byte_due = False
                self.meter.first_byte.add(now - stream.connect_at)
            was_due = messages.greeting_due
            if wrong := messages.received(data, now):
                self._doubt(stream, wrong)
            elif not was_due:
                self.lifetime.answered(stream)
            elif not messages.greeting_due:
                self.lifetime.opened(stream)

    # The end of a connection

    def close_sending(self, stream: EchoStream) -> None:
        """Close the sending side of a stream, once all is sent."""
        try:
            stream.close_sending()
        except OSError as error:
            self.failed(stream, error)

    def close(self, stream: EchoStream, *, reset: bool = False) -> None:
        """Close the connection of a stream, if it has one."""
        if stream.is_connected:
            del self.by_fd[stream.connection.fd]
            stream.connection.close(reset=reset)
            stream.leaving = False

    def over(self, stream: EchoStream, *, failed: bool = False) -> None:
        """Close the connection of a stream, and go on without it."""
        self.close(stream)
        self.lifetime.over(stream, failed=failed)

    def _ended(self, stream: EchoStream) -> None:
        if stream.diagnosis:
            self.conclude(stream)
        elif stream.leaving or stream.is_ending:
            self.over(stream)
        else:
            self.fail(stream, END_OF_STREAM)

    def failed(self, stream: EchoStream, error: OSError) -> None:
        """Deal with what a socket says of the end of its connection."""
        if stream.connection.state is State.CONNECTING:
            self.not_connected(stream, error.errno or errno.EIO)
        elif stream.diagnosis:
            self.conclude(stream)
        elif stream.leaving:
            self.over(stream)
        else:
            self.fail(stream, stream.connection.failure(error))

    def fail(self, stream: EchoStream, failure: Failure) -> None:
        """End a connection before its time."""
        self.reason = failure.reason or self.reason
        if loss := stream.abandon(lost=failure.lost):
            self.meter.finding(Kind.LOST.value, f"{stream}: {loss} ({failure.why})")
        self.meter.error(failure.why, failure.reason)
        self.over(stream, failed=True)

    def _fail_greeting(self, stream: EchoStream, words: str) -> None:
        self.reason = f"{stream}: {words}"
        self.meter.tell(self.reason)
        self.fail(stream, NO_GREETING)

    def _doubt(self, stream: EchoStream, wrong: bytes) -> None:
        """Look further at a stream in which something is wrong, to name it."""
        if stream.messages.greeting_due:
            due = shown(self._workload.greeting or b"")
            self._fail_greeting(stream, f"greeting {shown(wrong)} in place of {due}")
            return
        stream.doubt(wrong)
        self.lifetime.ready.discard(stream)
        self.doubted.add(stream)
        self.working.add(stream)

    def conclude(self, stream: EchoStream) -> None:
        """Name the harm, if any was found, and end the connection."""
        if stream.diagnosis:
            self.doubted.discard(stream)
            kind, words, greeting = stream.conclude(stream.diagnosis)
            if greeting is not None:
                self._fail_greeting(stream, f"unknown greeting {shown(greeting)}")
                return
            self.meter.finding(kind.value, f"{stream}: {words}")
            self.over(stream, failed=True)

    def give_up(self, stream: EchoStream) -> None:
        """End a connection on which nothing has happened for long."""
        if stream.diagnosis:
            self.conclude(stream)
        elif stream.awaits_greeting:
            self._fail_greeting(stream, "no greeting")
        else:
            self.fail(stream, NO_PROGRESS)
