"""
A load over TCP, TLS or a Unix socket: the policy of its streams.

Theory of operation. Three layers move the bytes, and none of them calls the layer above. Each returns its result or
raises an OSError:

- a `echoproto.load.client.connection.Connection` is a socket, and knows no messages;
- `echoproto.load.client.messages.Messages` are bytes in flight, and know no socket;
- an `echoproto.load.client.stream.EchoStream` has one of each, and moves bytes between them.

`Streams`, in this module, is the layer above. It takes one event at a time, a descriptor with its readiness, and
decides the next step of the stream. Two strategies are left to other modules:

- the pacing (`echoproto.load.client.senders`) sets the time of the next message: after an echo, or by a schedule;
- the lifetime (`echoproto.load.client.lifetime`) sets the number of messages per connection: all of them, or one.

`echoproto.load.client.streamload` runs the loop. It polls for events, looks for stuck streams, and takes all streams
through the phases of a run.

The state of the connection selects the reaction to an event:

===========  =====================================  =================================================
State        Waits for                              Next state
===========  =====================================  =================================================
CLOSED       its turn, or room in a Unix queue      CONNECTING
CONNECTING   the kernel                             HANDSHAKE over TLS, else OPEN; CLOSED on failure
HANDSHAKE    the peer                               OPEN; CLOSED on failure
OPEN         a required greeting                    OPEN, ready to send
OPEN         echoes of messages in flight           OPEN, and sends the next message or rests;
                                                    HALF_CLOSED after the last one, if requested;
                                                    CLOSED with churn
OPEN         bytes for a diagnosis (`doubted`)      CLOSED, after enough bytes or a silence
OPEN, idle   the end of the connection              CLOSED, which counts as an error
HALF_CLOSED  the peer's FIN                         CLOSED
===========  =====================================  =================================================

A stream is in ``working`` unless it only waits for its next message to fall due. A phase ends when that set is empty.
Every activity sets the stream's ``since``; a stream is given up when that is too long ago.

The common load has one message in flight per connection, plain sockets and a closed loop, and it must cost least. For
it, `Streams.fill` moves messages to the fast path, and `echoproto.load.client.fastpath` receives and sends in place of
the methods here. It hands every exception to the rule back to them. The methods of `Messages` that need the bytes in
flight leave the fast path first.

Two orders matter. A failed stream hands its waiting messages to other streams, which may fail in turn; `OpenLoop` does
this in a loop, not by recursion, so a descriptor can be closed before its event is handled. And a connection is closed
before its stream goes on, because with churn the stream opens the next one at once.
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
"""Maximum message bytes on the fast path; comparing larger ones would delay the other streams."""

MAX_RECEIVE_BYTES = 1 << 18
"""Maximum bytes per receive."""

END_OF_STREAM = Failure("end of stream", lost=True)
NO_PROGRESS = Failure("no progress", lost=True)
NO_GREETING = Failure("greeting")


class Streams:
    """
    All streams of a load in one process.

    :ivar by_fd: streams with a socket, by descriptor.
    :ivar working: streams with work left.
    :ivar doubted: streams with a diagnosis in progress.
    :ivar fast: true if the load can use the fast path.
    :ivar half_close: true if each connection closes its sending side after its last message.
    :ivar room: maximum bytes per receive.
    :ivar last: time of the last received byte, in ns.
    :ivar reason: reason of the last failure, safe to print.
    :param first: number of the first stream.
    :param patience: ns of uninterrupted failures that churn tolerates.
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
        """Start waiting connections, as many as may be in progress."""
        self.connecting.begin_more(self.working, self.doubted)

    def not_connected(self, stream: EchoStream, code: int) -> None:
        """Count a failed connection attempt, by errno."""
        full = code == errno.EAGAIN
        self.reason = "the listener's queue is full" if full else os.strerror(code)
        if limit := self.connecting.address.local_limit(code):
            self.meter.outcome.own_limits[limit] += 1
        else:
            self.meter.error(errno.errorcode.get(code, "unknown"), self.reason if full else "")
        self.over(stream, failed=True)

    def handle(self, stream: EchoStream, mask: int) -> None:
        """Handle an event of a connection."""
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
            self._receive(stream)  # data came with the end of the handshake, and no event announces it

    def fill(self, stream: EchoStream) -> None:
        """Send messages until the window is full."""
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
        """Record that a stream has nothing in flight, unless a diagnosis is in progress."""
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
                return  # the next event announces further data

    def received(self, stream: EchoStream, data: bytes, now: int) -> None:
        """
        Handle received bytes.

        :param data: empty at the end of the stream.
        :param now: time in ns.
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
        """Close the sending side of a stream, if everything is sent."""
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
        """Close the connection of a stream, and let its lifetime choose the next step."""
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
        """Handle the error that ended a connection."""
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
        """Start the diagnosis of a stream with wrong bytes."""
        if stream.messages.greeting_due:
            due = shown(self._workload.greeting or b"")
            self._fail_greeting(stream, f"greeting {shown(wrong)} in place of {due}")
            return
        stream.doubt(wrong)
        self.lifetime.ready.discard(stream)
        self.doubted.add(stream)
        self.working.add(stream)

    def conclude(self, stream: EchoStream) -> None:
        """End the diagnosis of a stream, if there is one, and its connection."""
        if stream.diagnosis:
            self.doubted.discard(stream)
            kind, words, greeting = stream.conclude(stream.diagnosis)
            if greeting is not None:
                self._fail_greeting(stream, f"unknown greeting {shown(greeting)}")
                return
            self.meter.finding(kind.value, f"{stream}: {words}")
            self.over(stream, failed=True)

    def give_up(self, stream: EchoStream) -> None:
        """End a connection after a long inactivity."""
        if stream.diagnosis:
            self.conclude(stream)
        elif stream.awaits_greeting:
            self._fail_greeting(stream, "no greeting")
        else:
            self.fail(stream, NO_PROGRESS)
