from OpenSSL.SSL import Error
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.logger import formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto import Echo, EchoFactory
from echoproto.server.log.budget import BURST, EventLog
from echoproto.server.log.connections import ConnectionLog
from tests.support.logs import record_log
from tests.support.transports import EchoTransport


def fault() -> Failure:
    try:
        int("x")
    except ValueError:
        return Failure()
    raise AssertionError


class ConnectionLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.room = EventLog(self.clock)
        self.log = ConnectionLog(self.room)
        self.factory = EchoFactory(observers=[self.log], seconds=self.clock.seconds)
        self.events = record_log(self)

    def connect(self, peer: IAddress | None = None) -> Echo:
        connection = self.factory.buildProtocol(None)
        connection.makeConnection(EchoTransport(peer or IPv4Address("TCP", "192.0.2.7", 63062)))
        return connection

    def lines(self) -> list[str]:
        return [formatEvent(event) for event in self.events]

    def test_connection(self) -> None:
        self.connect()
        self.assertEqual(self.lines(), ["New connection, socket fd is 5, ip is 192.0.2.7, port 63062"])
        self.assertEqual(
            {k: self.events[0][k] for k in ("fd", "ip", "port")}, {"fd": 5, "ip": "192.0.2.7", "port": 63062}
        )
        self.assertEqual([self.events[0][k] for k in ("log_namespace", "event")], ["echoproto", "connected"])

    def test_disconnection(self) -> None:
        self.clock.advance(100)
        connection = self.connect()
        connection.dataReceived(b"12345")
        self.clock.advance(1.49996)
        connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(
            self.lines()[1],
            "Host disconnected, ip 192.0.2.7, port 63062, 5 bytes, 1.500 seconds, closed by peer",
        )
        self.assertEqual((self.events[1]["event"], self.events[1]["seconds"]), ("disconnected", 1.5))

    def test_one_byte(self) -> None:
        connection = self.connect()
        connection.dataReceived(b"1")
        connection.connectionLost(Failure(ConnectionDone()))
        self.assertIn(", 1 byte, ", self.lines()[1])

    def test_milliseconds(self) -> None:
        connection = self.connect()
        self.clock.advance(1.23449)
        connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.events[1]["seconds"], 1.234)

    def why(self, reason: Exception, *, truncated: bool = False) -> str:
        connection = self.connect()
        vars(connection.transport)["truncated"] = truncated
        connection.connectionLost(Failure(reason))
        return str(self.events[-1]["why"])

    def test_why(self) -> None:
        self.assertEqual(self.why(ConnectionDone()), "closed by peer")
        self.assertEqual(self.why(ConnectionAborted()), "aborted here")
        self.assertEqual(self.why(ConnectionLost()), "reset or lost")

    def test_why_tls(self) -> None:
        """S7: a FIN without close_notify."""
        self.assertEqual(self.why(ConnectionLost(), truncated=True), "closed by peer, without the end of TLS")

    def test_why_tls_has_failed(self) -> None:
        """S1: by OpenSSL's reason; unless we have ended it."""
        error = Error([("SSL routines", "", "http request")])
        self.assertEqual(self.why(error), "TLS: http request")
        connection = self.connect()
        connection.ended_by = "idle"
        connection.connectionLost(Failure(error))
        self.assertEqual(self.events[-1]["why"], "closed here, idle for too long")

    def test_why_when_we_have_ended_it(self) -> None:
        for ended_by, why in (("stop", "closed here, the service stops"), ("idle", "closed here, idle for too long")):
            for reason in (ConnectionLost(), ConnectionDone(), ConnectionAborted()):
                connection = self.connect()
                connection.ended_by = ended_by
                connection.connectionLost(Failure(reason))
                self.assertEqual(self.events[-1]["why"], why)

    def test_other_reasons_on_one_line(self) -> None:
        """E3: a reason may hold what a peer sent."""
        self.assertEqual(self.why(ValueError("a\nb")), "ValueError: a\\nb")

    def test_faults(self) -> None:
        """E10, E4: one line that says where, also without the lines of connections; then one a second."""
        self.log.enabled = False
        for _ in range(5):
            connection = self.connect()
            connection.fault = fault()
            connection.connectionLost(Failure(ConnectionAborted()))
        [line] = self.lines()
        self.assertRegex(
            line, r"^Fault in a connection: ValueError: invalid literal .* 'x', at test_connections.py:\d+ fault$"
        )
        self.assertEqual((self.events[0]["ip"], self.events[0]["port"]), ("192.0.2.7", 63062))
        self.clock.advance(1)
        self.assertEqual(self.lines()[1:], ["4 more faults in a connection, ValueError, not logged one by one"])

    def test_a_fault_is_why(self) -> None:
        connection = self.connect()
        connection.fault = fault()
        connection.ended_by = "stop"
        connection.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(self.events[-1]["why"], "ValueError: invalid literal for int() with base 10: 'x'")

    def test_what_is_left_out_is_counted(self) -> None:
        for connection in [self.connect() for _ in range(BURST + 7)]:
            connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.events), 2 * BURST)
        self.clock.advance(1)
        self.assertEqual(
            self.lines()[-2:],
            ["7 more new connections, not logged one by one", "7 more disconnections, not logged one by one"],
        )

    def test_disabled(self) -> None:
        self.log.enabled = False
        self.connect().connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.events, [])

    def test_close_logs_what_is_left_out(self) -> None:
        for _ in range(BURST + 2):
            self.connect()
        self.room.close()
        self.assertEqual(self.lines()[-1], "2 more new connections, not logged one by one")
