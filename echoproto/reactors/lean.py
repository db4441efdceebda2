"""
Reactors that do less for each event: ``lean-epoll``, ``lean-poll`` and ``lean-kqueue``, for any service of twistd's.

They are Twisted's own, but for four things:

- Their TCP and Unix connections write at once (see `transports`).
- Twisted runs each event within `twisted.python.log.callWithLogger`, which builds a log context for it, whether
  something is logged or not (Twisted #2534, #12338). Here, there is one context for all events of a turn, which works
  out the prefix of a log line when there is one.
- A turn in which no timer is due looks at the first one, and at no more.
- Their timers follow the monotonic clock, whatever is done to the wall clock (see `clock`).

Each has a module of its own, since no system has all of what they need.
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

from echoproto.reactors.transports import TCPConnector, TCPServer, UnixConnector, UnixServer

_log_of_twisted = Logger("twisted.internet.base")

LONGEST = 86_400.0
"""Seconds to wait for events without a look at the timers; poll(2) takes 24 days at the most."""

FEW_CANCELLED = 50
"""Timers that were cancelled, and are kept; if there are more of them, Twisted may drop them."""

BUGGY = "(buggy logPrefix method)"
"""What Twisted calls those who can't say what they are called."""


class _Buggy:
    @staticmethod
    def logPrefix() -> str:
        return BUGGY


class LogContext(dict[Any, Any]):
    """
    The log context of whoever is being served, made when somebody asks for it.

    :ivar owner: whose event it is.
    """

    owner: Any = None

    def __missing__(self, key: object) -> Any:
        if key is not log.ILogContext:
            raise KeyError(key)
        contexts = context.theContextTracker.currentContext().contexts
        made = dict(next(each[key] for each in reversed(contexts) if key in each))  # which this one says it is not
        try:
            made["system"] = self.owner.logPrefix()
        except Exception:  # it may be anybody's
            made["system"] = BUGGY
            owner, self.owner = self.owner, _Buggy  # who logs this asks here, too
            log.err()
            self.owner = owner
        return made


class Lean(PosixReactorBase):
    """What the three have in common."""

    seconds = staticmethod(time.monotonic)

    def __init__(self, *arguments: Any) -> None:
        self._logged = LogContext()
        super().__init__(*arguments)

    def mainLoop(self) -> None:
        """Take turns until it is stopped."""
        while self._started:
            try:
                while self._started:
                    self._turn()
            except BaseException:  # as Twisted has it: whatever it is, the others are to be served
                _log_of_twisted.failure("Unexpected error in main loop")
        _log_of_twisted.info("Main loop terminated.")

    def _turn(self) -> None:
        """Wait for events, and have them handled; before that, see to timers and calls of threads, if there are any."""
        timers = self._pendingTimedCalls
        wait = timers[0].time - self.seconds() if timers else LONGEST
        if (
            not 0 < wait <= LONGEST
            or self._newTimedCalls
            or self.threadCallQueue
            or self._justStopped
            or self._cancellations > FEW_CANCELLED
        ):
            self.runUntilCurrent()
            self.doIteration(self.running and self.timeout())
        else:
            self.doIteration(wait)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """See `twisted.internet.interfaces.IReactorTCP`."""
        made = super().listenTCP(port, factory, backlog, interface)
        made.transport = TCPServer  # nobody is accepted before the next turn
        return made

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30.0, bindAddress: Any = None
    ) -> TCPConnector:
        """See `twisted.internet.interfaces.IReactorTCP`."""
        connector = TCPConnector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    def listenUNIX(
        self, address: Any, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: bool = False
    ) -> Any:
        """See `twisted.internet.interfaces.IReactorUNIX`."""
        made = super().listenUNIX(address, factory, backlog, mode, wantPID)
        made.transport = UnixServer
        return made

    def connectUNIX(self, address: Any, factory: Any, timeout: float = 30, checkPID: bool = False) -> UnixConnector:
        """See `twisted.internet.interfaces.IReactorUNIX`."""
        connector = UnixConnector(address, factory, timeout, self, checkPID)
        connector.connect()
        return connector

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: Any, factory: Any) -> Any:
        """See `twisted.internet.interfaces.IReactorSocket`."""
        made = super().adoptStreamPort(fileDescriptor, addressFamily, factory)
        made.transport = UnixServer if isinstance(made, unix.Port) else TCPServer
        return made

    def _dispatch(self, events: Iterable[tuple[int, Any]]) -> None:
        """Handle each event within the log context of whose it is."""
        contexts = context.theContextTracker.currentContext().contexts
        logged = self._logged
        before = logged.owner  # that of a turn around this one: a handler may call reactor.iterate
        contexts.append(logged)
        try:
            self._handle(events, logged)
        finally:
            contexts.pop()
            logged.owner = before

    def _handle(self, events: Iterable[tuple[int, Any]], logged: LogContext) -> None:
        raise NotImplementedError


class LeanPollLike(Lean):
    """What the two have in common whose events are pairs of descriptor and mask."""

    _POLL_IN: int
    _selectables: dict[int, Any]

    def _handle(self, events: Iterable[tuple[int, int]], logged: LogContext) -> None:
        selectables = self._selectables
        only_in = self._POLL_IN
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:  # another one's event has ended it
                continue
            logged.owner = selectable
            try:
                if event != only_in:
                    self._doReadOrWrite(selectable, fd, event)  # type: ignore[attr-defined]
                    continue
                try:
                    why = selectable.doRead() if selectable.fileno() != -1 else _NO_FILEDESC
                except BaseException:  # as Twisted has it: whatever it is, it ends this one, and is logged
                    why = sys.exc_info()[1]
                    log.err()
                if why:
                    self._disconnectSelectable(selectable, why, True)
            except KeyboardInterrupt:
                raise
            except BaseException:  # of its connectionLost
                log.err()
