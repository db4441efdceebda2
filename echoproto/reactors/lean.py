"""
Reactors with less work per event: ``lean-epoll``, ``lean-poll`` and ``lean-kqueue``, for any service of ``twistd``.

They differ from Twisted's own in four points:

- Their TCP and Unix connections write at once (see `transports`).
- Twisted runs each event within `twisted.python.log.callWithLogger`, which builds a log context even if nothing is
  logged (Twisted #2534, #12338). Here, all events of a turn share one context, which computes the prefix of a log line
  on demand.
- A turn in which no timer is due looks only at the first timer.
- Their timers follow the monotonic clock, not the wall clock (see `clock`).

Each has its own module, since no system can import all three.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

from twisted.internet import unix
from twisted.internet.posixbase import _NO_FILEDESC, PosixReactorBase
from twisted.logger import Logger
from twisted.python import context, log
from typing_extensions import override

from echoproto.reactors.transports import TCPConnector, TCPServer, UnixConnector, UnixServer

_log_of_twisted = Logger("twisted.internet.base")

MAX_WAIT = 86_400.0
"""Maximum wait for events without a look at the timers, in seconds; poll(2) accepts at most 24 days."""

MAX_CANCELLED_TIMERS = 50
"""Number of cancelled timers beyond which Twisted gets a turn to drop them."""

BUGGY = "(buggy logPrefix method)"
"""Twisted's log prefix for an object whose logPrefix raises."""


class _Buggy:
    @staticmethod
    def logPrefix() -> str:
        return BUGGY


class LogContext(dict[Any, Any]):
    """
    Log context of the current event, made on demand.

    :ivar owner: the object that handles the event.
    """

    owner: Any = None

    def __missing__(self, key: object) -> Any:
        if key is not log.ILogContext:
            raise KeyError(key)
        contexts = context.theContextTracker.currentContext().contexts
        made = dict(next(each[key] for each in reversed(contexts) if key in each))  # of an outer context
        try:
            made["system"] = self.owner.logPrefix()
        except Exception:  # logPrefix is foreign code
            made["system"] = BUGGY
            owner, self.owner = self.owner, _Buggy  # logging this error also asks for the prefix
            log.err()
            self.owner = owner
        return made


class Lean(PosixReactorBase):
    """Common base of the three."""

    seconds = staticmethod(time.monotonic)

    def __init__(self, *arguments: Any) -> None:
        self._logged = LogContext()
        super().__init__(*arguments)

    def mainLoop(self) -> None:
        """Run turns until the reactor stops."""
        while self._started:
            try:
                while self._started:
                    self._turn()
            except BaseException:  # as in Twisted: other connections must be served after any exception
                _log_of_twisted.failure("Unexpected error in main loop")
        _log_of_twisted.info("Main loop terminated.")

    def _turn(self) -> None:
        """Run due timers and calls of threads, then wait for events and handle them."""
        timers = self._pendingTimedCalls
        wait = timers[0].time - self.seconds() if timers else MAX_WAIT
        if (
            not 0 < wait <= MAX_WAIT
            or self._newTimedCalls
            or self.threadCallQueue
            or self._justStopped
            or self._cancellations > MAX_CANCELLED_TIMERS
        ):
            self.runUntilCurrent()
            self.doIteration(self.running and self.timeout())
        else:
            self.doIteration(wait)

    @override
    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        made = super().listenTCP(port, factory, backlog, interface)
        made.transport = TCPServer  # in time: accepting begins in the next turn
        return made

    @override
    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30.0, bindAddress: Any = None
    ) -> TCPConnector:
        connector = TCPConnector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    @override
    def listenUNIX(
        self, address: Any, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: bool = False
    ) -> Any:
        made = super().listenUNIX(address, factory, backlog, mode, wantPID)
        made.transport = UnixServer
        return made

    @override
    def connectUNIX(self, address: Any, factory: Any, timeout: float = 30, checkPID: bool = False) -> UnixConnector:
        connector = UnixConnector(address, factory, timeout, self, checkPID)
        connector.connect()
        return connector

    @override
    def adoptStreamPort(self, fileDescriptor: int, addressFamily: Any, factory: Any) -> Any:
        made = super().adoptStreamPort(fileDescriptor, addressFamily, factory)
        made.transport = UnixServer if isinstance(made, unix.Port) else TCPServer
        return made

    def _dispatch(self, events: Iterable[tuple[int, Any]]) -> None:
        """Handle each event within the log context of its owner."""
        contexts = context.theContextTracker.currentContext().contexts
        logged = self._logged
        before = logged.owner  # of an outer turn, since a handler may call reactor.iterate
        contexts.append(logged)
        try:
            self._handle(events, logged)
        finally:
            contexts.pop()
            logged.owner = before

    def _handle(self, events: Iterable[tuple[int, Any]], logged: LogContext) -> None:
        raise NotImplementedError


class LeanPollLike(Lean):
    """Common base of the two whose events are pairs of descriptor and mask."""

    _POLL_IN: int
    _selectables: dict[int, Any]

    def _handle(self, events: Iterable[tuple[int, int]], logged: LogContext) -> None:
        selectables = self._selectables
        only_in = self._POLL_IN
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:  # an earlier event of this turn has ended it
                continue
            logged.owner = selectable
            try:
                if event != only_in:
                    self._doReadOrWrite(selectable, fd, event)  # type: ignore[attr-defined]
                    continue
                try:
                    why = selectable.doRead() if selectable.fileno() != -1 else _NO_FILEDESC
                except BaseException:  # as in Twisted: any exception ends this connection, and is logged
                    why = sys.exc_info()[1]
                    log.err()
                if why:
                    self._disconnectSelectable(selectable, why, True)
            except KeyboardInterrupt:
                raise
            except BaseException:  # from its connectionLost
                log.err()
