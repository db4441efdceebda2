"""
Which descriptors are ready: the least that a load generator needs of epoll, kqueue or poll, and nothing between.

It is not Twisted's: what measures reactors must not be one of them. All of it is level-triggered.
"""

from __future__ import annotations

import math
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

READ = 1
"""As EPOLLIN and POLLIN."""

WRITE = 4
"""As EPOLLOUT and POLLOUT."""

ENDED = 16
"""As EPOLLHUP and POLLHUP: there is an error or an end to be read."""

MAX_EVENTS = 64
"""Events that are taken at once: of many more, the state of each is not in the processor's caches any more."""

TIMER_SLACK_FILE = "/proc/self/timerslack_ns"
"""File of the delay that the system may add to a wait; see PR_SET_TIMERSLACK of prctl(2)."""

Events = Sequence[tuple[int, int]]
"""Descriptors, and what each is ready for: `READ`, `WRITE`, and other bits for an error or an end."""


class Poller(Protocol):
    """
    Waits for descriptors.

    :ivar poll: waits for so many seconds at the most, rounded up to ms by most; gives what is ready.
    """

    poll: Callable[[float], Events]

    def precisely(self, timeout: float) -> Events:
        """Wait as ``poll`` does, to the µs where the system can."""
        ...

    def register(self, fd: int, mask: int) -> None:
        """Wait for `READ`, `WRITE` or both on a descriptor from now on."""
        ...

    def modify(self, fd: int, mask: int) -> None:
        """Wait for something else on it."""
        ...

    def watch_end(self, fd: int) -> None:
        """From now on, wait for its end only (it is registered): however many there are of these, they cost nothing."""
        ...

    def forget(self, fd: int) -> None:
        """Stop waiting for a descriptor, which is going to be closed."""
        ...

    def close(self) -> None:
        """Give back what the poller itself holds."""
        ...


FD_SETSIZE = 1024
"""Descriptors from here on are not for select."""

system: Any = select
"""Module of all pollers; no system has all of them."""


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
        """Wait with select, which counts in µs, and epoll_wait in ms."""
        if timeout > 0:
            if self._fd >= FD_SETSIZE:
                return self.poll(timeout)
            select.select((self._fd,), (), (), timeout)
        return self.poll(0)

    def forget(self, fd: int) -> None:
        """Do nothing: the kernel forgets a closed descriptor."""

    def watch_end(self, fd: int) -> None:
        """Wait for the end only: without EPOLLIN, a FIN is told by EPOLLRDHUP."""
        self._epoll.modify(fd, system.EPOLLRDHUP)


class Kqueue:
    """
    kqueue(2).

    :param system: has it; `select`, or a stand-in.
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
        """Add and delete filters, as far as the mask has changed."""
        changes = []
        for bit, kind in ((READ, self._system.KQ_FILTER_READ), (WRITE, self._system.KQ_FILTER_WRITE)):
            if mask & bit and not self._masks[fd] & bit:
                changes.append(self._system.kevent(fd, kind, self._system.KQ_EV_ADD))
            elif self._masks[fd] & bit and not mask & bit:
                changes.append(self._system.kevent(fd, kind, self._system.KQ_EV_DELETE))
        self._kqueue.control(changes, 0)
        self._masks[fd] = mask

    def watch_end(self, fd: int) -> None:
        """Wait for the end only: with EV_CLEAR, data that is there to be read is told once."""
        self.modify(fd, 0)
        self._kqueue.control(
            [self._system.kevent(fd, self._system.KQ_FILTER_READ, self._system.KQ_EV_ADD | self._system.KQ_EV_CLEAR)], 0
        )

    def forget(self, fd: int) -> None:
        """Forget the mask; the kernel forgets the rest."""
        del self._masks[fd]


class Poll:
    """poll(2), which every Unix has; slow where there are many."""

    def __init__(self) -> None:
        self._poll = select.poll()
        poll = self._poll.poll
        self.poll: Callable[[float], Events] = lambda timeout: poll(math.ceil(timeout * 1000))
        self.precisely = self.poll
        self.register = self._poll.register
        self.modify = self._poll.modify
        self.forget = self._poll.unregister

    def watch_end(self, fd: int) -> None:
        """Wait for the end only; where there is no POLLRDHUP, only a reset is noticed."""
        self._poll.modify(fd, getattr(select, "POLLRDHUP", 0))

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


@contextmanager
def punctual() -> Iterator[None]:
    """Have the system wake this process when it asked to be, and not up to 50 µs later to save power (Linux)."""
    try:
        with open(TIMER_SLACK_FILE, "r+", encoding="ascii") as file:
            before = file.read()
            file.seek(0)
            file.write("1")
    except OSError:  # there is no such thing here, or it is not allowed; then the lag shows it
        yield
        return
    try:
        yield
    finally:
        with open(TIMER_SLACK_FILE, "w", encoding="ascii") as file:
            file.write(before)


def make_poller() -> Poller:
    """The best that this system has."""
    if hasattr(system, "epoll"):
        return Epoll()
    return Kqueue() if hasattr(system, "kqueue") else Poll()
