from typing import Any

from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto import Echo, EchoFactory
from echoproto.server.settings.table import Settings
from tests.support.admission import admission
from tests.support.logs import record_log


class AdmissionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = EchoFactory(b"")
        self.events = record_log(self)

    def limit(self, **settings: Any) -> None:
        self.admission = admission(self.clock, Settings(**settings), self.factory.connections)
        self.factory.observers = (self.admission,)

    def come(self, host: str | None) -> Echo | None:
        """Come from somewhere; the connection, if one was made."""
        if not self.admission.admit(host):
            return None
        peer = UNIXAddress(None) if host is None else IPv6Address("TCP", host, 1)
        connection = self.factory.buildProtocol(None)
        connection.makeConnection(StringTransport(peerAddress=peer))
        return connection

    def refused(self) -> dict[str, int]:
        return dict(self.admission.counters.refused)

    def test_no_limits(self) -> None:
        self.limit()
        self.assertTrue(all(self.come("192.0.2.7") for _ in range(2000)))

    def test_the_most_connections(self) -> None:
        """C3: refused is exactly what is beyond the limit, and those inside are not touched."""
        self.limit(max_connections=3)
        inside = [self.come("192.0.2.7") for _ in range(10)]
        self.assertEqual([each is not None for each in inside], [True] * 3 + [False] * 7)
        self.assertEqual(self.refused(), {"max-connections": 7})
        self.assertEqual(self.factory.connections, set(inside[:3]))
        assert inside[0] is not None
        inside[0].connectionLost(Failure(ConnectionDone()))
        self.assertIsNotNone(self.come("192.0.2.7"))

    def test_nobody_at_all(self) -> None:
        self.limit(max_connections=0)
        self.assertIsNone(self.come("192.0.2.7"))

    def test_a_limit_beyond_the_budget(self) -> None:
        """C8: lowered, aloud."""
        self.limit(max_connections=5000)
        self.admission.budget = 990
        self.admission.apply(Settings(max_connections=5000))
        self.assertEqual(self.admission.limit, 990)
        self.assertEqual(
            formatEvent(self.events[-1]),
            "max-connections is lowered from 5000 to 990, the most that the descriptor limit allows",
        )
        self.assertEqual(self.events[-1]["event"], "max-connections-lowered")

    def test_the_budget_is_the_default(self) -> None:
        self.limit()
        self.admission.budget = 990
        self.admission.apply(Settings())
        self.assertEqual((self.admission.limit, self.events), (990, []))

    def test_of_one_source(self) -> None:
        """C4: only that source is refused."""
        self.limit(max_per_source=2)
        self.assertEqual([bool(self.come("192.0.2.7")) for _ in range(4)], [True, True, False, False])
        self.assertIsNotNone(self.come("192.0.2.8"))
        self.assertEqual(self.refused(), {"max-per-source": 2})

    def test_of_one_network_of_ipv6(self) -> None:
        """C4: IPv6 by /64."""
        self.limit(max_per_source=1)
        self.assertIsNotNone(self.come("2001:db8::1"))
        self.assertIsNone(self.come("2001:db8::2"))
        self.assertIsNotNone(self.come("2001:db8:0:1::1"))

    def test_unix_sockets_have_no_source(self) -> None:
        self.limit(max_per_source=1)
        self.assertTrue(all(self.come(None) for _ in range(5)))

    def test_a_source_is_forgotten_with_its_last_connection(self) -> None:
        """C9: the table is no larger than the number of connections."""
        self.limit(max_per_source=2)
        connections = [self.come(f"192.0.2.{number // 2}") for number in range(100)]
        self.assertEqual(len(self.admission._sources), 50)
        for connection in connections:
            assert connection is not None
            connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.admission._sources), 0)

    def test_a_source_is_remembered_while_one_of_it_is_left(self) -> None:
        """C4: a connection that ends makes room for one more, not for as many as the limit."""
        self.limit(max_per_source=3)
        inside = [self.come("192.0.2.7") for _ in range(3)]
        for _ in range(5):
            leaving = inside.pop()
            assert leaving is not None
            leaving.connectionLost(Failure(ConnectionDone()))
            inside.append(self.come("192.0.2.7"))
            self.assertIsNotNone(inside[-1])
            self.assertIsNone(self.come("192.0.2.7"))

    def test_a_limit_that_comes_later_counts_who_is_there(self) -> None:
        self.limit()
        first, second = self.come("192.0.2.7"), self.come("192.0.2.7")
        self.admission.apply(Settings(max_per_source=1))
        self.assertIsNone(self.come("192.0.2.7"))
        for connection in (first, second):
            assert connection is not None
            connection.connectionLost(Failure(ConnectionDone()))
        self.assertIsNotNone(self.come("192.0.2.7"))

    def test_too_many_a_second_are_closed(self) -> None:
        """C5: as configured, and it recovers at once."""
        self.limit(accept_rate=5, over_accept_rate="close")
        self.assertEqual(self.admission.room(100), 100)
        self.assertEqual(sum(bool(self.come("192.0.2.7")) for _ in range(20)), 5)
        self.assertEqual(self.refused(), {"accept-rate": 15})
        self.clock.advance(0.2)
        self.assertIsNotNone(self.come("192.0.2.7"))

    def test_too_many_a_second_wait(self) -> None:
        """C5: as configured, and it recovers at once."""
        self.limit(accept_rate=5)
        self.assertEqual(self.admission.room(100), 5)
        for _ in range(5):
            self.come("192.0.2.7")
        self.assertEqual(self.admission.room(100), 0)
        self.assertAlmostEqual(self.admission.wait(), 0.2)
        self.clock.advance(self.admission.wait())
        self.assertEqual(self.admission.room(100), 1)
        self.assertEqual(self.refused(), {})

    def test_a_reload_does_not_fill_the_bucket(self) -> None:
        self.limit(accept_rate=5)
        for _ in range(5):
            self.come("192.0.2.7")
        self.admission.apply(Settings(accept_rate=5, idle=1))
        self.assertEqual(self.admission.room(100), 0)
        self.admission.apply(Settings())
        self.assertEqual((self.admission.room(100), self.admission.wait()), (100, 0))

    def test_another_rate_from_now_on(self) -> None:
        """O8."""
        self.limit(accept_rate=5)
        self.admission.apply(Settings(accept_rate=7))
        self.assertEqual(self.admission.room(100), 7)
        for _ in range(7):
            self.come("192.0.2.7")
        self.clock.advance(0.5)
        self.assertEqual(self.admission.room(100), 3)

    def test_a_line_a_second(self) -> None:
        """E4: of each kind, and how many more there were."""
        self.limit(max_connections=0)
        for _ in range(1000):
            self.come("192.0.2.7")
        self.clock.advance(1)
        self.assertEqual(
            [formatEvent(event) for event in self.events],
            [
                "Refused a connection from 192.0.2.7: max-connections",
                "999 more connections refused, max-connections, not logged one by one",
            ],
        )
        self.assertEqual({event["log_namespace"] for event in self.events}, {"echoproto"})
        self.assertEqual([event["event"] for event in self.events], ["refused", "suppressed"])

    def test_a_line_about_somebody_without_an_address(self) -> None:
        self.limit(max_connections=0)
        self.come(None)
        self.assertEqual(formatEvent(self.events[-1]), "Refused a connection from unix: max-connections")
