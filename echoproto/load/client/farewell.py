"""
The end of connections on which all is done: what still comes on them was not asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from time import monotonic_ns

from echoproto.load.client.messages import HELLO
from echoproto.load.client.meter import NS
from echoproto.load.client.poller import READ, Poller
from echoproto.load.client.stream import Link

PATIENCE = 3 * NS // 10
"""ns that the peers have to end their side, after this side is done."""


def part(link: Link) -> None:
    """End a connection in order, if there is nothing on it that was not asked for."""
    if link.socket is None:
        return
    if link.idle:
        with suppress(OSError):  # whatever it says, it is over
            link.recv(len(HELLO))  # a greeting; what is not read would turn the FIN into a RST
    else:
        link.handle(READ)
        link.conclude()
    if link.socket is not None:
        link.close_sending()
        link.close()


def part_from_all(links: Iterable[Link], poller: Poller, open_links: Mapping[int, Link]) -> None:
    """
    End this side of connections, and look at what still comes on them until the peers have ended theirs, for a while.

    :param open_links: those that have a socket, by its descriptor; none is left in the end.
    """
    for link in links:
        if link.idle:
            part(link)
            continue
        link.handle(READ)
        link.conclude()
        if link.socket is not None:
            link.parting = True
            link.close_sending()
    until = monotonic_ns() + PATIENCE
    while open_links and (now := monotonic_ns()) < until:
        for fd, _ in poller.poll((until - now) / NS):
            _see_out(open_links[fd])
    for link in list(open_links.values()):
        link.conclude()
        link.close()


def _see_out(link: Link) -> None:
    """Take what has come on a connection; how it ends does not matter any more."""
    while link.socket is not None:
        try:
            data = link.recv(link.room)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            link.conclude()
            link.close()
        elif link.diagnosis is not None:
            link.diagnosis.received(data)
            if link.diagnosis.full:
                link.conclude()
        elif wrong := link.received(data, monotonic_ns()):
            link.doubt(wrong)
        if link.tls is None or not link.tls.pending:
            return
