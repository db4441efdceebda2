"""The three places where a reactor is named, and what happens if they disagree."""

import fcntl
import os

from tests.integration.twistd import REACTOR, FailingCase, Server, script
from tests.support.clients import exchange


class ReactorSwitchTests(FailingCase):
    """The three places where a reactor is named."""

    def config(self, content: str) -> str:
        path = f"{self.folder()}/echo.toml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        return path

    def serves_on(self, server: Server, name: str) -> None:
        self.assertIn(f", reactor {name}", server.lines[-1])
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), b"Hello\nx")

    def test_option_of_twistd(self) -> None:
        self.serves_on(self.serve(twistd=("-n", "--reactor", REACTOR)), REACTOR)

    def test_option_of_echo(self) -> None:
        self.serves_on(self.serve("--reactor", REACTOR), REACTOR)

    def test_file(self) -> None:
        server = Server(
            script("twistd"), "-n", "echo", "-c", self.config(f"reactor = '{REACTOR}'\nport = 0"), cwd=self.folder()
        )
        self.addCleanup(self._end, server)
        server.listening()
        self.serves_on(server, REACTOR)

    def test_option_of_echo_beats_the_file(self) -> None:
        config = self.config("reactor = 'iocp'\nport = 0")
        self.serves_on(self.serve("--reactor", REACTOR, "--config", config), REACTOR)

    def test_option_of_twistd_agrees_with_auto_and_with_none(self) -> None:
        for words in ((), ("--reactor", "auto")):
            self.serves_on(self.serve(*words, twistd=("-n", "--reactor", REACTOR)), REACTOR)

    def test_options_that_contradict_each_other(self) -> None:
        other = "select" if REACTOR != "select" else "asyncio"
        line = self.complaint("--reactor", REACTOR, status=1, twistd=("-n", "--reactor", other))
        self.assertIn(f"--reactor: the reactor {REACTOR!r} is asked for, but {other!r} is installed already", line)
        config = self.config(f"reactor = {REACTOR!r}")
        line = self.complaint("--config", config, status=1, twistd=("-n", "--reactor", other))
        self.assertIn(f"{config}:1: reactor: the reactor {REACTOR!r} is asked for, but {other!r}", line)

    def test_one_that_this_platform_lacks(self) -> None:
        """O14."""
        line = self.complaint("--reactor", "iocp", status=1)
        self.assertRegex(line, r"the reactor 'iocp' is not available here \(.*\): .*; available are auto, .*select")

    def test_unknown_one(self) -> None:
        line = self.complaint("--config", self.config("\nreactor = 'selekt'"), status=2)
        self.assertRegex(line, r"echo.toml:2: reactor: there is no reactor 'selekt' \(did you mean 'select'\?\)")

    def test_twist(self) -> None:
        self.serves_on(self.serve("--reactor", REACTOR, "--log-format", "text", twistd=(), program="twist"), REACTOR)
        self.serves_on(self.serve("--log-format", "text", twistd=("--reactor", REACTOR), program="twist"), REACTOR)

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
            fcntl.flock(file, fcntl.LOCK_EX)  # the suite runs this on several reactors at once
            self.check_cache(plugin, cache)

    def check_cache(self, plugin: str, cache: str) -> None:
        before = os.stat(plugin)

        def check() -> None:
            words = (script("twistd"), "-n", "--reactor", REACTOR, "echo", "--check", "--port", "0")
            ended = self.run_to_end(*words)
            self.assertEqual(ended.returncode, 0, ended)
            self.assertIn(f"with the reactor {REACTOR}", ended.stdout)
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
