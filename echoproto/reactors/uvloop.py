"""
Twisted's asyncio reactor on uvloop's event loop; installed by ``twistd --reactor uvloop`` for any service.

Twisted expects two things of an event loop that uvloop does not do:

- Leave the wakeup descriptor of signals alone, on which Twisted waits for SIGCHLD. `UvloopReactor` installs its own
  handler.
- Watch a descriptor until told otherwise. When the kernel reports an error, such as a reset, libuv stops watching;
  uvloop calls the reader and the writer a last time, and drops them. That read may return data from before the reset.
  If nothing is sent in return, as for a part of a TLS record, no event follows, and the connection would stay open
  forever. uvloop does not report the drop, so `Loop` keeps a weak reference to each callback: when uvloop drops one
  that was not removed, `Loop` watches the descriptor anew, until a read or a write has found the error.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.main import installReactor
from twisted.internet.process import reapAllProcesses

from echoproto.errors import not_installed

try:
    import uvloop
except ImportError as error:
    raise ImportError(not_installed("uvloop", "uvloop")) from error

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

__all__ = ["Loop", "UvloopReactor", "install"]


Watches = dict[int, tuple[Callable[[], object], object]]
"""Callback of each descriptor, with a reference to the object that uvloop holds in its place."""


def _number(fd: FileDescriptorLike) -> int:
    """Return the number of a descriptor, or of a file object."""
    return fd if isinstance(fd, int) else fd.fileno()


class Loop(uvloop.Loop):
    """An event loop of uvloop that watches a descriptor until told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self._readers: Watches = {}
        self._writers: Watches = {}
        self._dropped: set[int] = set()

    def add_reader(self, fd: FileDescriptorLike, callback: Callable[..., object], *args: object) -> None:
        """Call back whenever a descriptor can be read."""
        self._watch(super().add_reader, self._readers, _number(fd), partial(callback, *args))

    def add_writer(self, fd: FileDescriptorLike, callback: Callable[..., object], *args: object) -> None:
        """Call back whenever a descriptor can be written to."""
        self._watch(super().add_writer, self._writers, _number(fd), partial(callback, *args))

    def remove_reader(self, fd: FileDescriptorLike) -> Any:
        """Stop watching for reading; return true if it was watched."""
        watched = self._readers.pop(_number(fd), None)
        super().remove_reader(fd)
        return watched is not None

    def remove_writer(self, fd: FileDescriptorLike) -> Any:
        """Stop watching for writing; return true if it was watched."""
        watched = self._writers.pop(_number(fd), None)
        super().remove_writer(fd)
        return watched is not None

    def _watch(self, add: Callable[..., object], watches: Watches, fd: int, callback: Callable[[], object]) -> None:
        self._renew(fd)
        held = partial(callback)  # kept alive by uvloop alone
        add(fd, held)
        watches[fd] = callback, ref(held, partial(self._note_drop, fd))

    def _note_drop(self, fd: int, _: object) -> None:
        """Renew a watch soon: uvloop is about to close its handle."""
        if not self.is_closed():
            self._dropped.add(fd)
            self.call_soon(self._renew, fd)

    def _renew(self, fd: int) -> None:
        """Watch a dropped descriptor anew, after uvloop has forgotten its closed handle."""
        if fd in self._dropped:
            self._dropped.remove(fd)
            reader, writer = self._readers.get(fd), self._writers.get(fd)
            self.remove_reader(fd)
            self.remove_writer(fd)
            if reader:
                self.add_reader(fd, reader[0])
            if writer:
                self.add_writer(fd, writer[0])


class UvloopReactor(AsyncioSelectorReactor):
    """An asyncio reactor with its own uvloop event loop."""

    def __init__(self) -> None:
        super().__init__(Loop())

    def startRunning(self, installSignalHandlers: bool = True) -> None:
        """
        Start running, and watch for the end of child processes.

        uvloop takes over the wakeup descriptor of signals (`signal.set_wakeup_fd`), on which Twisted waits for SIGCHLD.
        Without this handler, no `IProcessProtocol` would notice the end of its process.
        """
        if installSignalHandlers:
            self.callWhenRunning(self._watch_children)
        super().startRunning(installSignalHandlers)

    def _watch_children(self) -> None:
        signal.signal(signal.SIGCHLD, lambda number, frame: self.callFromThread(reapAllProcesses))
        signal.siginterrupt(signal.SIGCHLD, False)
        reapAllProcesses()  # children that have already ended


def install() -> None:
    """Install the reactor in this process, before anything imports ``twisted.internet.reactor``."""
    installReactor(UvloopReactor())
