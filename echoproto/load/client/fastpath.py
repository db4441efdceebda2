"""
The fast path: many connections, one message in flight on each.

All that is done for a message is in sight here, since each call more would cost a hundredth of what it can send; what
is out of the ordinary is left to `Streams`. What has come on some connections is received first, then
sent on all of them: that takes a tenth less than to go from one to the next, since the processor has the code for it at
hand.
"""

from __future__ import annotations

from os import read, write
from time import monotonic_ns

from echoproto.load.client.poller import Events
from echoproto.load.client.stream import EchoStream
from echoproto.load.client.streams import Streams
from echoproto.units import NS


def run_fast_path(streams: Streams, until: int) -> None:
    """Deal with what happens, up to a time in ns, or until nothing is working."""
    poll, working = streams.poller.poll, streams.working
    while working and (now := monotonic_ns()) < until:
        if back := _receive(streams, poll((until - now) / NS)):
            _send(streams, back)


# On a socket, read and write do what recv and send do, and Python calls them with less ado.


def _receive(streams: Streams, events: Events) -> list[EchoStream]:
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


def _send(streams: Streams, back: list[EchoStream]) -> None:
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
