"""Observers of the log, and where they write; processes of their own are tested in tests/integration."""

import os
import pwd
import sys
from typing import Any
from unittest import mock

from twisted.internet.task import Clock
from twisted.logger import LegacyLogObserverWrapper, LogEvent, Logger, formatEvent
from twisted.python import log as older
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, UnavailableError
from echoproto.server.log.budget import BURST, EventLog
from echoproto.server.log.file import LogFile
from echoproto.server.log.format import failure_of, json_line, text_line
from echoproto.server.log.observer import (
    FAILURE_BURST,
    BudgetedObserver,
    LogWriter,
    check_log_for_twistd,
    log_for_twist,
    log_for_twistd,
)
from tests.support.logs import record_log


class Full:
    """A stream that takes nothing for a while."""

    def __init__(self) -> None:
        self.full = False
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> bool:
        if not self.full:
            self.lines.append(line)
        return not self.full


class LogWriterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stream = Full()
        self.log = Logger("echoproto", observer=LogWriter(self.stream, self.line_of))  # type: ignore[arg-type]

    def line_of(self, event: LogEvent) -> str | None:
        text = formatEvent(event)
        return f"{text}\n" if text else None

    def test_lines(self) -> None:
        self.log.info("{x}", x="\ud800é")
        self.log.info("")
        self.assertEqual(self.stream.lines, [b"\\ud800\xc3\xa9\n"])

    def test_lost_lines_are_told(self) -> None:
        """E1: once it takes lines again, how many were lost."""
        self.stream.full = True
        for _ in range(3):
            self.log.info("lost")
        self.stream.full = False
        for _ in range(2):
            self.log.info("there")
        told = b"3 lines of the log are lost, which could not be written\n"
        self.assertEqual(self.stream.lines, [told, b"there\n", b"there\n"])


class BudgetedObserverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.passed: list[LogEvent] = []
        self.clock = Clock()
        self.observer = BudgetedObserver(self.passed.append)  # type: ignore[arg-type]
        self.observer.events = EventLog(self.clock)
        self.log = Logger("twisted.x", observer=self.observer)
        self.told = record_log(self)

    def failure(self) -> Failure:
        try:
            int("x")
        except ValueError:
            return Failure()
        raise AssertionError

    def test_lines_of_others(self) -> None:
        """E4: each place that logs has a budget of its own."""
        for _ in range(100):
            self.log.info("peer sent {data}", data="x")
        self.log.info("another")
        self.assertEqual(len(self.passed), BURST + 1)
        self.clock.advance(1)
        [told] = self.told
        self.assertEqual((told["event"], told["count"]), ("suppressed", 100 - BURST))
        self.assertRegex(formatEvent(told), rf"^80 more lines logged at {__name__}:\d+, not logged one by one$")

    def test_lines_of_the_older_log(self) -> None:
        """E4: what they say differs, and they are all of one kind where one place logs them."""
        older.addObserver(self.observer)
        self.addCleanup(older.removeObserver, self.observer)
        for number in range(100):
            older.msg(f"peer {number} sent something")
        self.assertEqual(len(self.passed), BURST)

    def test_a_print(self) -> None:
        """E4: as of a callback of C, whose traceback Python prints."""
        from twisted.logger import LoggingFile

        file = LoggingFile(self.log)
        for _ in range(100):
            print("Traceback", file=file)
        self.assertEqual(len(self.passed), BURST)

    def test_exceptions(self) -> None:
        """E4: the first has its traceback, those that follow are a line each, then one a second."""
        for _ in range(100):
            self.log.failure("Handling {x}", self.failure(), x="a\nb")
        self.assertEqual(len(self.passed), FAILURE_BURST)
        self.assertIsNotNone(failure_of(self.passed[0]))
        line = text_line(self.passed[1])
        assert line is not None
        self.assertRegex(
            line,
            r"^\S+ \[twisted.x#critical\] Handling a\\nb: ValueError: invalid literal for int\(\) with base 10: 'x', "
            r"at test_observer.py:\d+ failure\n$",
        )
        self.assertIn('"exception":"ValueError: invalid', json_line(self.passed[1]) or "")
        self.clock.advance(1)
        self.assertRegex(
            formatEvent(self.told[-1]), r"^95 more exceptions, ValueError at test_observer.py:\d+ failure,"
        )

    def test_an_exception_after_a_while(self) -> None:
        """It has its traceback again."""
        for seconds in (0, 0, 1, FAILURE_BURST + 1):
            self.clock.advance(seconds)
            self.log.failure("", self.failure())
        self.assertEqual([failure_of(event) is not None for event in self.passed], [True, False, False, True])

    def test_exceptions_of_the_older_log(self) -> None:
        """E4: as Twisted's reactors log them."""
        self.patch(older, "msg", older.LogPublisher(publishPublisher=self.observer).msg)
        for _ in range(100):
            older.err(self.failure(), "While reading")
        self.assertEqual(len(self.passed), FAILURE_BURST)
        self.assertIn("While reading: ValueError", formatEvent(self.passed[1]))

    def test_an_exception_that_was_never_raised(self) -> None:
        for _ in range(2):
            self.log.failure("x", Failure(ValueError()))
        self.assertEqual(formatEvent(self.passed[1]), "x: ValueError, at -")

    def test_ours_pass(self) -> None:
        """They have asked for room already, or are of who runs the service."""
        log = Logger("echoproto", observer=self.observer)
        for _ in range(100):
            log.info("Counters", event="counters")
        self.assertEqual(len(self.passed), 100)

    def test_what_a_worker_has_let_pass_passes(self) -> None:
        for _ in range(100):
            self.observer({"log_format": "x", "worker": 1})
        self.assertEqual(len(self.passed), 100)

    def test_before_and_after_all_pass(self) -> None:
        self.observer.events = None
        for _ in range(100):
            self.log.info("Listening")
        self.assertEqual(len(self.passed), 100)


class LogForRunnersTests(SynchronousTestCase):
    def writer(self, log_format: str | None = "json", **options: Any) -> Any:
        observer: Any
        observer, file = log_for_twistd(options, log_format)
        self.assertIsInstance(observer, LogWriter)
        if file is not None:
            self.addCleanup(os.close, file.descriptor)
            self.assertIs(observer.stream, file)
        return observer

    def test_standard_output_in_the_foreground(self) -> None:
        for name in (None, "", "-"):
            for log_format, line_of in (("json", json_line), ("text", text_line), (None, text_line)):
                observer = self.writer(log_format, nodaemon=1, logfile=name)
                self.assertIs(observer.line_of, line_of)
                self.assertNotIsInstance(observer.stream, LogFile)
                self.assertTrue(os.path.samestat(os.fstat(observer.stream.descriptor), os.fstat(sys.stdout.fileno())))

    def test_a_file(self) -> None:
        path = os.path.abspath(self.mktemp())
        self.writer(nodaemon=1, logfile=path)
        self.assertTrue(os.path.isfile(path))

    def test_a_daemon_has_a_file_of_its_own(self) -> None:
        os.mkdir(folder := self.mktemp())
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(folder)
        self.writer(nodaemon=0, logfile=None)
        self.assertEqual(os.listdir(), ["twistd.log"])

    def test_a_file_of_another_user(self) -> None:
        """A file that is made belongs to the user that the service is going to run as, and their group."""
        user = pwd.getpwuid(os.geteuid())
        with mock.patch("os.fchown") as fchown:
            cases: tuple[tuple[dict[str, Any], tuple[int, int]], ...] = (
                ({"uid": user.pw_uid}, (user.pw_uid, user.pw_gid)),
                ({"uid": user.pw_uid, "gid": 7}, (user.pw_uid, 7)),
                ({"gid": 7}, (-1, 7)),
                ({"uid": 1 << 30}, (1 << 30, -1)),
                ({}, (-1, -1)),
            )
            for options, owner in cases:
                self.writer(nodaemon=1, logfile=self.mktemp(), **options)
                self.assertEqual(fchown.call_args.args[1:], owner)

    def test_syslog(self) -> None:
        with mock.patch("twisted.python.syslog.SyslogObserver") as syslog:
            observer, file = log_for_twistd({"nodaemon": 1, "syslog": 1, "prefix": "x"}, "text")
        self.assertIsInstance(observer, LegacyLogObserverWrapper)
        self.assertIsNone(file)
        syslog.assert_called_once_with("x")

    def test_a_logger_of_its_own(self) -> None:
        self.assertEqual(log_for_twistd({"nodaemon": 1, "logger": print}, None), (None, None))

    def test_what_is_refused(self) -> None:
        for options, problem in (
            ({"nodaemon": 1, "syslog": 1}, ConfigurationError),
            ({"nodaemon": 1, "logger": print}, ConfigurationError),
            ({"nodaemon": 0, "logfile": "-"}, ConfigurationError),
            ({"nodaemon": 1, "logfile": "/nonexistent/log"}, UnavailableError),
        ):
            for call in (log_for_twistd, check_log_for_twistd):
                self.assertRaises(problem, call, options, "json")

    def test_check_changes_nothing(self) -> None:
        """O5."""
        for options in ({"nodaemon": 1}, {"logfile": (path := self.mktemp())}, {"nodaemon": 1, "syslog": 1}):
            check_log_for_twistd(options, "text")
        self.assertFalse(os.path.exists(path))

    def test_under_twist(self) -> None:
        with open(path := self.mktemp(), "a", encoding="utf-8") as opened:
            observer, file = log_for_twist({"logFile": opened}, "json")
        assert file is not None
        self.addCleanup(os.close, file.descriptor)
        self.assertEqual((file.path, observer.line_of), (os.path.abspath(path), json_line))
        observer, file = log_for_twist({"logFile": sys.stderr}, "text")
        self.assertIsNone(file)
