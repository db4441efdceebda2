"""Commands that serve nothing, and how twistd finds the plugin."""

import fcntl
import json
import os
import sys

from tests.integration.test_starting import DaemonCase
from tests.integration.twistd import REACTOR, TwistdCase, script


class CommandTests(TwistdCase):
    def test_json_log_that_can_not_be_written(self) -> None:
        words = ("-n", "--logfile", "/nonexistent/log", "echo", "--port", "0", "--log-format", "json")
        ended = self.run_to_end(script("twistd"), *words)
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(ended.stderr, "echo: can't write the log to /nonexistent/log: No such file or directory\n")

    def test_reactors(self) -> None:
        ended = self.run_to_end(script("echoproto"), "reactors")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        rows = ended.stdout.splitlines()
        self.assertRegex(rows[0], r"^name +default +available, or why not +class")
        [row] = [row for row in rows if row.startswith(f"{REACTOR} ")]
        self.assertRegex(row, r" yes +\w+Reactor *$")
        self.assertEqual(len([row for row in rows if " auto " in row]), 1)

    def test_check_serves_nothing(self) -> None:
        ended = self.run_to_end(script("twistd"), "-n", "echo", "--check", "--port", "0")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertTrue(ended.stdout.startswith("echo: the settings are valid; a start would listen on\n"))

    def test_python_m(self) -> None:
        ended = self.run_to_end(sys.executable, "-m", "echoproto", "--version")
        self.assertRegex(ended.stdout, r"^echoproto, version \d")


class PluginTests(TwistdCase):
    def test_reactor_of_any_service(self) -> None:
        """``uvloop`` is a reactor for all services, not for the echo alone."""
        ended = self.run_to_end(script("twistd"), "--reactor", "uvloop", "--help")
        self.assertEqual(ended.returncode, 0, ended)
        self.assertRegex(ended.stdout, r"\n +echo +An echo service")

    def test_cold_and_stale_plugin_cache(self) -> None:
        """Looking for plugins then imports each plugin's module, which must not install a reactor (Twisted #3785)."""
        import twisted.plugins

        ours = next(path for path in twisted.plugins.__path__ if os.path.exists(f"{path}/echo_plugin.py"))
        plugin, cache = f"{ours}/echo_plugin.py", f"{ours}/dropin.cache"
        with open(plugin, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # trial and pytest may run this at once
            self.check_cache(plugin, cache)

    def check_cache(self, plugin: str, cache: str) -> None:
        before = os.stat(plugin)

        def check() -> None:
            words = (script("twistd"), "-n", "--reactor", "select", "echo", "--check", "--port", "0")
            ended = self.run_to_end(*words)
            self.assertEqual(ended.returncode, 0, ended)
            self.assertIn("with the reactor select", ended.stdout)
            self.assertTrue(os.path.exists(cache))

        check()
        os.unlink(cache)
        check()
        later = os.stat(cache).st_mtime_ns + 10**11
        try:
            os.utime(plugin, ns=(later, later))
            check()
        finally:
            os.utime(plugin, ns=(before.st_atime_ns, before.st_mtime_ns))


class JsonDaemonTests(DaemonCase):
    def test_json_daemon(self) -> None:
        folder = self.folder()
        self.daemon(folder, "--logfile", "echo.json", "echo", "--port", "0", "--log-format", "json")
        with open(f"{folder}/echo.json", encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
        [listening] = [event for event in events if event["event"] == "listening"]
        self.assertEqual(listening["reactor"], REACTOR)
