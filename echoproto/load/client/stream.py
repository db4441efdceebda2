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
"""Bytes of messages that are given to one send, where several may be sent; at least one message."""

SENDS_PER_TURN = 4
"""Sends of `SEND_BYTES` that a stream does in a turn: the others, the clock and what has come back wait."""


class EchoStream:
    """
    Messages over one connection, or over one after another.

    :ivar idle: true for one that sends nothing.
    :ivar waiting: times at which the messages that wait for their turn should have been sent, in ns.
    :ivar since: time at which anything happened on it last, in ns (but for what the fast path does).
    :ivar connect_at: time at which it began to connect, in ns.
    :ivar first_byte_due: true while the first byte of the peer is waited for, and measured.
    :ivar diagnosis: the look at the harm that was found on it, or ``None``.
    :ivar leaving: true once all messages are back and the sending side is closed: how it ends does not matter.
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
        """True if something has to happen on it; at a low rate, it may be long until its turn comes."""
        messages = self.messages
        if self.connection.state is not State.OPEN:
            return self.is_connected
        return bool(messages.in_flight or messages.unsent or messages.greeting_due or self.diagnosis)

    @property
    def is_ending(self) -> bool:
        """True once all messages are back, and only the peer's end is missing."""
        return self.connection.state is State.HALF_CLOSED and not self.messages.in_flight

    @property
    def awaits_greeting(self) -> bool:
        """True if a greeting has to come first, and has not."""
        return self.connection.state is State.OPEN and self.messages.greeting_due and not self.idle

    def fill(self, window: int, *, scheduled: bool) -> bool:
        """
        Send as many messages as may be in flight.

        :param window: that many.
        :param scheduled: true to send only those that are ``waiting``.
        :return: false if this has stopped for others to have their turn; it goes on by itself.
        :raise OSError: if the connection is over.
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
        self.connection.wait_for(READ | WRITE)  # which comes at once, after the events of the others
        return False

    def flush(self) -> None:
        """
        Send what is unsent, as much as the kernel takes.

        :raise OSError: if the connection is over.
        """
        self.messages.unsent = self.connection.send(self.messages.unsent)

    def leave_fast_path(self, sent: int) -> None:
        """Go on without the fast path, which has sent only so many bytes of the message in flight."""
        messages = self.messages
        message = messages.expected or b""
        messages.leave_fast_path()
        messages.unsent = memoryview(message)[sent:]
        self.since = monotonic_ns()
        self.connection.wait_for(READ | WRITE)

    def close_sending(self) -> None:
        """
        Close the sending side, if all is sent; not where harm was found, which is looked at further.

        :raise OSError: if the connection is over.
        """
        if not self.messages.unsent and self.diagnosis is None:
            self.connection.close_sending()

    def doubt(self, wrong: bytes) -> None:
        """Begin to look at the harm: more of it is needed to name it."""
        messages = self.messages
        self.diagnosis = Diagnosis(messages.payload, messages.begun, messages.position)
        self.diagnosis.received(wrong)

    def abandon(self, *, lost: bool = False) -> str:
        """
        Give up what is in flight.

        :param lost: true if what was sent should have come back.
        :return: the loss in words, if there is one.
        """
        messages = self.messages
        missing = messages.missing
        offset = messages.position - messages.begun
        messages.finish(missing, lost=missing if lost else 0)
        return f"{missing} {noun(missing, 'byte')} lost at offset {offset}" if missing and lost else ""

    def conclude(self, diagnosis: Diagnosis) -> tuple[Kind, str, bytes | None]:
        """
        Name the harm, and give up what is in flight.

        :return: the kind of harm, the harm in words, and the unknown greeting that it is, or ``None``.
        """
        self.diagnosis = None
        messages = self.messages
        messages.leave_fast_path()
        end = messages.position + messages.missing
        finding = diagnosis.finding(end)
        missing = max(0, end - messages.begun - finding.offset)
        messages.finish(missing, lost=min(missing, finding.length) if finding.kind is Kind.LOST else 0)
        return finding.kind, str(finding), diagnosis.greeting(finding)
