"""
Twisted's asyncio reactor on uvloop's event loop; installed by ``twistd --reactor uvloop`` for any service.
"""

from __future__ import annotations

import signal

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.main import installReactor
from twisted.internet.process import reapAllProcesses

from echoproto.errors import not_installed

try:
    import uvloop
except ImportError as error:
    raise ImportError(not_installed("uvloop", "uvloop")) from error

__all__ = ["UvloopReactor", "install"]


class UvloopReactor(AsyncioSelectorReactor):
    """An asyncio reactor with an event loop of its own, made by uvloop."""

    def __init__(self) -> None:
        super().__init__(uvloop.new_event_loop())

    def startRunning(self, installSignalHandlers: bool = True) -> None:
        """
        Begin to run, and notice the end of child processes.

        uvloop takes for itself the descriptor by which Python tells of signals (`signal.set_wakeup_fd`), on which
        Twisted waits for SIGCHLD: without this, no `IProcessProtocol` would hear of its process's end.
        """
        if installSignalHandlers:
            self.callWhenRunning(self._watch_children)
        super().startRunning(installSignalHandlers)

    def _watch_children(self) -> None:
        signal.signal(signal.SIGCHLD, lambda number, frame: self.callFromThread(reapAllProcesses))
        signal.siginterrupt(signal.SIGCHLD, False)
        reapAllProcesses()  # those that have ended meanwhile


def install() -> None:
    """Make it the reactor of this process; before anything imports ``twisted.internet.reactor``."""
    installReactor(UvloopReactor())
