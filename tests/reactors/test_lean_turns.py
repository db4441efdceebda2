"""What a lean reactor does in a turn: with timers, and with events of each kind."""

import socket
from functools import partial
from inspect import signature
from typing import Any
from unittest import mock

from twisted.internet import main
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionFdescWentAway
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.python import log
from twisted.trial.unittest import SynchronousTestCase

from echoproto.reactors.lean import FEW_CANCELLED, LONGEST, Lean, LogContext
from echoproto.reactors.transports import TCPConnector, TCPServer, UnixConnector, UnixServer
from tests.reactors.test_lean import LeanCase, Reader


class TimersTests(LeanCase):
    """Whether it looks at timers in a turn."""

    def looks(self, reactor: Any) -> mock.Mock:
        found = mock.Mock(side_effect=reactor.runUntilCurrent)
        reactor.runUntilCurrent = found
        return found

    def test_limits(self) -> None:
        """A day is well within what poll(2) takes; and what Twisted drops cancelled timers from."""
        self.assertEqual((LONGEST, FEW_CANCELLED), (24 * 60 * 60, 50))

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
