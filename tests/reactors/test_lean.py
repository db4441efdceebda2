"""Turns and events of the lean reactors; Twisted's own tests cover the rest (checks/conformance.py)."""

import socket
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any
from unittest import mock

from twisted.application.reactors import getReactorTypes
from twisted.internet import main
from twisted.internet.abstract import FileDescriptor
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.python import context, log
from twisted.python.failure import Failure
from twisted.python.reflect import namedModule
from twisted.trial.unittest import SynchronousTestCase

from echoproto.reactors.lean import MAX_WAIT
from echoproto.reactors.selection import candidates
from echoproto.reactors.transports import TCPClient, TCPServer, UnixClient, UnixServer
from tests.support.logs import record_log

LEAN = [each for each in candidates() if each.name.startswith("lean-") and not each.why_not]


class Reader(FileDescriptor):
    """Somebody who reads, as the test has it."""

    def __init__(self, case: "LeanCase", name: str = "somebody") -> None:
        super().__init__(case.reactor)
        self.near, self.far = socket.socketpair()
        self.case, self.name = case, name
        self.prefixes = 0
        self.lost: list[Any] = []
        case.addCleanup(self.near.close)
        case.addCleanup(self.far.close)
        self.connected = 1
        self.startReading()
        self.far.send(b"x")

    def fileno(self) -> int:
        return self.near.fileno()

    def logPrefix(self) -> str:
        self.prefixes += 1
        return self.name

    def doRead(self) -> Any:
        self.near.recv(1)
        self.read()
        return None

    def read(self) -> None:
        log.msg("read")

    def connectionLost(self, reason: Any) -> None:
        super().connectionLost(reason)
        self.lost.append(reason.value)


class LeanCase(SynchronousTestCase):
    """Common parts of tests of lean reactors."""

    def setUp(self) -> None:
        self.events = record_log(self)
        self.depth = len(self.contexts())

    def each(self) -> Any:
        """Each lean reactor of this platform, made anew."""
        self.assertTrue(LEAN, "there is none here")
        for candidate in LEAN:
            self.reactor: Any = getattr(namedModule(candidate.module), candidate.class_name)()
            self.events.clear()
            yield self.reactor
            self.assertEqual(len(self.contexts()), self.depth, "what it has put upon them, it takes away")
            for reader in self.reactor.removeAll():
                reader.connectionLost(Failure(main.CONNECTION_LOST))
            for internal in self.reactor._internalReaders:
                internal.connectionLost(None)
            poller: Any = getattr(self.reactor, "_poller", None)
            if hasattr(poller, "close"):
                poller.close()

    def contexts(self) -> list[Any]:
        found: list[Any] = context.theContextTracker.currentContext().contexts
        return found

    def systems(self) -> list[Any]:
        return [event["log_system"] for event in self.events]

    def turns(self, reactor: Any, last: int, actions: Mapping[int, Callable[[], object]] = MappingProxyType({})) -> Any:
        """Have a reactor take turns in which there are no events, but actions, by number; how long each may wait."""
        waits: list[Any] = []

        def turn(wait: Any) -> None:
            waits.append(wait)
            if len(waits) == last:
                reactor.crash()
            actions.get(len(waits), bool)()

        reactor.doIteration = turn
        reactor.run(installSignalHandlers=False)
        return waits


class LeanTests(LeanCase):
    def test_the_prefix_of_a_log_line_is_right(self) -> None:
        for reactor in self.each():
            readers = [Reader(self, name) for name in ("one", "two", "three")]
            reactor.iterate(1)
            self.assertEqual(sorted(self.systems()), ["one", "three", "two"])
            self.assertEqual([reader.prefixes for reader in readers], [1, 1, 1])

    def test_without_a_log_line_there_is_no_prefix(self) -> None:
        for reactor in self.each():
            reader = Reader(self)
            reader.read = lambda: None  # type: ignore[method-assign]
            reactor.iterate(1)
            self.assertEqual(reader.prefixes, 0)

    def test_a_turn_within_a_turn(self) -> None:
        """The prefix is that of the one whose event it is, before, within and after."""
        for reactor in self.each():
            outer = Reader(self, "outer")

            def read() -> None:
                log.msg("before")
                Reader(self, "inner")
                reactor.iterate(1)  # noqa: B023 - it is called within this round
                log.msg("after")

            outer.read = read  # type: ignore[method-assign]
            reactor.iterate(1)
            self.assertEqual(self.systems(), ["outer", "inner", "outer"])

    def test_a_context_of_somebody_s_own(self) -> None:
        """It is around ours, or within it, as `callWithContext` has it."""
        for reactor in self.each():
            reader = Reader(self)
            reader.read = lambda: context.call({"mine": 5}, log.msg, "x")  # type: ignore[method-assign]
            log.callWithContext({"mood": "calm"}, reactor.iterate, 1)
            self.assertEqual(self.systems(), ["somebody"])
            self.assertEqual(self.events[0]["mood"], "calm")

    def test_a_prefix_that_fails(self) -> None:
        for reactor in self.each():
            reader = Reader(self)
            reader.logPrefix = lambda: str(1 // 0)  # type: ignore[method-assign]
            reactor.iterate(1)
            self.assertEqual(self.systems(), ["(buggy logPrefix method)"] * 2, "the error, and the line itself")
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_an_error_ends_the_one_who_made_it(self) -> None:
        for reactor in self.each():
            bad, good = Reader(self, "bad"), Reader(self, "good")
            bad.read = lambda: 1 // 0  # type: ignore[method-assign,assignment]
            reactor.iterate(1)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.assertEqual(([type(each) for each in bad.lost], good.lost), ([ZeroDivisionError], []))
            self.assertIn("good", self.systems())

    def test_an_error_at_the_end(self) -> None:
        """The others of the turn have theirs all the same."""
        for reactor in self.each():
            bad, good = Reader(self, "bad"), Reader(self, "good")
            bad.doRead = lambda: main.CONNECTION_DONE  # type: ignore[method-assign]
            bad.readConnectionLost = lambda reason: 1 // 0  # type: ignore[method-assign,assignment]
            reactor.iterate(1)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.assertIn("good", self.systems())
            self.assertEqual(good.lost, [])

    def test_one_that_another_has_ended(self) -> None:
        for reactor in self.each():
            readers = [Reader(self, name) for name in ("one", "two")]

            def end_the_other() -> None:
                log.msg("read")
                for each in readers:  # noqa: B023 - it is called within this round
                    each.stopReading()

            for each in readers:
                each.read = end_the_other  # type: ignore[method-assign]
            reactor.iterate(1)
            self.assertEqual(len(self.systems()), 1)

    def test_its_connections_write_at_once(self) -> None:
        """Of both sides, over TCP and Unix sockets."""
        for reactor in self.each():
            path = self.mktemp()
            for listen, connect, kinds in (
                (lambda factory: reactor.listenTCP(0, factory, interface="127.0.0.1"), None, (TCPServer, TCPClient)),  # noqa: B023
                (lambda factory: reactor.listenUNIX(path, factory), path, (UnixServer, UnixClient)),  # noqa: B023
            ):
                made: list[Protocol] = []

                class Kept(Protocol):
                    def connectionMade(self) -> None:
                        made.append(self)  # noqa: B023

                port = listen(Factory.forProtocol(Kept))
                if connect is None:
                    reactor.connectTCP("127.0.0.1", port.getHost().port, ClientFactory.forProtocol(Kept))
                else:
                    reactor.connectUNIX(connect, ClientFactory.forProtocol(Kept))
                while len(made) < 2:
                    reactor.iterate(1)
                transports: list[Any] = [each.transport for each in made]
                self.assertEqual({type(each) for each in transports}, set(kinds))
                self.assertTrue(all(each._at_once for each in transports))
                for each in transports:
                    each.abortConnection()
                port.stopListening()
                while port.connected:
                    reactor.iterate(0.01)

    def test_its_timers_follow_the_monotonic_clock(self) -> None:
        """E5: those of any service, whoever has set them."""
        for reactor in self.each():
            fired: list[bool] = []
            with mock.patch("time.time", return_value=0.0):
                timer = reactor.callLater(0.001, fired.append, True)
                self.assertTrue(abs(timer.getTime() - time.monotonic()) < 60)
                while not fired:
                    reactor.iterate(0.01)

    def test_nothing_is_done_for_timers_that_are_not_due(self) -> None:
        for reactor in self.each():
            timer = reactor.callLater(1000, bool)
            looks = mock.Mock(side_effect=reactor.runUntilCurrent)
            reactor.runUntilCurrent = looks
            waits = self.turns(reactor, 100)
            self.assertLess(looks.call_count, 5)
            self.assertTrue(all(990 < wait <= 1000 for wait in waits), waits)
            timer.cancel()

    def test_without_a_timer_it_waits_for_long(self) -> None:
        """But never for longer than poll(2) takes, 2 ** 31 ms."""
        for reactor in self.each():
            self.assertEqual(self.turns(reactor, 3)[1:], [MAX_WAIT, MAX_WAIT])
            timer = reactor.callLater(1e9, bool)
            waits = self.turns(reactor, 3)
            self.assertTrue(all(MAX_WAIT < wait < 2**31 / 1000 for wait in waits), waits)
            timer.cancel()

    def test_timers_and_calls_of_threads_have_their_turn(self) -> None:
        """Those that were set meanwhile, those that were set to an earlier time, and what another thread asks for."""
        for reactor in self.each():
            done: list[str] = []
            later = reactor.callLater(1000, done.append, "later")
            reactor.addSystemEventTrigger("during", "shutdown", done.append, "shutdown")
            actions = {
                2: partial(reactor.callLater, 0, done.append, "new"),
                4: partial(later.reset, 0),
                6: partial(reactor.callFromThread, done.append, "thread"),
                8: partial(reactor.callLater, 0, reactor.stop),
            }
            waits = self.turns(reactor, 20, actions)
            self.assertEqual(done, ["new", "later", "thread", "shutdown"])
            self.assertEqual((len(waits), waits[-1]), (9, False), "once it is stopped, it waits for nothing")
            told = self.events[-1]  # as Twisted's own reactors do
            self.assertEqual(
                (told["log_namespace"], told["log_format"]), ("twisted.internet.base", "Main loop terminated.")
            )

    def test_cancelled_timers_are_dropped(self) -> None:
        for reactor in self.each():
            timers = [reactor.callLater(1000, bool) for _ in range(200)]
            self.turns(reactor, 3, {2: lambda: [timer.cancel() for timer in timers]})  # noqa: B023 - it is called here
            self.assertEqual(reactor._pendingTimedCalls, [])

    def test_an_error_in_a_turn_is_logged(self) -> None:
        """It goes on as Twisted's do, whatever it is."""
        for reactor in self.each():
            self.assertEqual(len(self.turns(reactor, 2, {1: sys.exit})), 2)
            self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
            self.assertIn("Unexpected error in main loop", [event["log_format"] for event in self.events])

    def test_they_are_listed(self) -> None:
        names = {each.shortName for each in getReactorTypes()}
        self.assertLessEqual({"lean-epoll", "lean-poll", "lean-kqueue"}, names)
