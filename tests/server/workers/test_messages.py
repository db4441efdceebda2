import json
from typing import Any, cast

from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    eventAsJSON,
    formatEvent,
    formatEventAsClassicLogText,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.settings.table import Settings
from echoproto.server.sockets.pemfiles import PEMBlock
from echoproto.server.workers.messages import (
    COUNT,
    FAILURE_TEXT,
    LOG,
    Lines,
    Start,
    event_from,
    event_line,
    line,
    parse,
    publish,
)
from tests.support.logs import record_log


class LineTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        self.assertEqual(parse(line("kind", {"a": 1}).rstrip(b"\n")), ("kind", '{"a": 1}'))

    def test_without_content(self) -> None:
        self.assertEqual(parse(line(COUNT)[:-1]), (COUNT, "null"))

    def test_is_one_line_of_ascii(self) -> None:
        text = line("kind", "two\nlines, ü and \udcff")
        self.assertEqual((text.count(b"\n"), text[-1:], text.isascii()), (1, b"\n", True))


class LinesTests(SynchronousTestCase):
    def test_any_portions(self) -> None:
        text = b"one\n\ntwo\nthree"
        for size in range(1, len(text) + 1):
            lines = Lines()
            found = [each for start in range(0, len(text), size) for each in lines.add(text[start : start + size])]
            self.assertEqual(found, [b"one", b"", b"two"])
            self.assertEqual(lines.end(), [b"three"])

    def test_an_end_after_a_line(self) -> None:
        lines = Lines()
        self.assertEqual(lines.add(b"one\n"), [b"one"])
        self.assertEqual(lines.end(), [])


class EventTests(SynchronousTestCase):
    def through(self, log: Logger, text: str, **fields: Any) -> LogEvent:
        """An event as it comes out at the other end."""
        events: list[LogEvent] = []
        Logger(log.namespace, observer=cast(ILogObserver, events.append)).warn(text, **fields)
        kind, content = parse(event_line(events[0]).rstrip(b"\n"))
        self.assertEqual(kind, LOG)
        return event_from(content)

    def test_as_it_was_logged(self) -> None:
        """Formats included."""
        event = self.through(Logger("echoproto"), "{seconds:.3f} seconds", seconds=1.23456)
        self.assertEqual(formatEvent(event), "1.235 seconds")
        self.assertEqual((event["seconds"], event["log_level"]), (1.23456, LogLevel.warn))

    def test_of_twisted(self) -> None:
        """Whose fields need not be what JSON has."""
        self.assertRegex(formatEvent(self.through(Logger("twisted.x"), "of {it}", it=object())), "^of <object object")

    def test_a_traceback(self) -> None:
        """With what the exception says."""
        event = self.through(Logger("echoproto"), "failed", log_failure=Failure(ZeroDivisionError("by naught")))
        self.assertIn("ZeroDivisionError: by naught", formatEventAsClassicLogText(event) or "")
        self.assertNotIn(FAILURE_TEXT, event)


class PublishTests(SynchronousTestCase):
    def test_whose_it_is(self) -> None:
        """In the text, and as a field of JSON; what is logged stays as it was."""
        events = record_log(self)
        Logger("echoproto").warn("x {n:03}", n=7)
        publish(3, parse(event_line(events[-1]).rstrip())[1])
        event = events[-1]
        self.assertTrue(str(formatEventAsClassicLogText(event)).endswith(" [echoproto#warn worker 3] x 007\n"))
        self.assertEqual((event["n"], event["log_level"], event["worker"]), (7, LogLevel.warn, 3))
        self.assertEqual(json.loads(eventAsJSON(event))["worker"], 3)


class StartTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        """Also a greeting that is not UTF-8."""
        settings = Settings(port=0, listen=("tcp:1", "unix:/x"), greeting="\udcff\n", max_connections=7, workers="auto")
        start = Start(1, 4, "poll", 3, settings, ((), (PEMBlock("\udcff", "CERTIFICATE", b"\xff\n"),)))
        text = start.to_json()
        self.assertEqual(text.count(b"\n"), 1)
        self.assertEqual(Start.from_json(text), start)
