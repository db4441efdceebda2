"""
A thin, level-triggered interface to epoll, kqueue or poll.

The load generator measures reactors, so it does not run on one.
"""

from __future__ import annotations

import math
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

READ = 1
"""Readable, as EPOLLIN and POLLIN."""

WRITE = 4
"""Writable, as EPOLLOUT and POLLOUT."""

ENDED = 16
"""Failed or ended, as EPOLLHUP and POLLHUP."""

MAX_EVENTS = 64
"""Maximum events per poll; with many more, the streams' state would fall out of the processor's caches."""

TIMER_SLACK_FILE = "/proc/self/timerslack_ns"
"""File with the delay that Linux may add to a wait (PR_SET_TIMERSLACK of prctl(2))."""

Events = Sequence[tuple[int, int]]
"""Ready descriptors with their masks: `READ`, `WRITE`, and other bits for an error or an end."""


class Poller(Protocol):
    """
    Waits until descriptors are ready.

    :ivar poll: waits for up to a number of seconds, rounded up to ms by most systems; returns events.
    """

    poll: Callable[[float], Events]

    def precisely(self, timeout: float) -> Events:
        """Wait as ``poll`` does, with µs precision where the system has it."""
        ...

    def register(self, fd: int, mask: int) -> None:
        """Watch a descriptor for `READ`, `WRITE` or both."""
        ...

    def modify(self, fd: int, mask: int) -> None:
        """Change the mask of a descriptor."""
        ...

    def watch_end(self, fd: int) -> None:
        """Watch a registered descriptor for its end only; such descriptors cost nothing while idle."""
        ...

    def forget(self, fd: int) -> None:
        """Stop watching a descriptor, before it is closed."""
        ...

    def close(self) -> None:
        """Release the poller's own descriptor."""
        ...


FD_SETSIZE = 1024
"""First descriptor that select can't handle."""

system: Any = select
"""The select module, untyped: no system has all its pollers."""


class Epoll:
    """epoll(7)."""

    def __init__(self) -> None:
        self._epoll = system.epoll()
        self._fd = self._epoll.fileno()
        poll = self._epoll.poll
        self.poll: Callable[[float], Events] = lambda timeout: poll(timeout, MAX_EVENTS)
        self.register = self._epoll.register
        self.modify = self._epoll.modify
        self.close = self._epoll.close

    def precisely(self, timeout: float) -> Events:
        """Wait with select, because epoll_wait has only ms precision."""
        if timeout > 0:
            if self._fd >= FD_SETSIZE:
                return self.poll(timeout)
            select.select((self._fd,), (), (), timeout)
        return self.poll(0)

    def forget(self, fd: int) -> None:
        """Do nothing: the kernel forgets a closed descriptor."""

    def watch_end(self, fd: int) -> None:
        """Watch for the end with EPOLLRDHUP, which reports a FIN without EPOLLIN."""
        self._epoll.modify(fd, system.EPOLLRDHUP)


class Kqueue:
    """
    kqueue(2).

    :param system: module `select`, or a stand-in.
    """

    def __init__(self, system: Any = system) -> None:
        self._system = system
        self._kqueue = self._system.kqueue()
        self._masks: dict[int, int] = {}
        self.poll: Callable[[float], Events] = self._poll
        self.precisely = self._poll
        self.close = self._kqueue.close

    def _poll(self, timeout: float) -> Events:
        ready: dict[int, int] = {}
        for event in self._kqueue.control(None, MAX_EVENTS, timeout):
            mask = READ if event.filter == self._system.KQ_FILTER_READ else WRITE
            if mask == READ and not self._masks[event.ident]:
                mask = ENDED if event.flags & self._system.KQ_EV_EOF else 0
            if mask:
                ready[event.ident] = ready.get(event.ident, 0) | mask
        return list(ready.items())

    def register(self, fd: int, mask: int) -> None:
        """Add the filters of a new descriptor."""
        self._masks[fd] = 0
        self.modify(fd, mask)

    def modify(self, fd: int, mask: int) -> None:
        """Add and delete filters as the mask changes."""
        changes = []
        for bit, kind in ((READ, self._system.KQ_FILTER_READ), (WRITE, self._system.KQ_FILTER_WRITE)):
            if mask & bit and not self._masks[fd] & bit:
                changes.append(self._system.kevent(fd, kind, self._system.KQ_EV_ADD))
            elif self._masks[fd] & bit and not mask & bit:
                changes.append(self._system.kevent(fd, kind, self._system.KQ_EV_DELETE))
        self._kqueue.control(changes, 0)
        self._masks[fd] = mask

    def watch_end(self, fd: int) -> None:
        """Watch for the end with EV_CLEAR, which reports readable data only once."""
        self.modify(fd, 0)
        self._kqueue.control(
            [self._system.kevent(fd, self._system.KQ_FILTER_READ, self._system.KQ_EV_ADD | self._system.KQ_EV_CLEAR)], 0
        )

    def forget(self, fd: int) -> None:
        """Forget the mask; the kernel forgets the rest."""
        del self._masks[fd]


class Poll:
    """poll(2), which every Unix has; slow with many descriptors."""

    def __init__(self) -> None:
        self._poll = select.poll()
        poll = self._poll.poll
        self.poll: Callable[[float], Events] = lambda timeout: poll(math.ceil(timeout * 1000))
        self.precisely = self.poll
        self.register = self._poll.register
        self.modify = self._poll.modify
        self.forget = self._poll.unregister

    def watch_end(self, fd: int) -> None:
        """Watch for the end with POLLRDHUP; systems without it report only a reset."""
        self._poll.modify(fd, getattr(select, "POLLRDHUP", 0))

    def close(self) -> None:
        """Do nothing: poll(2) has no descriptor of its own."""


@contextmanager
def precise_wakeups() -> Iterator[None]:
    """Switch off the timer slack of Linux, which delays wake-ups by up to 50 µs to save power."""
    try:
        with open(TIMER_SLACK_FILE, "r+", encoding="ascii") as file:
            before = file.read()
            file.seek(0)
            file.write("1")
    except OSError:  # missing or forbidden; the measured lag shows the effect
        yield
        return
    try:
        yield
    finally:
        with open(TIMER_SLACK_FILE, "w", encoding="ascii") as file:
            file.write(before)


def make_poller() -> Poller:
    """Return the fastest poller of this system."""
    if hasattr(system, "epoll"):
        return Epoll()
    return Kqueue() if hasattr(system, "kqueue") else Poll()
