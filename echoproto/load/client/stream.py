"""
One stream of a load: its messages, and the connection that carries them.
"""

from __future__ import annotations

from collections import deque
from time import monotonic_ns

from echoproto.load.client.connection import Connection, State
from echoproto.load.client.diagnosis import Diagnosis, Kind
from echoproto.load.client.messages import Messages, Settings
from echoproto.load.client.poller import READ, WRITE, Poller
from echoproto.units import noun

SEND_BYTES = 1 << 16
"""Bytes of messages per send; at least one message."""

SENDS_PER_TURN = 4
"""Maximum sends per stream and turn, so that other streams, timers and received data don't wait long."""


class EchoStream:
    """
    Messages over one connection or a sequence of connections.

    :ivar idle: true for a stream that sends nothing.
    :ivar waiting: intended send times of waiting messages, in ns.
    :ivar since: time of its last activity outside the fast path, in ns.
    :ivar connect_at: start of the connection attempt, in ns.
    :ivar first_byte_due: true until the first byte arrives, if its time is measured.
    :ivar diagnosis: diagnosis of harm in progress, or ``None``.
    :ivar leaving: true once the load is done and the sending side closed; any end of the connection is fine.
    """

    __slots__ = (
        *("connect_at", "connection", "diagnosis", "first_byte_due", "idle", "leaving", "messages", "since", "waiting"),
    )

    def __init__(self, number: int, settings: Settings, poller: Poller, *, idle: bool = False) -> None:
        self.messages = Messages(number, settings)
        self.connection = Connection(poller)
        self.idle = idle
        self.waiting: deque[int] = deque()
        self.since = self.connect_at = 0
        self.first_byte_due = self.leaving = False
        self.diagnosis: Diagnosis | None = None

    def __str__(self) -> str:
        return f"connection {self.messages.number}"

    @property
    def in_flight(self) -> int:
        """Number of messages in flight."""
        return self.messages.in_flight

    @property
    def drawn(self) -> list[bytes]:
        """Messages drawn ahead."""
        return self.messages.drawn

    @property
    def is_connected(self) -> bool:
        """True if it has a socket, connected or connecting."""
        return self.connection.state is not State.CLOSED

    @property
    def in_progress(self) -> bool:
        """True if the stream waits for the kernel or the peer, not only for its next message to fall due."""
        messages = self.messages
        if self.connection.state is not State.OPEN:
            return self.is_connected
        return bool(messages.in_flight or messages.unsent or messages.greeting_due or self.diagnosis)

    @property
    def is_ending(self) -> bool:
        """True once everything is echoed and only the peer's FIN is missing."""
        return self.connection.state is State.HALF_CLOSED and not self.messages.in_flight

    @property
    def awaits_greeting(self) -> bool:
        """True while a required greeting is missing."""
        return self.connection.state is State.OPEN and self.messages.greeting_due and not self.idle

    def fill(self, window: int, *, scheduled: bool) -> bool:
        """
        Send messages until the window is full.

        :param window: maximum number of messages in flight.
        :param scheduled: true to send only ``waiting`` messages.
        :return: false if it paused for other streams; the next event continues it.
        :raise OSError: if the connection has ended.
        """
        messages = self.messages
        messages.leave_fast_path()
        flight = messages.flight
        for _ in range(SENDS_PER_TURN):
            if messages.unsent or len(flight) >= window:
                return True
            now = monotonic_ns()
            batch: list[bytes] = []
            size = 0
            while len(flight) < window and size < SEND_BYTES and (self.waiting or not scheduled):
                message = messages.begin(now, self.waiting.popleft() if scheduled else now)
                if message is None:
                    break
                batch.append(message)
                size += len(message)
            if not batch:
                return True
            self.since = now
            messages.unsent = memoryview(batch[0] if len(batch) == 1 else b"".join(batch))
            self.flush()
        self.connection.wait_for(READ | WRITE)  # the event comes at once, after those of other streams
        return False

    def flush(self) -> None:
        """
        Send unsent bytes, as many as the kernel accepts.

        :raise OSError: if the connection has ended.
        """
        self.messages.unsent = self.connection.send(self.messages.unsent)

    def leave_fast_path(self, sent: int) -> None:
        """Leave the fast path, which has sent only part of the message in flight: this number of bytes."""
        messages = self.messages
        message = messages.expected or b""
        messages.leave_fast_path()
        messages.unsent = memoryview(message)[sent:]
        self.since = monotonic_ns()
        self.connection.wait_for(READ | WRITE)

    def close_sending(self) -> None:
        """
        Close the sending side, if everything is sent and no diagnosis is in progress.

        :raise OSError: if the connection has ended.
        """
        if not self.messages.unsent and self.diagnosis is None:
            self.connection.close_sending()

    def doubt(self, wrong: bytes) -> None:
        """Start a diagnosis, which needs the bytes that follow the wrong one."""
        messages = self.messages
        self.diagnosis = Diagnosis(messages.payload, messages.begun, messages.position)
        self.diagnosis.received(wrong)

    def abandon(self, *, lost: bool = False) -> str:
        """
        Give up the messages in flight.

        :param lost: true if they count as lost.
        :return: description of the loss, or nothing.
        """
        messages = self.messages
        missing = messages.missing
        offset = messages.position - messages.begun
        messages.finish(missing, lost=missing if lost else 0)
        return f"{missing} {noun(missing, 'byte')} lost at offset {offset}" if missing and lost else ""

    def conclude(self, diagnosis: Diagnosis) -> tuple[Kind, str, bytes | None]:
        """
        Name the harm, and give up the messages in flight.

        :return: kind, description, and the unknown greeting if the harm is one, else ``None``.
        """
        self.diagnosis = None
        messages = self.messages
        messages.leave_fast_path()
        end = messages.position + messages.missing
        finding = diagnosis.finding(end)
        missing = max(0, end - messages.begun - finding.offset)
        messages.finish(missing, lost=min(missing, finding.length) if finding.kind is Kind.LOST else 0)
        return finding.kind, str(finding), diagnosis.greeting(finding)
