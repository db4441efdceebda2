"""The options and the service made of them; what takes a process of its own stands in tests/integration."""

import contextlib
import io
import json
import os
import socket
import sys
import tempfile
from typing import Any
from unittest import mock

from twisted.application.service import Application
from twisted.internet import reactor
from twisted.logger import ILogObserver, jsonFileLogObserver
from twisted.python.components import Componentized
from twisted.trial.unittest import SynchronousTestCase

from echoproto import EchoFactory, __version__
from echoproto.reactors import selection
from echoproto.server.log.format import json_line, text_line
from echoproto.server.settings.table import table
from echoproto.server.tap import Options, makeService


class OptionsCase(SynchronousTestCase):
    def setUp(self) -> None:
        # The clock of the reactor that runs these tests is not theirs to change.
        self.patch(sys.modules["echoproto.server.tap"], "follow_monotonic_clock", lambda reactor: True)

    def parse(self, *words: str, parent: Any = None) -> Options:
        options = Options()
        if parent is not None:
            options.parent = parent
        options.parseOptions(list(words))
        return options

    def file(self, content: str) -> str:
        path = str(self.mktemp())
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        return path

    def ending(self, call: Any, *arguments: object) -> tuple[object, str, str]:
        """The exit status of what ends the process, and what it printed to standard output and standard error."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), mock.patch.object(sys, "__stderr__", err):
            ended: SystemExit = self.assertRaises(SystemExit, call, *arguments)
        return ended.code, out.getvalue(), err.getvalue()

    def complaint(self, *words: str) -> str:
        """O4: exit status 2 and exactly one line."""
        status, out, err = self.ending(self.parse, *words)
        self.assertEqual((status, out), (2, ""))
        self.assertRegex(err, r"\Aecho: [^\n]+\n\Z")
        return err


class OptionsTests(OptionsCase):
    def test_defaults(self) -> None:
        options = self.parse()
        self.assertEqual(options.settings.served_port, 8888)
        self.assertEqual(options.reactor_name, selection.name_of(reactor))

    def test_every_setting_is_an_option(self) -> None:
        options = Options()
        self.assertLessEqual({f"{setting.name}=" for setting in table()}, set(options.longOpt))

    def test_help(self) -> None:
        text = str(Options())
        for setting in table():
            self.assertIn(f"--{setting.name}=", text)
        self.assertIn("Exit status:", text)

    def test_version(self) -> None:
        self.assertEqual(self.ending(self.parse, "--version"), (0, f"echoproto {__version__}\n", ""))

    def test_words(self) -> None:
        options = self.parse("-p", "0", "--listen", "tcp:1", "-l", "unix:/x", "--log-connections=off", "-g", "")
        settings = options.settings
        self.assertEqual((settings.port, settings.listen), (0, ("tcp:1", "unix:/x")))
        self.assertEqual((settings.log_connections, settings.greeting), (False, ""))
        self.assertEqual(options.given["listen"].origin, "--listen")

    def test_the_command_line_beats_the_file_beats_the_default(self) -> None:
        path = self.file("port = 1\nbacklog = 2\n")
        settings = self.parse("--config", path, "--port", "3").settings
        self.assertEqual((settings.port, settings.backlog, settings.log_rate), (3, 2, 1))

    def test_reactor_from_the_file(self) -> None:
        name = selection.name_of(reactor)
        self.assertEqual(self.parse("--config", self.file(f"reactor = '{name}'")).reactor_name, name)

    def test_a_reactor_option_beats_the_one_of_the_file(self) -> None:
        name = selection.name_of(reactor)
        self.assertEqual(self.parse("-c", self.file("reactor = 'iocp'"), "-r", name).reactor_name, name)

    def test_bad_value(self) -> None:
        self.assertEqual(self.complaint("--port", "x"), "echo: --port x: must be a whole number from 0 to 65535\n")

    def test_unknown_option(self) -> None:
        self.assertEqual(
            self.complaint("--prot=1"),
            "echo: option --prot not recognized (did you mean '--port'?); see 'twistd echo --help'\n",
        )

    def test_option_without_its_value(self) -> None:
        self.assertEqual(self.complaint("--port"), "echo: option --port requires argument; see 'twistd echo --help'\n")

    def test_option_of_the_runner(self) -> None:
        parent = mock.Mock(longOpt=["logfile=", "nodaemon"])
        _, _, err = self.ending(lambda: self.parse("--logfile", "x", parent=parent))
        self.assertIn("option --logfile not recognized: it is an option of the runner, and goes before 'echo'", err)

    def test_option_that_is_near_one_of_the_runner(self) -> None:
        parent = mock.Mock(longOpt=["logfile=", "nodaemon", "uid="], shortOpt="nl:")
        for word, expected in (
            ("-n", ": it is an option of the runner, and goes before 'echo'"),
            ("--logf", ": it is an option of the runner, and goes before 'echo'"),
            ("--noddaemon", " (did you mean '--nodaemon'?): that is an option of the runner, and goes before 'echo'"),
            ("--prot", " (did you mean '--port'?)"),
            ("--PORT", " (did you mean '--port'?)"),
            ("--log_rate", " (did you mean '--log-rate'?)"),
            ("-z", ""),
        ):
            _, _, err = self.ending(lambda word=word: self.parse(word, "x", parent=parent))
            self.assertEqual(err, f"echo: option {word} not recognized{expected}; see 'twistd echo --help'\n")

    def test_option_that_may_be_several(self) -> None:
        self.assertEqual(
            self.complaint("--log", "x"),
            "echo: option --log not a unique prefix: it may be --log-connections, --log-rate, --log-format; "
            "see 'twistd echo --help'\n",
        )

    def test_word_that_is_no_option(self) -> None:
        self.assertIn(
            "unexpected argument '8888'; all settings are options, such as --port 8888", self.complaint("8888")
        )

    def test_bad_file(self) -> None:
        path = self.file("prot = 1")
        self.assertIn(f"echo: {path}:1: prot: unknown key (did you mean 'port'?)", self.complaint("--config", path))

    def test_unknown_reactor_in_the_file(self) -> None:
        path = self.file("\nreactor = 'epol'")
        self.assertIn(f"{path}:2: reactor: no such reactor: 'epol'", self.complaint("--config", path))

    def test_reactor_that_this_platform_lacks(self) -> None:
        """O14: that is not the user's fault, and exits with 1."""
        status, _, err = self.ending(self.parse, "--reactor", "iocp")
        self.assertEqual(status, 1)
        self.assertIn("the reactor 'iocp'", err)

    def test_what_is_shown_of_a_value_is_one_line(self) -> None:
        self.assertIn(r"'a\nb'", self.complaint("--port", "a\nb"))
        self.assertIn(r"a\nb.toml: can't be read", self.complaint("--config", "a\nb.toml"))

    def test_without_standard_error(self) -> None:
        """E8."""
        with mock.patch.object(sys, "__stderr__", None):
            self.assertRaises(SystemExit, self.parse, "--port", "x")


class CheckTests(OptionsCase):
    def test_says_what_would_be_served(self) -> None:
        """O5."""
        path = self.file("\nbacklog = 7")
        status, out, err = self.ending(self.parse, "--check", "--port", "0", "-i", "127.0.0.1", "--config", path)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("  port 0 on 127.0.0.1\n", out)
        self.assertIn(f"with the reactor {selection.name_of(reactor)}", out)
        self.assertRegex(out, rf"(?m)^  backlog +7 +{path}:2: backlog$")
        self.assertRegex(out, r"(?m)^  greeting +'Hello\\n' +default$")

    def test_workers(self) -> None:
        """O5: how many there would be."""
        status, out, err = self.ending(self.parse, "--check", "-p", "0", "-i", "127.0.0.1", "-w", "3")
        self.assertEqual((status, err), (0, ""))
        self.assertIn(f"with the reactor {selection.name_of(reactor)}, 3 workers, and these settings:\n", out)
        self.assertRegex(out, r"(?m)^  workers +3 +--workers$")

    def test_what_listen_takes_the_place_of(self) -> None:
        _, out, _ = self.ending(self.parse, "--check", "-l", "tcp6:0:interface=\\:\\:1")
        self.assertRegex(out, r"(?m)^  port +none +default$")
        self.assertRegex(out, r"(?m)^  listen +tcp6:0:interface=\\:\\:1 +--listen$")

    def test_leaves_nothing(self) -> None:
        """Neither when all is well, nor when something is wrong."""
        with tempfile.TemporaryDirectory(prefix="echo-") as folder:
            self.ending(self.parse, "--check", "-l", f"unix:{folder}/s", "-p", "0")
            self.assertEqual(os.listdir(folder), [])
            self.ending(self.parse, "--check", "-l", f"unix:{folder}/s", "-l", "tcp:0:interface=192.0.2.1")
            self.assertEqual(os.listdir(folder), [])

    def test_leaves_what_is_there(self) -> None:
        """O5: a stale file would be no obstacle; it is removed by a start, and not by this."""
        with tempfile.TemporaryDirectory(prefix="echo-") as folder:
            with socket.socket(socket.AF_UNIX) as gone:
                gone.bind(f"{folder}/s")
            inode = os.lstat(f"{folder}/s").st_ino
            for other, expected in (("tcp:0:interface=127.0.0.1", 0), ("tcp:0:interface=192.0.2.1", 1)):
                status, _, _ = self.ending(self.parse, "--check", "-l", f"unix:{folder}/s", "-l", other)
                self.assertEqual(status, expected)
                self.assertEqual(os.lstat(f"{folder}/s").st_ino, inode)
                self.assertEqual(os.listdir(folder), ["s"])

    def test_same_verdict_as_a_start(self) -> None:
        """O5: what a start would find wrong, this finds wrong, in the same words."""
        status, out, err = self.ending(self.parse, "--check", "-p", "0", "-i", "192.0.2.1")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("can't listen on port 0 on 192.0.2.1", err)
        self.assertIn("--listen: 'tcp:x'", self.complaint("--check", "--listen", "tcp:x"))


class MakeServiceTests(OptionsCase):
    def make(self, *words: str, parent: Any = None) -> Any:
        return makeService(self.parse(*words, parent=parent))

    def test_listens_nowhere_yet(self) -> None:
        service = self.make("--port", "0")
        self.assertEqual(service.ports, [])
        self.assertEqual([listener.description for listener in service.listeners], ["port 0 on all addresses"])

    def test_factory(self) -> None:
        service = self.make("--greeting", "Hi")
        self.assertIsInstance(service.factory, EchoFactory)
        self.assertEqual(service.factory.greeting, b"Hi")
        self.assertTrue(service._connection_log.enabled)

    def test_without_lines_of_connections(self) -> None:
        service = self.make("--log-connections", "off")
        self.assertFalse(service._connection_log.enabled)

    def test_bad_endpoint_string_in_the_file(self) -> None:
        path = self.file("listen = ['tcp:x']")
        options = self.parse("--config", path)
        status, _, err = self.ending(makeService, options)
        self.assertEqual(status, 2)
        self.assertTrue(err.startswith(f"echo: {path}:1: listen: 'tcp:x': "), err)

    def test_unknown_owner(self) -> None:
        """O4: where it was given, and what is wrong."""
        path = self.file("unix-owner = 'no-such-user'")
        status, _, err = self.ending(makeService, self.parse("--config", path))
        self.assertEqual((status, err), (2, f"echo: {path}:1: unix-owner: this system has no user 'no-such-user'\n"))

    def test_json_under_twistd(self) -> None:
        service = self.make("--log-format", "json", parent={"nodaemon": 1, "logfile": None})
        application: Componentized = Application("echo")
        service.setServiceParent(application)
        self.assertIs(application.getComponent(ILogObserver).observer.line_of, json_line)

    def test_text_under_twistd(self) -> None:
        for words in ([], ["--log-format", "text"]):
            service = self.make(*words, parent={"nodaemon": 1, "logfile": None})
            application: Componentized = Application("echo")
            service.setServiceParent(application)
            self.assertIs(application.getComponent(ILogObserver).observer.line_of, text_line)

    def test_a_logger_of_twistd_stands(self) -> None:
        service = self.make(parent={"nodaemon": 1, "logger": print})
        application: Componentized = Application("echo")
        service.setServiceParent(application)
        self.assertIsNone(application.getComponent(ILogObserver, None))

    def test_json_to_syslog_is_refused(self) -> None:
        service = self.make("--log-format", "json", parent={"nodaemon": 1, "syslog": 1})
        status, _, err = self.ending(service.setServiceParent, Application("echo"))
        self.assertEqual(status, 2)
        self.assertIn("not with twistd's --syslog", err)

    def test_under_twist(self) -> None:
        for word, line_of in (("json", json_line), ("text", text_line)):
            self.assertIs(self.under_twist("--log-format", word).line_of, line_of)

    def test_under_twist_its_own_choice_stands(self) -> None:
        line = self.under_twist().line_of({"log_format": "x", "log_time": 0.0})
        self.assertEqual(json.loads(line.lstrip("\x1e"))["log_format"], "x")

    def under_twist(self, *words: str) -> Any:
        """Return the log's observer under twist, with the options as parsed by twist."""
        parent: dict[str, Any] = {"fileLogObserverFactory": jsonFileLogObserver, "logFile": sys.stdout}
        service = self.make(*words, parent=parent)
        service.setServiceParent(Application("echo"))
        return parent["fileLogObserverFactory"](sys.stdout).observer
