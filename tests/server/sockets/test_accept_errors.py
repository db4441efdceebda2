"""A port whose socket is not real: it gives what accept(2) may give. The real errors stand in tests/integration."""

import errno
import os
import socket
from typing import Any
from unittest import mock

from twisted.internet import tcp
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from echoproto import EchoFactory
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.accept import TCPPort, bound_address
from tests.support.admission import admission
from tests.support.logs import record_log

EPROTO = OSError(errno.EPROTO, "")


class AcceptCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = EchoFactory(b"")
        self.reactor: Any = mock.Mock(callLater=self.clock.callLater)
        self.port: Any = TCPPort(0, self.factory, 50, "127.0.0.1", self.reactor)
        self.limit()
        self.port.connected = True
        self.port.numberAccepts = 10
        self.port.socket = mock.Mock()
        self.events = record_log(self)

    def limit(self, **settings: Any) -> None:
        self.port.admission = admission(self.clock, Settings(**settings), self.factory.connections)
        self.counters = self.port.admission.counters

    def socket(self) -> socket.socket:
        """One end of a real connection."""
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        self.addCleanup(near.close)
        return near

    def lines(self) -> list[str]:
        return [formatEvent(event) for event in self.events if event["log_namespace"] == "echoproto"]

    def read(self, *answers: Any) -> int:
        """Let accept give these answers, then none, and return the number of its calls."""
        self.port.socket.accept.side_effect = [*answers, *[BlockingIOError(errno.EAGAIN, "")] * 20]
        self.port.socket.accept.reset_mock()
        self.port.doRead()
        return int(self.port.socket.accept.call_count)


class AcceptErrorsTests(AcceptCase):
    def test_of_one_connection(self) -> None:
        """C7: the next one is accepted at once."""
        errors = [OSError(number, "") for number in (errno.ECONNABORTED, errno.EPERM, errno.EPROTO)]
        self.assertEqual(self.read(*errors), 4)
        self.assertEqual(self.counters.errors, {"ECONNABORTED": 1, "EPERM": 1, "EPROTO": 1})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_of_the_system(self) -> None:
        """C7: to try again at once would be to turn in circles."""
        for number in (errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            self.reactor.reset_mock()
            self.assertEqual(self.read(OSError(number, "")), 1)
            self.reactor.removeReader.assert_called_once_with(self.port)
            self.clock.advance(0.099)
            self.reactor.addReader.assert_not_called()
            self.clock.advance(0.001)
            self.reactor.addReader.assert_called_once_with(self.port)
        self.assertEqual(self.counters.errors, {"ENFILE": 1, "ENOBUFS": 1, "ENOMEM": 1})

    def test_no_room_to_watch_it_after_a_rest(self) -> None:
        """C7: it is tried again, until it is watched; anything else would be the end of it."""
        for number in (errno.ENOMEM, errno.ENOSPC):
            self.read(OSError(errno.ENFILE, ""))
            self.reactor.addReader = mock.Mock(side_effect=[OSError(number, ""), OSError(number, ""), None])
            for tries in (1, 2, 3):
                self.clock.advance(0.1)
                self.assertEqual(self.reactor.addReader.call_count, tries)
            self.clock.advance(1)
            self.assertEqual(self.reactor.addReader.call_count, 3, "it is watched now")
        self.assertEqual(self.counters.errors, {"ENFILE": 2, "ENOMEM": 2, "ENOSPC": 2})

    def test_without_any_descriptor(self) -> None:
        """C6: not even a spare one, so it waits."""
        self.assertEqual(self.port._spare, None)
        with mock.patch.object(os, "open", side_effect=OSError(errno.EMFILE, "")):
            self.assertEqual(self.read(OSError(errno.EMFILE, "")), 1)
        self.assertEqual(self.counters.errors, {"EMFILE": 1})
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.read(OSError(errno.EMFILE, ""))
        self.assertIsNotNone(self.port._spare, "as soon as there is one again")
        os.close(self.port._spare)

    def test_without_a_number(self) -> None:
        self.read(OSError())
        self.assertEqual(self.counters.errors, {"OSError": 1})

    def test_a_line_a_second(self) -> None:
        """E4: under any number of errors."""
        for _ in range(100):
            self.read(OSError(errno.ENFILE, "Too many"))
            self.clock.advance(0.1)
        lines = self.lines()
        self.assertEqual(self.events[0]["event"], "accept-failed")
        self.assertEqual(lines[0], "Could not accept a connection: ENFILE, Too many")
        self.assertRegex("\n".join(lines), r"\n\d+ more failures to accept, ENFILE, not logged one by one\n")
        self.assertLessEqual(len(lines), 11)

    def test_an_error_of_ours_leaves_the_port_open(self) -> None:
        """E10."""
        near = self.socket()
        with mock.patch.object(self.factory, "buildProtocol", side_effect=ZeroDivisionError):
            self.read((near, ("192.0.2.7", 1)))
        self.assertEqual(near.fileno(), -1)
        self.assertEqual(self.counters.errors, {"ZeroDivisionError": 1})
        [line] = self.lines()
        self.assertRegex(line, r"^Fault in accepting: ZeroDivisionError, at mock.py:")

    def test_no_memory_to_accept(self) -> None:
        """E10, E4: the port stays open, and rests before it tries again."""
        for count in range(1, 4):
            self.assertEqual(self.read(MemoryError()), 1)
            self.assertEqual(self.counters.errors, {"MemoryError": count})
            self.assertEqual(len(self.lines()), 1)
            [call] = [each for each in self.clock.getDelayedCalls() if each is self.port._pause]
            self.assertAlmostEqual(call.getTime() - self.clock.seconds(), 0.1)
            self.clock.advance(0.1)
        self.assertEqual(self.read((near := self.socket(), ("192.0.2.7", 1))), 2)
        self.assertNotEqual(near.fileno(), -1)

    def test_an_error_of_ours_within_what_is_wrapped(self) -> None:
        """E10: of TLS that is half made, the echo inside is told of the end."""
        transport = self.port.transport = mock.Mock()
        for names in (["makeConnection"], ["makeConnection", "wrappedProtocol"]):
            made = mock.Mock(spec=names, makeConnection=mock.Mock(side_effect=ZeroDivisionError))
            with mock.patch.object(self.factory, "buildProtocol", return_value=made):
                self.read((self.socket(), ("192.0.2.7", 1)))
            self.assertIs(transport.return_value.protocol, getattr(made, "wrappedProtocol", made))
        self.assertEqual(transport.return_value.abortConnection.call_count, 2)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_the_spare_descriptor_turns_somebody_away(self) -> None:
        """C6: who waits is closed, and counted."""
        near = self.socket()
        self.port._spare = spare = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(lambda: os.close(self.port._spare))

        def accept() -> Any:
            [answer] = [next(answers)]
            if isinstance(answer, OSError):
                raise answer
            self.assertRaises(OSError, os.fstat, spare)
            return answer

        answers = iter([OSError(errno.EMFILE, ""), (near, ("192.0.2.7", 1)), BlockingIOError(errno.EAGAIN, "")])
        self.port.socket.accept.side_effect = accept
        self.port.doRead()
        self.assertEqual(next(answers, None), None)
        self.assertEqual(near.fileno(), -1)
        self.assertEqual(self.counters.refused, {"descriptors": 1})
        self.assertEqual(self.lines(), ["Refused a connection from 192.0.2.7: descriptors"])

    def test_what_else_may_happen_meanwhile(self) -> None:
        """C6: whoever it was is gone, or the system has not enough of something else."""
        for answer, calls in ((BlockingIOError(errno.EAGAIN, ""), 3), (OSError(errno.ENFILE, ""), 2)):
            self.port._spare = os.open(os.devnull, os.O_RDONLY)
            self.assertEqual(self.read(OSError(errno.EMFILE, ""), answer), calls)
            os.close(self.port._spare)
        self.assertEqual(self.counters.refused, {})


class AcceptTests(AcceptCase):
    """Number of connections accepted at once, and their handling."""

    def test_as_many_as_there_were_are_expected(self) -> None:
        self.read()
        self.assertEqual(self.port.numberAccepts, 1)
        self.read(EPROTO)
        self.assertEqual(self.port.numberAccepts, 21)
        self.assertEqual(self.read(*[EPROTO] * 30), 21)
        self.assertEqual(self.port.numberAccepts, 41)
        self.assertIsNone(self.port._pause)

    def test_each_is_served(self) -> None:
        transport = self.port.transport = mock.Mock()
        sockets = [self.socket() for _ in range(3)]
        self.read(*[(each, ("192.0.2.7", number)) for number, each in enumerate(sockets)])
        made = [call.args for call in transport.call_args_list]
        self.assertEqual([each[0] for each in made], sockets)
        self.assertEqual([each[4] for each in made], [0, 1, 2], "each has a number, which Twisted shows")
        self.assertEqual(self.port.numberAccepts, 3)

    def test_the_excess_is_closed(self) -> None:
        """C3."""
        self.limit(max_connections=0)
        near = self.socket()
        self.read((near, ("192.0.2.7", 1)))
        self.assertEqual(near.fileno(), -1)

    def rests(self) -> float:
        """Seconds for which it rests."""
        resting: IDelayedCall = self.port._pause
        resting.cancel()
        self.port._pause = None
        return resting.getTime() - self.clock.seconds()

    def test_too_many_a_second(self) -> None:
        """C5: it rests until there is room, and for 10 ms at least."""
        self.limit(accept_rate=2)
        self.assertEqual(self.read(*[EPROTO] * 30), 2)
        self.assertEqual(self.rests(), 0.01)
        self.port.admission.admit("192.0.2.7")
        self.port.admission.admit("192.0.2.7")
        self.assertEqual(self.read(), 0)
        self.assertEqual(self.rests(), 0.5)

    def test_one_rest_at_a_time(self) -> None:
        self.port._pause_accepting(1)
        self.port._pause_accepting(2)
        self.assertEqual(self.rests(), 1)
        self.reactor.removeReader.assert_called_once_with(self.port)

    def test_closing_is_twisted_s(self) -> None:
        """It is given what Twisted's own is."""
        with mock.patch.object(tcp.Port, "loseConnection") as close:
            self.assertIs(self.port.loseConnection(1, connDone=2), close.return_value)
        close.assert_called_once_with(1, connDone=2)

    def test_a_port_that_is_closed_does_not_rest(self) -> None:
        """It would listen again."""
        self.port.disconnecting = True
        self.port._pause_accepting(1)
        self.port.disconnecting, self.port.connected = False, False
        self.port._pause_accepting(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.reactor.removeReader.assert_not_called()


class AddressTests(AcceptCase):
    def test_a_peer(self) -> None:
        """Only peers over IP have an address that tells them from others."""
        self.assertEqual(self.port._peer(("192.0.2.7", 1)), ("192.0.2.7", ("192.0.2.7", 1)))
        self.port.addressFamily = socket.AF_UNIX
        self.assertEqual(self.port._peer("/run/peer"), (None, "/run/peer"))

    def test_a_peer_of_a_link(self) -> None:
        """Its address is only whole with the name of the link."""
        self.port.addressFamily = socket.AF_INET6
        with mock.patch.object(socket, "getnameinfo", return_value=("fe80::1%eth0", "1")) as called:
            who = self.port._peer(("fe80::1", 1, 0, 2))
        called.assert_called_once_with(("fe80::1", 1, 0, 2), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        self.assertEqual(who, ("fe80::1%eth0", ("fe80::1%eth0", 1, 0, 2)))
        self.assertEqual(self.port._peer(("::ffff:192.0.2.7", 1, 0, 0))[0], "192.0.2.7")

    def test_ipv6_alone(self) -> None:
        """Left alone, the system decides if a socket of IPv6 serves IPv4, too."""
        for ipv6_only in (None, True, False):
            port = TCPPort(0, self.factory, 50, "::1", self.reactor)
            if ipv6_only is not None:
                port.ipv6_only = ipv6_only
            with port.createInternetSocket() as made:
                alone = made.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            self.assertEqual(bool(alone), ipv6_only is not False)
        with self.port.createInternetSocket() as made:
            self.assertEqual(made.family, socket.AF_INET)

    def test_bound_address(self) -> None:
        self.assertEqual(bound_address(self.port, 7), ("127.0.0.1", 7))
        self.assertEqual(bound_address(TCPPort(0, self.factory, 50, "::1", self.reactor), 7), ("::1", 7, 0, 0))
