"""Turns of a lean reactor: with timers, and with events of each kind."""

import os
import socket
from functools import partial
from inspect import signature
from typing import Any
from unittest import mock

from twisted.internet import main
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone, ConnectionFdescWentAway
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.python import log
from twisted.trial.unittest import SynchronousTestCase

from echoproto.reactors.lean import MAX_CANCELLED_TIMERS, MAX_WAIT, Lean, LogContext
from echoproto.reactors.transports import TCPConnector, TCPServer, UnixConnector, UnixServer
from tests.reactors.test_lean import LeanCase, Reader


class TimersTests(LeanCase):
    """Checks of the timers in a turn."""

    def looks(self, reactor: Any) -> mock.Mock:
        found = mock.Mock(side_effect=reactor.runUntilCurrent)
        reactor.runUntilCurrent = found
        return found

    def test_limits(self) -> None:
        """A day is well within what poll(2) takes; and what Twisted drops cancelled timers from."""
        self.assertEqual((MAX_WAIT, MAX_CANCELLED_TIMERS), (24 * 60 * 60, 50))

    def test_the_first_timer_counts(self) -> None:
        for reactor in self.each():
            timers = [reactor.callLater(seconds, bool) for seconds in (2000, 1000, 3000)]
            self.assertTrue(all(990 < wait <= 1000 for wait in self.turns(reactor, 5)))
            for timer in timers:
                timer.cancel()

    def test_a_timer_that_is_due_this_very_moment(self) -> None:
        for reactor in self.each():
            now = [100.0]
            reactor.seconds = lambda: now[0]  # noqa: B023 - it is called within this round
            done: list[int] = []
            reactor.callLater(5, done.append, 1)
            self.turns(reactor, 4, {2: partial(now.__setitem__, 0, 105.0), 3: lambda: self.assertEqual(done, [1])})  # noqa: B023
            self.assertEqual(done, [1])

    def test_a_timer_that_is_due_soon(self) -> None:
        """It is not looked at before."""
        for reactor in self.each():
            reactor.seconds = lambda: 100.0
            timer = reactor.callLater(0.5, bool)
            looks = self.looks(reactor)
            self.assertEqual(self.turns(reactor, 10)[2:], [0.5] * 8)
            self.assertLess(looks.call_count, 4)
            timer.cancel()

    def test_what_another_thread_asks_for(self) -> None:
        """It has the next turn."""
        for reactor in self.each():
            done: list[int] = []
            self.turns(
                reactor,
                5,
                {3: partial(reactor.callFromThread, done.append, 1), 4: lambda: self.assertEqual(done, [1])},  # noqa: B023
            )
            self.assertEqual(done, [1])

    def test_a_stop(self) -> None:
        """Whoever's event it is that stops it, it has the next turn."""
        for reactor in self.each():
            done: list[str] = []
            reactor.addSystemEventTrigger("during", "shutdown", done.append, "shutdown")
            self.assertEqual(len(self.turns(reactor, 9, {3: reactor.stop})), 4)
            self.assertEqual(done, ["shutdown"])

    def test_how_many_cancelled_timers_are_kept(self) -> None:
        for reactor in self.each():
            timers = [reactor.callLater(1000, bool) for _ in range(60)]
            looks = self.looks(reactor)
            counts: list[int] = []

            def cancel(count: int) -> None:
                for _ in range(count):
                    timers.pop().cancel()  # noqa: B023 - it is called within this round

            actions = {turn: lambda: counts.append(looks.call_count) for turn in range(4, 8)}  # noqa: B023
            self.turns(reactor, 9, {3: partial(cancel, 50), **actions, 8: partial(cancel, 1)})
            self.assertEqual(len(set(counts)), 1, "of 50, none is looked at")
            self.assertEqual(looks.call_count, counts[0] + 1, "of 51, they are")
            for timer in timers:
                timer.cancel()


class Watched(FileDescriptor):
    """Somebody who is watched by a reactor, and keeps what is asked of it."""

    def __init__(self, case: LeanCase) -> None:
        super().__init__(case.reactor)
        self.near, self.far = socket.socketpair()
        case.addCleanup(self.near.close)
        case.addCleanup(self.far.close)
        self.connected = 1
        self.asked: list[str] = []
        self.lost: list[Any] = []

    def fileno(self) -> int:
        return self.near.fileno()

    def doRead(self) -> Any:
        self.asked.append("read")

    def doWrite(self) -> Any:
        self.asked.append("write")
        self.stopWriting()

    def connectionLost(self, reason: Any) -> None:
        super().connectionLost(reason)
        self.lost.append(type(reason.value))


class EventsTests(LeanCase):
    def test_all_who_may_write(self) -> None:
        for reactor in self.each():
            writers = [Watched(self) for _ in range(3)]
            for each in writers:
                each.startWriting()
            reactor.iterate(1)
            self.assertEqual([each.asked for each in writers], [["write"]] * 3)

    def test_an_event_of_one_that_is_gone(self) -> None:
        """The others have theirs all the same."""
        for reactor in self.each():
            if not hasattr(reactor, "_POLL_IN"):
                continue
            reader = Watched(self)
            reader.startReading()
            reactor._dispatch([(9999, reactor._POLL_IN), (reader.fileno(), reactor._POLL_IN)])
            self.assertEqual(reader.asked, ["read"])

    def test_the_short_way_of_one_who_only_reads(self) -> None:
        """And Twisted's for everything else, such as the end of a pipe without data to read."""
        for reactor in self.each():
            if not hasattr(reactor, "_POLL_IN"):
                continue
            reader, hung_up = Watched(self), Watched(self)
            reader.far.send(b"x")
            near, far = os.pipe()
            self.addCleanup(os.close, near)
            os.close(far)
            hung_up.fileno = lambda: near  # type: ignore[method-assign] # noqa: B023 - called within this round
            for each in (reader, hung_up):
                each.startReading()
            with mock.patch.object(reactor, "_doReadOrWrite", side_effect=reactor._doReadOrWrite) as long_way:
                reactor.iterate(1)
            self.assertEqual([call.args[0] for call in long_way.mock_calls], [hung_up])
            self.assertEqual((reader.asked, reader.lost), (["read"], []))
            self.assertEqual((hung_up.asked, hung_up.lost), ([], [ConnectionDone]))

    def test_one_whose_descriptor_is_gone(self) -> None:
        """It ends, and is not asked to read."""
        for reactor in self.each():
            if not hasattr(reactor, "_POLL_IN"):
                continue
            reader = Watched(self)
            reader.startReading()
            fd = reader.fileno()
            with mock.patch.object(reader, "fileno", return_value=-1):
                reactor._dispatch([(fd, reactor._POLL_IN)])
            self.assertEqual((reader.asked, reader.lost), ([], [ConnectionFdescWentAway]))

    def test_an_interrupt_at_the_end_of_one(self) -> None:
        """It is for whoever runs the reactor."""
        for reactor in self.each():
            reader = Reader(self)
            reader.doRead = lambda: main.CONNECTION_DONE  # type: ignore[method-assign]
            reader.readConnectionLost = mock.Mock(side_effect=KeyboardInterrupt)  # type: ignore[method-assign]
            self.assertRaises(KeyboardInterrupt, reactor.iterate, 1)

    def test_a_prefix_that_fails_once(self) -> None:
        """The next line has it again."""
        for reactor in self.each():
            reader = Reader(self, "somebody")
            reader.logPrefix = mock.Mock(side_effect=[ZeroDivisionError, "somebody"])  # type: ignore[method-assign]
            reader.read = lambda: [log.msg("one"), log.msg("two")]  # type: ignore[method-assign,assignment]
            reactor.iterate(1)
            self.assertEqual(self.systems()[-1], "somebody")
            self.flushLoggedErrors(ZeroDivisionError)


class PortsTests(LeanCase):
    """Ports and connectors are those that Twisted's own reactors would make, but for what they make."""

    def test_defaults(self) -> None:
        for name in ("listenTCP", "connectTCP", "listenUNIX", "connectUNIX", "adoptStreamPort"):
            ours, stock = (signature(getattr(each, name)) for each in (Lean, PosixReactorBase))
            self.assertEqual(
                [(each.name, each.default) for each in ours.parameters.values()],
                [(each.name, each.default) for each in stock.parameters.values()],
                name,
            )

    def test_what_is_asked_for(self) -> None:
        """It is what they get: addresses, how many wait, modes, locks, and how long it is tried."""
        for reactor in self.each():
            path = self.mktemp()
            tcp = reactor.listenTCP(0, Factory(), 7, "127.0.0.1")
            unix = reactor.listenUNIX(path, Factory(), 7, 0o600, True)
            self.assertEqual((tcp.backlog, tcp.getHost().host), (7, "127.0.0.1"))
            self.assertEqual((unix.backlog, unix.mode, unix.wantPID), (7, 0o600, True))
            over_tcp = reactor.connectTCP("127.0.0.1", tcp.getHost().port, ClientFactory(), 5, ("127.0.0.1", 0))
            over_unix = reactor.connectUNIX(path, ClientFactory(), 6, True)
            self.assertEqual((over_tcp.timeout, over_tcp.bindAddress), (5, ("127.0.0.1", 0)))
            self.assertEqual((over_unix.timeout, over_unix.checkPID), (6, True))
            for connector in (over_tcp, over_unix):
                connector.stopConnecting()
            for port in (tcp, unix):
                port.stopListening()
                while port.connected:
                    reactor.iterate(0.01)

    def test_connectors(self) -> None:
        for reactor in self.each():
            path = self.mktemp()
            for connector, kind in (
                (reactor.connectTCP("127.0.0.1", 1, ClientFactory()), TCPConnector),
                (reactor.connectUNIX(path, ClientFactory()), UnixConnector),
            ):
                self.assertIsInstance(connector, kind)
                connector.stopConnecting()

    def test_sockets_that_are_adopted(self) -> None:
        for reactor in self.each():
            for family, address, kind in (
                (socket.AF_INET, ("127.0.0.1", 0), TCPServer),
                (socket.AF_UNIX, self.mktemp(), UnixServer),
            ):
                with socket.socket(family) as made:
                    made.bind(address)
                    made.listen()
                    port = reactor.adoptStreamPort(made.fileno(), family, Factory.forProtocol(Protocol))
                self.assertIs(port.transport, kind)
                port.stopListening()
                while port.connected:
                    reactor.iterate(0.01)


class PartsTests(SynchronousTestCase):
    def test_a_log_context_knows_no_more_than_that(self) -> None:
        self.assertRaises(KeyError, LogContext().__getitem__, "anything else")

    def test_how_events_are_handled_is_up_to_each(self) -> None:
        self.assertRaises(NotImplementedError, Lean._handle, mock.Mock(), [], LogContext())
