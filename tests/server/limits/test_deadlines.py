from typing import Any
from unittest import mock

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto import Echo
from echoproto.server.connections import ConnectionFactory
from echoproto.server.limits import drain as drain_module
from echoproto.server.limits.deadlines import CHECK_INTERVAL_SECONDS, IDLE_GRACE_SECONDS, Deadlines
from echoproto.server.settings.table import Settings
from tests.support.transports import EchoTransport


class DeadlinesTests(SynchronousTestCase):
    """Exact under a clock in the test's hand: up to two looks late, and never early."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.drained: list[tuple[Echo, float, str]] = []
        self.factory = ConnectionFactory(self.clock.seconds)
        self.factory.greeting = b""

    def limit(self, **settings: Any) -> Deadlines:
        drainer = mock.Mock(add=self.drain)
        made = Deadlines(Settings(**settings), self.clock, self.factory.table, drainer)
        self.factory.observers = (made,)
        return made

    def drain(self, connection: Echo, seconds: float, ended_by: str) -> None:
        connection.ended_by = ended_by
        self.drained.append((connection, seconds, ended_by))

    def ended(self, why: str) -> set[Echo]:
        """Those who were ended for a reason; each of them once."""
        ended = [connection for connection, _, ended_by in self.drained if ended_by == why]
        self.assertEqual(len(ended), len(set(ended)))
        return {*ended}

    def connect(self) -> Echo:
        connection = self.factory.buildProtocol(None)
        connection.makeConnection(EchoTransport())
        return connection

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([CHECK_INTERVAL_SECONDS] * round(seconds / CHECK_INTERVAL_SECONDS))

    def test_idle(self) -> None:
        """B4: cut at ``idle``, never before, and up to half a second after."""
        self.limit(idle=300)
        connection = self.connect()
        self.pass_time(300)
        self.assertEqual(self.drained, [])
        self.pass_time(2 * CHECK_INTERVAL_SECONDS)
        self.assertEqual(self.drained, [(connection, IDLE_GRACE_SECONDS, "idle")])
        self.pass_time(10)
        self.assertEqual(len(self.drained), 1, "once is enough")

    def test_a_fault(self) -> None:
        """E10: it ends that connection, and the others are cut as ever."""
        made = self.limit(idle=10)
        first, second, third = (self.connect() for _ in range(3))
        second.dataReceived(b"x")
        vars(second.transport)["buffered"] = mock.Mock(side_effect=MemoryError)
        self.pass_time(11)
        self.assertEqual(self.ended("idle"), {first, third})
        assert second.fault is not None
        self.assertIsInstance(second.fault.value, MemoryError)
        self.assertTrue(vars(second.transport)["disconnected"])
        self.assertTrue(made._checks.running)

    def test_an_idle_peer_has_time_to_confirm_the_end(self) -> None:
        """B4: half a second over TLS; a peer that does not confirm the end by then is aborted."""
        self.patch(drain_module, "drain", lambda connection: connection.close())
        self.patch(drain_module, "close_if_delivered", lambda connection: None)
        drainer = drain_module.Drainer(self.clock, self.factory.table)
        made = Deadlines(Settings(idle=10), self.clock, self.factory.table, drainer)
        self.factory.observers = (made,)
        connection: Any = self.connect()
        self.pass_time(10)
        self.assertFalse(connection.transport.disconnecting)
        self.pass_time(CHECK_INTERVAL_SECONDS)
        self.assertTrue(connection.transport.disconnecting)
        self.clock.pump([0.05] * 9)
        self.assertFalse(connection.transport.disconnected)
        self.clock.pump([0.05] * 2)
        self.assertTrue(connection.transport.disconnected)

    def test_who_sends_is_not_idle(self) -> None:
        """B3: a slow writer is kept as long as it writes."""
        self.limit(idle=10)
        connection = self.connect()
        for _ in range(20):
            self.pass_time(9)
            connection.dataReceived(b"x")
        self.assertEqual(self.drained, [])
        self.pass_time(10 + 2 * CHECK_INTERVAL_SECONDS)
        self.assertEqual(len(self.drained), 1)

    def test_who_reads_is_not_idle(self) -> None:
        self.limit(idle=10, write_stall=0)
        connection: Any = self.connect()
        connection.dataReceived(b"x" * 10)
        for left in range(9, 0, -1):
            connection.transport.waiting = left
            self.pass_time(9)
        connection.transport.waiting = 0
        self.pass_time(10)
        self.assertEqual(self.drained, [])
        self.pass_time(2 * CHECK_INTERVAL_SECONDS)
        self.assertEqual(len(self.drained), 1)

    def test_off(self) -> None:
        self.limit(idle=0, lifetime=0, write_stall=0)
        connection: Any = self.connect()
        connection.transport.waiting = 1
        self.pass_time(1000)
        self.assertEqual(self.drained, [])
        self.assertFalse(connection.transport.disconnected)

    def test_lifetime(self) -> None:
        """B3, B7: drained, up to ``drain``, however busy it is."""
        self.limit(idle=0, lifetime=60, drain=7)
        connection = self.connect()
        for _ in range(59):
            self.pass_time(1)
            self.assertEqual(self.drained, [])
            connection.dataReceived(b"x")
        self.pass_time(1)
        self.assertEqual(self.drained, [(connection, 7, "lifetime")])

    def test_write_stall(self) -> None:
        """B2: aborted when nothing of what is to be sent could be sent for so long."""
        self.limit(write_stall=60)
        connection: Any = self.connect()
        connection.dataReceived(b"x" * 100)
        connection.transport.waiting = 100
        self.pass_time(60)
        self.assertFalse(connection.transport.disconnected)
        self.pass_time(CHECK_INTERVAL_SECONDS)
        self.assertTrue(connection.transport.disconnected, "since the first look, which saw it first, it has been 60 s")
        self.assertEqual(connection.ended_by, "write-stall")

    def test_some_progress_is_no_stall(self) -> None:
        self.limit(write_stall=60)
        connection: Any = self.connect()
        connection.dataReceived(b"x" * 100)
        for left in range(10, 0, -1):
            connection.transport.waiting = left
            self.pass_time(59)
        connection.transport.waiting = 0
        self.pass_time(600)
        self.assertFalse(connection.transport.disconnected)

    def test_what_the_peer_confirms_is_progress(self) -> None:
        """B2: the kernel may ask for nothing more meanwhile."""
        self.limit(write_stall=60)
        connection: Any = self.connect()
        connection.dataReceived(b"x" * 100)
        connection.transport.waiting = 50
        for left in range(10, 0, -1):
            connection.transport.in_flight = left
            self.pass_time(59)
        self.assertFalse(connection.transport.disconnected)
        self.pass_time(61)
        self.assertTrue(connection.transport.disconnected)

    def test_who_goes_on_sending_is_stuck_all_the_same(self) -> None:
        """B2: what we receive is no progress in what we send."""
        self.limit(write_stall=60)
        connection: Any = self.connect()
        for _ in range(61):
            connection.dataReceived(b"x")
            connection.transport.waiting += 1
            self.pass_time(1)
        self.assertTrue(connection.transport.disconnected)

    def test_what_encryption_adds_is_no_progress(self) -> None:
        """B2: over TLS, more waits than was received."""
        self.limit(write_stall=60)
        connection: Any = self.connect()
        for left in range(10, 0, -1):
            connection.transport.waiting = left
            self.pass_time(30)
        self.assertFalse(connection.transport.disconnected)
        for _ in range(62):
            connection.dataReceived(b"x")
            connection.transport.waiting += 23
            self.pass_time(1)
        self.assertTrue(connection.transport.disconnected)

    def test_without_tls_more_that_waits_may_be_progress(self) -> None:
        """B2: a peer that takes less than it sends, but takes something, is not stuck."""
        self.limit(write_stall=60)
        connection: Any = self.connect()
        connection.dataReceived(b"x" * 10)
        connection.transport.waiting = 10
        for _ in range(62):
            connection.dataReceived(b"x" * 10)
            connection.transport.waiting += 9
            self.pass_time(2)
        self.assertFalse(connection.transport.disconnected)

    def test_one_that_is_ended_already_is_left_to_that(self) -> None:
        self.limit(idle=1, lifetime=2)
        connection = self.connect()
        connection.ended_by = "stop"
        self.pass_time(10)
        self.assertEqual(self.drained, [])

    def test_each_is_checked(self) -> None:
        """B3, B4: a look goes through all connections, silent, busy and ending, in any order."""
        made = self.limit(idle=10, lifetime=1000, drain=7)
        connections = [self.connect() for _ in range(30)]
        self.pass_time(5)
        # A third is silent, a third goes on sending, and a third is being ended already.
        silent, busy, ended = connections[::3], connections[1::3], connections[2::3]
        for each in busy:
            each.dataReceived(b"x")
        for each in ended:
            each.ended_by = "stop"
        self.pass_time(5 + 2 * CHECK_INTERVAL_SECONDS)
        self.assertEqual(self.ended("idle"), {*silent})
        self.pass_time(5)
        self.assertEqual(self.ended("idle"), {*silent, *busy})
        for each in ended:
            each.ended_by = ""
        made.settings = Settings(lifetime=5, drain=7)
        self.pass_time(CHECK_INTERVAL_SECONDS)
        self.assertEqual(self.ended("lifetime"), {*ended})

    def test_the_end_of_one_is_not_the_end_of_checks(self) -> None:
        """B4: the connections that stay are cut on time."""
        self.limit(idle=10)
        first, second = self.connect(), self.connect()
        first.connectionLost(Failure(ConnectionError()))
        self.pass_time(10 + 2 * CHECK_INTERVAL_SECONDS)
        self.assertEqual(self.ended("idle"), {second})

    def test_what_one_had_to_be_sent_is_forgotten_with_it(self) -> None:
        """B5: peers that connect, do not read, and leave again take no memory for ever."""
        made = self.limit()
        for _ in range(10):
            connection: Any = self.connect()
            connection.transport.waiting = 1
            connection.dataReceived(b"x")
            self.pass_time(1)
            self.assertEqual(list(made._unsent), [connection])
            connection.connectionLost(Failure(ConnectionError()))
            self.assertEqual(made._unsent, {})

    def test_what_was_sent_is_forgotten(self) -> None:
        """B2: a peer that has taken everything costs no more than the others."""
        made = self.limit()
        connection: Any = self.connect()
        connection.transport.waiting = 1
        connection.dataReceived(b"x")
        self.pass_time(1)
        connection.transport.waiting = 0
        self.pass_time(1)
        self.assertEqual(made._unsent, {})

    def test_while_it_is_suspended_nobody_is_idle(self) -> None:
        """E7: what a peer has sent waits for us; to cut it first would lose that."""
        self.limit(idle=3)
        connection = self.connect()
        self.pass_time(1)
        self.clock.advance(3600)  # in one step, as after SIGSTOP and SIGCONT
        self.assertEqual(self.drained, [])
        connection.dataReceived(b"x")
        self.pass_time(3)
        self.assertEqual(self.drained, [])

    def test_late_checks(self) -> None:
        """E7: each stands for half a second at most; so long may a look take on a busy machine."""
        self.limit(idle=3)
        self.connect()
        self.clock.pump([0.75] * 6)
        self.assertEqual(self.drained, [], "2.5 s since the first look")
        self.clock.pump([0.5])
        self.assertEqual(len(self.drained), 1)

    def test_another_limit_from_now_on(self) -> None:
        """O8."""
        made = self.limit(idle=300)
        self.connect()
        self.pass_time(10)
        made.settings = Settings(idle=5)
        self.pass_time(CHECK_INTERVAL_SECONDS)
        self.assertEqual(len(self.drained), 1)

    def test_without_connections(self) -> None:
        self.limit()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        connection: Any = self.connect()
        connection.transport.waiting = 1
        self.pass_time(1)
        [look] = self.clock.getDelayedCalls()
        self.assertEqual(look.getTime() - self.clock.seconds(), 0.25)
        connection.connectionLost(Failure(ConnectionError()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.connect()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
