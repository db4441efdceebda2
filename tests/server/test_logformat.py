import io
import json
import os
import signal
import sys
from typing import Any
from unittest import mock

from twisted.logger import Logger, eventsFromJSONLogFile, formatEvent
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, UnavailableError
from echoproto.server.logformat import json_observer, log_for_twistd


class JSONObserverTests(SynchronousTestCase):
    def logged(self) -> str:
        out = io.StringIO()
        log = Logger("echoproto", observer=json_observer(out))
        log.info("New connection, ip is {ip}, port {port}", ip="192.0.2.7", port=5)
        log.info("two\nlines {x}", x="\n")
        return out.getvalue()

    def test_one_object_a_line(self) -> None:
        first, second = [json.loads(line) for line in self.logged().splitlines()]
        self.assertEqual((first["ip"], first["port"]), ("192.0.2.7", 5))
        self.assertEqual(first["log_text"], "New connection, ip is 192.0.2.7, port 5")
        self.assertEqual(first["log_level"]["name"], "info")
        self.assertEqual(second["log_text"], "two\nlines \n")

    def test_twisted_reads_it_back(self) -> None:
        events = list(eventsFromJSONLogFile(io.StringIO(self.logged())))
        self.assertEqual(formatEvent(events[0]), "New connection, ip is 192.0.2.7, port 5")


class LogForTwistdTests(SynchronousTestCase):
    def setUp(self) -> None:
        before = signal.getsignal(signal.SIGUSR1)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)

    def destination(self, **options: Any) -> Any:
        observer, _ = log_for_twistd(options, "json")
        return observer._outFile  # type: ignore[union-attr]

    def test_stdout_in_the_foreground(self) -> None:
        for name in (None, "", "-"):
            self.assertIs(self.destination(nodaemon=1, logfile=name), sys.stdout)

    def test_a_file(self) -> None:
        path = os.path.abspath(self.mktemp())
        file = self.destination(nodaemon=1, logfile=path)
        self.assertIsInstance(file, LogFile)
        self.assertEqual(file.path, path)
        file.close()

    def test_a_file_that_can_not_be_written(self) -> None:
        error = self.assertRaises(UnavailableError, self.destination, nodaemon=1, logfile="/nonexistent/log")
        self.assertEqual(str(error), "can't write the log to /nonexistent/log: No such file or directory")

    def test_a_daemon_has_a_file_of_its_own(self) -> None:
        os.mkdir(folder := self.mktemp())
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(folder)
        file = self.destination(nodaemon=0, logfile=None)
        self.assertEqual(os.path.basename(file.path), "twistd.log")
        file.close()

    def test_other_destinations_are_refused(self) -> None:
        self.assertRaises(ConfigurationError, self.destination, nodaemon=1, syslog=1)
        self.assertRaises(ConfigurationError, self.destination, nodaemon=1, logger=print)
        self.assertRaises(ConfigurationError, self.destination, nodaemon=0, logfile="-")

    def test_rotates_on_sigusr1(self) -> None:
        """As twistd's own log does."""
        path = os.path.abspath(self.mktemp())
        file = self.destination(nodaemon=0, logfile=path)
        self.addCleanup(file.close)
        file.write("before")
        from twisted.internet import reactor

        with mock.patch.object(type(reactor), "callFromThread", lambda self, call: call()):
            os.kill(os.getpid(), signal.SIGUSR1)
        self.assertTrue(os.path.exists(f"{path}.1"))

    def test_a_handler_of_somebody_else_stays(self) -> None:
        mine = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self.assertEqual(mine, signal.SIG_DFL)
        file = self.destination(nodaemon=0, logfile=os.path.abspath(self.mktemp()))
        file.close()
        self.assertEqual(signal.getsignal(signal.SIGUSR1), signal.SIG_IGN)
