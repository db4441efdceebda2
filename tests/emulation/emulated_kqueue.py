"""
``select.kqueue`` and ``select.kevent``, as far as Twisted's kqueue reactor uses them, on top of epoll.

For tests on Linux, which has no kqueue. It is level-triggered, as kqueue is without EV_CLEAR (of which it emulates as
much as a descriptor with one filter needs), and strict: what it does not emulate it refuses. It proves Twisted's
`KQueueReactor` and our code on top of it: which filters are registered when, how events are dispatched, what happens
at the end of a stream. It does not prove what a BSD kernel does: the order of events, the error in ``fflags`` that
comes with EV_EOF after a reset (here always 0; the next read finds it), filters other than those of descriptors, the
limits of a process, and that fork does not hand a kqueue on (an epoll it does).
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Iterable

from attrs import define

KQ_FILTER_READ = -1
KQ_FILTER_WRITE = -2
KQ_EV_ADD = 0x0001
KQ_EV_DELETE = 0x0002
KQ_EV_CLEAR = 0x0020
KQ_EV_ERROR = 0x4000
KQ_EV_EOF = 0x8000

_MASKS = {KQ_FILTER_READ: select.EPOLLIN | select.EPOLLRDHUP, KQ_FILTER_WRITE: select.EPOLLOUT}
_GONE = select.EPOLLHUP | select.EPOLLERR
_ENDED = {KQ_FILTER_READ: select.EPOLLRDHUP | _GONE, KQ_FILTER_WRITE: _GONE}


@define
class kevent:  # noqa: N801 - the name of the class that this stands in for
    """An event to wait for, or one that has happened; the fields of struct kevent."""

    ident: int
    filter: int = KQ_FILTER_READ
    flags: int = KQ_EV_ADD
    fflags: int = 0
    data: int = 0
    udata: int = 0


class kqueue:  # noqa: N801 - the name of the class that this stands in for
    """A queue of events of descriptors."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._filters: dict[int, set[int]] = {}
        self._write_first = False

    def fileno(self) -> int:
        """The descriptor of the queue."""
        return self._epoll.fileno()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._epoll.closed

    def close(self) -> None:
        """Forget all filters."""
        self._epoll.close()
        self._filters.clear()

    def control(
        self, changelist: Iterable[kevent] | None, max_events: int, timeout: float | None = None
    ) -> list[kevent]:
        """
        Apply the changes, then wait for events.

        :param max_events: how many to return at the most; with 0, a failing change raises, and nothing is waited for.
        :param timeout: seconds; ``None`` for as long as it takes.
        :raise OSError: as the change that failed says: EBADF, ENOENT, EPERM (a file, which epoll can't watch).
        """
        if max_events < 0:
            raise ValueError(f"Length of eventlist must be 0 or positive, got {max_events}")
        if timeout is not None and timeout < 0:
            raise ValueError("timeout must be positive or None")
        errors: list[kevent] = []
        for change in changelist or ():
            try:
                self._apply(change)
            except OSError as error:
                if len(errors) == max_events:
                    raise
                errors.append(kevent(change.ident, change.filter, KQ_EV_ERROR, data=error.errno or 0))
        if errors or not max_events:
            return errors
        return self._wait(max_events, timeout)

    def _apply(self, change: kevent) -> None:
        if change.filter not in _MASKS:
            raise OSError(errno.EINVAL, f"filter {change.filter} is not emulated")
        os.fstat(change.ident)  # EBADF before anything else
        if change.flags == KQ_EV_ADD:
            self._add(change.ident, change.filter)
        elif change.flags == KQ_EV_ADD | KQ_EV_CLEAR and change.ident not in self._filters:
            self._epoll.register(change.ident, _MASKS[change.filter] | select.EPOLLET)
            self._filters[change.ident] = {change.filter}
        elif change.flags == KQ_EV_DELETE:
            self._delete(change.ident, change.filter)
        else:
            raise OSError(errno.EINVAL, f"flags {change.flags:#x} are not emulated")

    def _add(self, fd: int, filter: int) -> None:
        filters = self._filters.get(fd, set()) | {filter}
        if len(filters) > 1 or fd in self._filters:
            try:
                self._epoll.modify(fd, _mask(filters))
            except FileNotFoundError:  # that descriptor was closed, and its number used again
                filters = {filter}
                self._epoll.register(fd, _mask(filters))
        else:
            self._epoll.register(fd, _mask(filters))
        self._filters[fd] = filters

    def _delete(self, fd: int, filter: int) -> None:
        filters = self._filters.get(fd, set())
        if filter not in filters:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        filters.discard(filter)
        if filters:
            self._epoll.modify(fd, _mask(filters))
        else:
            del self._filters[fd]
            self._epoll.unregister(fd)

    def _wait(self, max_events: int, timeout: float | None) -> list[kevent]:
        # Reading and writing are two events here and one in epoll: where there is no room for both, whichever went
        # first last time now goes second, or the other would never be told.
        self._write_first = not self._write_first
        events = []
        for fd, mask in self._epoll.poll(timeout, max_events):
            for filter in sorted(self._filters[fd], reverse=not self._write_first):
                if mask & (_MASKS[filter] | _GONE):
                    ended = KQ_EV_EOF if mask & _ENDED[filter] else 0
                    events.append(kevent(fd, filter, KQ_EV_ADD | ended, data=1))
        return events[:max_events]


def _mask(filters: set[int]) -> int:
    mask = 0
    for filter in filters:
        mask |= _MASKS[filter]
    return mask
