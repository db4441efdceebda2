"""
The fast path: many connections, one message in flight on each.

All that is done for a message is in sight here, since each call more would cost a hundredth of what it can send; what
is out of the ordinary is left to the owner of the streams. What has come on some connections is received first, then
sent on all of them: that takes a tenth less than to go from one to the next, since the processor has the code for it at
hand.
"""

from __future__ import annotations

from os import read, write
from time import monotonic_ns
from typing import Protocol

from echoproto.load.client.meter import NS, Meter
from echoproto.load.client.poller import Events, Poller
from echoproto.load.client.stream import EchoStream

MAX_MESSAGE_BYTES = 1 << 14
"""Bytes of the largest message on the fast path: to compare more takes too long for those that wait meanwhile."""


class Owner(Protocol):
    """
    The owner of the streams, who decides what is out of the ordinary.

    :ivar by_fd: streams that have a socket, by its descriptor.
    :ivar working: streams that have not done all that they have to do.
    :ivar room: bytes that are received at once at the most.
    :ivar last: time at which anything came back last, in ns.
    """

    poller: Poller
    meter: Meter
    by_fd: dict[int, EchoStream]
    working: set[EchoStream]
    room: int
    last: int

    def handle(self, stream: EchoStream, mask: int) -> None:
        """Deal with readiness that is not, or not only, to read."""

    def received(self, stream: EchoStream, data: bytes, now: int) -> None:
        """Deal with what has come, which is not the message that was expected."""

    def fill(self, stream: EchoStream) -> None:
        """Send the next message on a stream that has none left that were drawn ahead."""

    def failed(self, stream: EchoStream, error: OSError) -> None:
        """Deal with the end of a connection."""


def run_fast_path(streams: Owner, until: int) -> None:
    """Deal with what happens, up to a time in ns, or until nothing is working."""
    poll, working = streams.poller.poll, streams.working
    while working and (now := monotonic_ns()) < until:
        if back := _receive(streams, poll((until - now) / NS)):
            _send(streams, back)


# On a socket, read and write do what recv and send do, and Python calls them with less ado.


def _receive(streams: Owner, events: Events) -> list[EchoStream]:
    """Take what has come; gives the streams on which it was the whole message, and nothing else."""
    by_fd, room, clock = streams.by_fd, streams.room, monotonic_ns
    counts, slow = streams.meter.service.counts, streams.meter.service.slow
    back: list[EchoStream] = []
    for fd, mask in events:
        stream = by_fd[fd]
        if mask != 1:  # `echoproto.load.client.poller.READ`, which would have to be looked up
            streams.handle(stream, mask)
            continue
        try:
            data = read(fd, room)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                streams.failed(stream, error)
            continue
        now = clock()
        messages = stream.messages
        if data != messages.expected:
            streams.received(stream, data, now)
            continue
        try:
            counts[(now - messages.sent_at) // 1000] += 1
        except IndexError:
            slow.append((now - messages.sent_at) // 1000)
        back.append(stream)
    if back:
        streams.last = now
    return back


def _send(streams: Owner, back: list[EchoStream]) -> None:
    """Send the next message on each stream."""
    clock = monotonic_ns
    for stream in back:
        messages = stream.messages
        try:
            messages.expected = message = messages.drawn.pop()
        except IndexError:
            messages.expected = None
            streams.fill(stream)
            continue
        messages.sent_at = clock()
        try:
            count = write(stream.connection.fd, message)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                streams.failed(stream, error)
                continue
            count = 0
        if count != len(message):
            stream.leave_fast_path(count)
