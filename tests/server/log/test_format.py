"""Lines of the log, for people and for programs."""

import json
from typing import Any

from twisted.logger import LogEvent, Logger, LogLevel, LogPublisher
from twisted.python import log as older
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.log.format import exception_of, failure_of, json_line, message_of, text_line
from tests.support.logs import record_log

WHAT = r"ValueError: invalid literal for int() with base 10: 'two\nlines'"

FIRST = ["time", "level", "event"]


def failure() -> Failure:
    try:
        int("two\nlines")
    except ValueError:
        return Failure()
    raise AssertionError


class JSONLineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        self.log = Logger("echoproto", observer=LogPublisher(self.events.append))  # type: ignore[arg-type]

    def object(self, event: LogEvent) -> dict[str, Any]:
        """Read an event as a program does: an object that is flat, on one line."""
        line = json_line(event)
        assert line is not None
        self.assertTrue(line.endswith("\n"))
        self.assertEqual(line.count("\n"), 1, line)
        found: dict[str, Any] = json.loads(line)
        self.assertEqual(list(found)[:3], FIRST)
        for value in found.values():
            self.assertNotIsInstance(value, dict | list)
        return found

    def test_an_event_of_ours(self) -> None:
        """Its name and its fields, once."""
        self.log.info("Gone, ip {ip}, {seconds:.3f} seconds, {why}", event="gone", ip="::1", seconds=0.5, why="x")
        self.events[0]["log_time"] = 1764321119.1236
        self.assertEqual(
            json_line(self.events[0]),
            '{"time":"2025-11-28T09:11:59.123Z","level":"info","event":"gone","ip":"::1","seconds":0.5,"why":"x"}\n',
        )

    def test_levels_are_words(self) -> None:
        for level in LogLevel.iterconstants():
            self.log.emit(level, "x", event="x")
            self.assertEqual(self.object(self.events[-1])["level"], level.name)

    def test_what_a_peer_sends_is_escaped(self) -> None:
        """E3."""
        self.log.warn("{text}", event="x", text='"\n\u2028\ud800}', data=b"\xff", port=None)
        found = self.object(self.events[0])
        self.assertEqual((found["text"], found["data"], found["port"]), ('"\n\u2028\ud800}', "\\xff", None))
        self.assertTrue(json_line(self.events[0]).isascii())  # type: ignore[union-attr]

    def test_an_event_of_others(self) -> None:
        Logger("twisted.x", observer=self.log.observer).info("{a} and {b}", a=1, b=object)
        found = self.object(self.events[0])
        self.assertEqual(list(found), [*FIRST, "logger", "message"])
        self.assertEqual((found["event"], found["logger"]), ("message", "twisted.x"))
        self.assertEqual(found["message"], "1 and <class 'object'>")

    def test_an_event_of_others_that_a_worker_passes_on(self) -> None:
        Logger("twisted.x", observer=self.log.observer).info("x", worker=3)
        self.assertEqual(self.object(self.events[0])["worker"], 3)

    def test_nothing_to_say(self) -> None:
        Logger("twisted.x", observer=self.log.observer).info(None)
        self.assertIsNone(json_line(self.events[0]))

    def test_a_failure(self) -> None:
        """Its traceback is a field; also where it is logged without a message."""
        for text in ("In {place}", None):
            self.log.failure(text, failure(), place="x")  # type: ignore[arg-type]
        first, second = map(self.object, self.events)
        self.assertEqual(list(first), [*FIRST, "logger", "message", "exception", "traceback"])
        self.assertEqual((first["event"], first["level"]), ("exception", "critical"))
        self.assertEqual((first["message"], second["message"]), ("In x", ""))
        self.assertEqual(first["exception"], WHAT)
        self.assertIn("Traceback", first["traceback"])

    def test_a_failure_of_the_older_log(self) -> None:
        """The traceback is in there once."""
        events = record_log(self)
        older.err(failure(), "While testing")
        older.err(failure())
        self.flushLoggedErrors(ValueError)
        first, second = map(self.object, events)
        self.assertEqual((first["message"], second["message"]), ("While testing", "Unhandled Error"))
        self.assertEqual((first["event"], first["exception"]), ("exception", WHAT))
        self.assertEqual(json_line(events[0]).count("Traceback"), 1)  # type: ignore[union-attr]

    def test_a_message_of_the_older_log(self) -> None:
        events = record_log(self)
        older.msg("(TCP Port 8888 Closed)", system="x")
        found = self.object(events[0])
        self.assertEqual((found["event"], found["message"]), ("message", "(TCP Port 8888 Closed)"))

    def test_an_exception_in_a_line(self) -> None:
        event = {"log_time": 0.0, "log_message": "In x", "exception": "ValueError", "places": "x.py:1 f"}
        found = self.object(event)
        self.assertEqual(list(found), [*FIRST, "exception", "places", "logger", "message"])
        self.assertEqual((found["event"], found["message"]), ("exception", "In x"))


class TextLineTests(SynchronousTestCase):
    def test_one_line_an_event(self) -> None:
        """E3: what follows a line end begins with a tab."""
        event = {"log_format": "a\nb", "log_namespace": "x", "log_level": LogLevel.info, "log_time": None}
        self.assertEqual(text_line(event), "- [x#info] a\n\tb\n")

    def test_nothing_to_say(self) -> None:
        self.assertIsNone(text_line({"log_time": 0.0}))


class PartsTests(SynchronousTestCase):
    def test_failure(self) -> None:
        found = failure()
        self.assertIs(failure_of({"log_failure": found}), found)
        self.assertIs(failure_of({"failure": found}), found)
        self.assertIsNone(failure_of({"failure": "text"}))
        self.assertIsNone(failure_of({}))

    def test_exception(self) -> None:
        self.assertEqual(exception_of(Failure(MemoryError())), "MemoryError")
        self.assertEqual(exception_of(Failure(OSError(5, "no"))), "OSError: [Errno 5] no")

    def test_message(self) -> None:
        self.assertEqual(message_of({"log_format": "{x}", "x": 1}), "1")
        self.assertEqual(message_of({"failure": failure(), "why": None}), "Unhandled Error")
