"""What takes a process of its own stands in tests/integration."""

import os
import signal
from typing import Any
from unittest import mock

from attrs import asdict
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, eventFromJSON
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.counters import Counters
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.pemfiles import PEMBlock
from echoproto.server.workers import messages, worker
from echoproto.server.workers.messages import Lines, Start
from echoproto.server.workers.worker import REPORT_SECONDS, Reports, Worker, relevant_events
from tests.support.logs import record_log


class ReportsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reading, writing = os.pipe()
        self.addCleanup(os.close, self.reading)
        self.writing = self.enterContext(open(writing, "wb", buffering=0))
        self.reports = Reports(writing)

    def received(self) -> list[tuple[str, str]]:
        return [messages.parse(line) for line in Lines().add(os.read(self.reading, 65536))]

    def test_messages(self) -> None:
        self.reports.send("one", 1)
        self.reports.send("two")
        self.assertEqual(self.received(), [("one", "1"), ("two", "null")])

    def event(self, log: Logger, level: Any) -> None:
        events = record_log(self)
        log.emit(level, "line {n}", n=1)
        relevant_events(self.reports)(events[-1])

    def test_events(self) -> None:
        self.event(worker.log, LogLevel.info)
        self.event(Logger("twisted.x"), LogLevel.warn)
        found = [eventFromJSON(content) for kind, content in self.received() if kind == messages.LOG]
        self.assertEqual([event["log_namespace"] for event in found], ["echoproto", "twisted.x"])

    def test_what_twisted_says_of_each_port_stays_here(self) -> None:
        self.event(Logger("twisted.x"), LogLevel.info)
        self.reports.send("end")
        self.assertEqual(self.received(), [("end", "null")])

    def test_nobody_is_there_any_more(self) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "wb", buffering=0):
            Reports(writing).send("one")


class StoppableClock(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.stops = 0

    def stop(self) -> None:
        self.stops += 1


class WorkerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = StoppableClock()
        self.reports = mock.Mock(spec=["send"])
        settings = Settings(listen=("systemd:domain=INET:index=0",), max_connections=7, log_rate=1)
        self.start = Start(0, 2, "fast", 0, settings)
        self.worker = Worker(self.start, self.clock, self.reports)

    def sent(self, kind: str) -> list[Any]:
        return [call.args[1] for call in self.reports.send.call_args_list if call.args[0] == kind]

    def order(self, kind: str, content: object = None) -> None:
        self.worker.childDataReceived(0, messages.line(kind, content))

    def serve(self) -> None:
        with mock.patch.object(worker, "ProcessReader") as reader, mock.patch.object(self.worker, "_open"):
            self.worker.startService()
        reader.assert_called_once_with(self.clock, self.worker, 0, 0)

    def test_holds_to_its_share(self) -> None:
        self.assertEqual(self.worker.settings.max_connections, 4)
        self.assertEqual(self.worker.events.rate, 0.5)
        self.assertEqual([each.description for each in self.worker.listeners], ["tcp:0"])

    def test_other_settings(self) -> None:
        """O8: also in portions."""
        text = messages.line(messages.SETTINGS, asdict(Settings(max_connections=3, idle=9, log_rate=4)))
        self.worker.childDataReceived(0, text[:100])
        self.worker.childDataReceived(0, text[100:])
        self.assertEqual((self.worker.settings.max_connections, self.worker.settings.idle), (2, 9))
        self.assertEqual(self.worker.events.rate, 2)

    def test_other_certificates(self) -> None:
        """S11: and it says when it uses them."""
        credentials = mock.Mock()
        self.worker.credentials = [credentials]
        block = PEMBlock("x.pem", "CERTIFICATE", b"x")
        self.order(messages.CERTIFICATES, messages.certificates_to_send([[block]]))
        credentials.use.assert_called_once_with((block,))
        self.reports.send.assert_called_once_with(messages.DONE)

    def test_says_that_it_is_ready_and_what_it_counts(self) -> None:
        self.serve()
        self.assertEqual(self.sent(messages.READY), [os.getpid()])
        self.assertEqual(len(self.sent(messages.COUNTERS)), 1)
        self.clock.advance(REPORT_SECONDS)
        self.assertEqual(len(self.sent(messages.COUNTERS)), 1, "nothing has changed")
        self.worker._counters.refused["max-connections"] += 1
        self.clock.advance(REPORT_SECONDS)
        self.assertEqual(self.sent(messages.COUNTERS)[1]["refused"], {"max-connections": 1})

    def test_counts_when_asked(self) -> None:
        """Counters go before the answer, unless they are the same as before."""
        self.order(messages.COUNT)
        self.order(messages.COUNT)
        counters, *answers = [call.args for call in self.reports.send.call_args_list]
        self.assertEqual(counters, (messages.COUNTERS, Counters().snapshot(()).as_dict()))
        self.assertEqual(answers, [(messages.DONE,)] * 2)

    def test_the_last_report(self) -> None:
        self.worker._counters.accepted = 5
        self.worker.close()
        self.assertEqual(self.sent(messages.COUNTERS)[0]["accepted"], 5)

    def test_abort(self) -> None:
        connection = mock.Mock()
        self.worker.connections.add(connection)
        self.order(messages.ABORT)
        connection.transport.abortConnection.assert_called_once_with()

    def test_stop_once(self) -> None:
        """O7: a service manager may send SIGTERM to all processes, and the service then does so, too."""
        self.worker.stop(signal.SIGTERM)
        self.worker.stop(signal.SIGTERM)
        self.assertEqual(self.clock.stops, 1)

    def test_tells_that_it_stops(self) -> None:
        """O11: the service has to know at once, so that there is another one soon."""
        self.worker.stop()
        self.worker.stop()
        self.reports.send.assert_called_once_with(messages.STOPPING)

    def test_the_service_is_gone(self) -> None:
        """O11: it ends with whoever has started it."""
        self.worker.childConnectionLost(0, None)
        self.assertEqual(self.clock.stops, 1)

    def test_the_service_is_gone_after_a_stop(self) -> None:
        with mock.patch.object(self.clock, "stop", side_effect=ReactorNotRunning):
            self.worker.childConnectionLost(0, None)
