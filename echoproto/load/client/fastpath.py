"""
The loop in a hurry: many connections, one message in flight on each.

All that is done for a message is in sight here, since each call more would cost a hundredth of what it can send; what
is out of the ordinary is left to the link. What has come on some connections is received first, then sent on all of
them: that takes a tenth less than to go from one to the next, since the processor has the code for it at hand.
"""

from __future__ import annotations

from os import read, write
from time import monotonic_ns
from typing import TYPE_CHECKING

from echoproto.load.client.meter import NS

if TYPE_CHECKING:
    from echoproto.load.client.poller import Events
    from echoproto.load.client.stream import Link
    from echoproto.load.client.streams import Streams

LARGEST = 1 << 14
"""Bytes of the largest message that it is for: to compare more takes too long for those that wait meanwhile."""


def turn_in_a_hurry(streams: Streams, until: int) -> None:
    """See `echoproto.load.client.streams.Streams.turn`."""
    poll, working = streams.poller.poll, streams.working
    while working and (now := monotonic_ns()) < until:
        if back := _receive(streams, poll((until - now) / NS)):
            _send(back)


# On a socket, read and write do what recv and send do, and Python calls them with less ado.


def _receive(streams: Streams, events: Events) -> list[Link]:
    """Take what has come; gives those on which it was the whole message, and nothing else."""
    links, room, clock = streams.links, streams.room, monotonic_ns
    counts, slow = streams.meter.service.counts, streams.meter.service.slow
    back: list[Link] = []
    for fd, mask in events:
        link = links[fd]
        if mask != 1:  # `echoproto.load.client.poller.READ`, which would have to be looked up
            link.handle(mask)
            continue
        try:
            data = read(fd, room)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                link.failed(error)
            continue
        now = clock()
        if data != link.expected:
            link.take(data, now)
            continue
        try:
            counts[(now - link.sent_at) // 1000] += 1
        except IndexError:
            slow.append((now - link.sent_at) // 1000)
        back.append(link)
    if back:
        streams.last = now
    return back


def _send(links: list[Link]) -> None:
    """Send the next message on each of them."""
    clock = monotonic_ns
    for link in links:
        try:
            link.expected = message = link.messages.pop()
        except IndexError:
            link.expected = None
            link.fill()
            continue
        link.sent_at = clock()
        try:
            count = write(link.fd, message)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                link.failed(error)
                continue
            count = 0
        if count != len(message):
            link.sent_so_far(count)
