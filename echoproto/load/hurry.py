"""
The loop in a hurry: many connections, one message in flight on each.

All that is done for a message is in sight here, since each call more would cost a hundredth of what it can send; what
is out of the ordinary is left to the link.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING

from echoproto.load.loop import READ
from echoproto.load.meter import NS

if TYPE_CHECKING:
    from echoproto.load.streams import Streams

LARGEST = 1 << 14
"""Bytes of the largest message that it is for: it takes the time once for what came and for what is sent next, and to
compare more takes too long for that."""


def turn_in_a_hurry(streams: Streams, until: int) -> None:  # noqa: C901 - see above
    """See `echoproto.load.streams.Streams.turn`."""
    links, poll, clock, working = streams.links, streams.poller.poll, monotonic_ns, streams.working
    counts, slow = streams.meter.service.counts, streams.meter.service.slow
    room = streams.room
    now = clock()
    while working and now < until:
        for fd, mask in poll((until - now) / NS):
            link = links[fd]
            if mask != READ:
                link.handle(mask)
                continue
            try:
                data = link.recv(room)
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
            try:
                link.expected = message = link.messages.pop()
            except IndexError:
                link.expected = None
                streams.last = now
                link.fill()
                continue
            link.sent_at = now
            try:
                count = link.send(message)
            except OSError as error:
                if not isinstance(error, BlockingIOError):
                    link.failed(error)
                    continue
                count = 0
            if count != len(message):
                link.sent_so_far(count)
        now = clock()
