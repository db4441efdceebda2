from typing import Any
from unittest import mock

from OpenSSL.SSL import Error
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto import EchoFactory
from echoproto.server.log.budget import EventLog
from echoproto.server.log.faults import end_by_fault, fault_of, log_fault
from tests.support.logs import record_log


class FaultsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.connection: Any = EchoFactory().buildProtocol(None)

    def test_what_is_none(self) -> None:
        for reason in (ConnectionDone(), ConnectionLost(), ConnectionAborted(), Error([("x", "", "no shared cipher")])):
            self.assertIsNone(fault_of(self.connection, Failure(reason)))

    def test_what_is_one(self) -> None:
        """E10."""
        reason = Failure(MemoryError())
        self.assertIs(fault_of(self.connection, reason), reason)
        self.connection.fault = Failure(ZeroDivisionError())
        self.assertIs(fault_of(self.connection, reason), self.connection.fault)

    def test_ends_the_connection(self) -> None:
        """E10: at once."""
        self.connection.transport = mock.Mock()
        try:
            raise MemoryError  # noqa: TRY301
        except MemoryError:
            end_by_fault(self.connection)
        self.assertIsInstance(self.connection.fault.value, MemoryError)
        self.connection.transport.abortConnection.assert_called_once_with()

    def test_logs_one_line(self) -> None:
        """E4: then one a second of its kind."""
        events = record_log(self)
        clock = Clock()
        room = EventLog(clock)
        for error in (MemoryError(), MemoryError(), ValueError("a\nb")):
            log_fault(room, "a connection", Failure(error), ip="::1")
        self.assertEqual([event["exception"] for event in events], ["MemoryError", "ValueError: a\\nb"])
        self.assertEqual({event["log_level"] for event in events}, {LogLevel.error})
        self.assertEqual((events[0]["event"], events[0]["ip"], events[0]["where"]), ("fault", "::1", "a connection"))
        clock.advance(1)
        self.assertEqual(formatEvent(events[-1]), "1 more faults in a connection, MemoryError, not logged one by one")

    def test_the_line(self) -> None:
        """It has the place, too."""
        events = record_log(self)
        try:
            raise MemoryError  # noqa: TRY301
        except MemoryError:
            log_fault(EventLog(Clock()), "a connection", Failure())
        [event] = events
        self.assertEqual(event["log_namespace"], "echoproto")
        self.assertRegex(
            formatEvent(event), r"^Fault in a connection: MemoryError, at test_faults\.py:\d+ test_the_line$"
        )
