"""How it starts, fails to start, and becomes a daemon; each with the installed commands, in a folder of its own."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time

from tests.clients import exchange
from tests.integration.twistd import LISTENING, PATIENCE, REACTOR, Server, TwistdCase, script, tool

QUICK = 2.0
"""Seconds within which a start that can't succeed has to say so (O4)."""


class FailingCase(TwistdCase):
    def complaint(
        self, *words: str, status: int, twistd: tuple[str, ...] = ("-n",), prefix: tuple[str, ...] = ()
    ) -> str:
        """Start it, expect it to fail, and give its one line."""
        folder = self.folder()
        for _ in range(3):  # on a machine that is busy with something else, one may take longer
            begun = time.monotonic()
            ended = self.run_to_end(*prefix, script("twistd"), *twistd, "echo", *words, cwd=folder)
            if (elapsed := time.monotonic() - begun) < QUICK:
                break
        self.assertLess(elapsed, QUICK)
        self.assertEqual(ended.returncode, status, ended)
        self.assertNotIn("Traceback", ended.stdout + ended.stderr)
        self.assertNotIn("Usage", ended.stdout + ended.stderr)
        self.assertNotIn("twistd.pid", os.listdir(folder))
        [line] = ended.stderr.splitlines()
        self.assertTrue(line.startswith("echo: "), line)
        return line


class FailingTests(FailingCase):
    def setUp(self) -> None:
        other = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        self.busy = other.getsockname()[1]

    def test_port_in_use(self) -> None:
        """O1."""
        line = self.complaint("--port", str(self.busy), "--reactor", REACTOR, status=1)
        self.assertIn(f"can't listen on port {self.busy} on all addresses: Address already in use", line)

    def test_port_in_use_under_check(self) -> None:
        """O5."""
        self.assertIn("Address already in use", self.complaint("--check", "--port", str(self.busy), status=1))

    def test_port_in_use_under_twist(self) -> None:
        ended = self.run_to_end(script("twist"), "echo", "--port", str(self.busy), "--reactor", REACTOR)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("Address already in use", ended.stderr)
        self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)

    def test_port_in_use_as_a_daemon(self) -> None:
        """O1: the command that starts a daemon fails, too; its log says why, and its pid file is gone."""
        folder = self.folder()
        ended = self.run_to_end(script("twistd"), "echo", "--port", str(self.busy), "--reactor", REACTOR, cwd=folder)
        self.assertEqual(ended.returncode, 1, ended)
        self.assertIn("Address already in use", ended.stderr)
        self.assertEqual(os.listdir(folder), ["twistd.log"])
        with open(f"{folder}/twistd.log", encoding="utf-8") as log:
            text = log.read()
        self.assertIn("[echoproto#critical] can't listen on port", text)
        self.assertNotIn("Traceback", text)

    def test_privileged_port(self) -> None:
        """O2."""
        if not sys.platform.startswith("linux"):
            self.skipTest("setpriv is Linux's")
        setpriv = tool(self, "setpriv")
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            if int(file.read()) <= 7:
                self.skipTest("this system has no privileged ports")
        line = self.complaint("--port", "7", status=1, prefix=(setpriv, "--bounding-set=-net_bind_service"))
        self.assertIn("can't listen on port 7 on all addresses: Permission denied; ports below 1024 need root", line)

    def test_unreadable_file(self) -> None:
        """O4; root reads everything, unless it gives that up."""
        if not sys.platform.startswith("linux"):
            self.skipTest("setpriv is Linux's")
        path = f"{self.folder()}/echo.toml"
        with open(path, "w", encoding="utf-8") as file:
            file.write("port = 0")
        os.chmod(path, 0)
        prefix = (tool(self, "setpriv"), "--bounding-set=-dac_override,-dac_read_search")
        self.assertEqual(
            self.complaint("--config", path, status=2, prefix=prefix), f"echo: {path}: can't be read: Permission denied"
        )

    def test_address_that_is_not_local(self) -> None:
        """O3."""
        self.assertIn("on 192.0.2.1: ", self.complaint("--interface", "192.0.2.1", "--port", "0", status=1))

    def test_what_was_written_wrong(self) -> None:
        """O4."""
        path = f"{self.folder()}/echo.toml"
        for content, expected in (
            (b"\nprot = 1", f"{path}:2: prot: unknown key (did you mean 'port'?)"),
            (b'port = "x"', f"{path}:1: port: 'x' is not a whole number from 0 to 65535"),
            (b"", f"{path}: is empty"),
            (b"\xff", f"{path}:1: is not UTF-8 text"),
        ):
            with open(path, "wb") as file:
                file.write(content)
            self.assertIn(expected, self.complaint("--config", path, status=2))
        self.assertIn("can't be read: Is a directory", self.complaint("--config", "/", status=2))
        self.assertIn("did you mean '--port'?", self.complaint("--prot", "1", status=2))

    def test_one_of_several_listeners_fails(self) -> None:
        """O4: nothing half-open stays, of files either."""
        folder = self.folder()
        listen = ("--listen", f"unix:{folder}/s", "--listen", f"tcp:{self.busy}:interface=127.0.0.1")
        self.complaint(*listen, "--reactor", REACTOR, status=1)
        self.assertEqual(os.listdir(folder), [])


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
        before = os.stat(plugin)
        self.addCleanup(os.utime, plugin, ns=(before.st_atime_ns, before.st_mtime_ns))

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
        os.utime(plugin, ns=(later, later))
        check()


class DaemonTests(TwistdCase):
    if not sys.platform.startswith("linux") and REACTOR in {"asyncio", "uvloop"}:
        skip = "this reactor's kqueue is not inherited by fork, and it makes no new one"

    def daemon(self, folder: str, *words: str) -> None:
        """Start a daemon; when the test ends, stop it, and wait until it is gone."""
        gone, alive = os.pipe()  # the daemon inherits the writing end, so its end is the end of this pipe
        self.addCleanup(os.close, gone)
        started = self.run_to_end(script("twistd"), *words, "--reactor", REACTOR, cwd=folder, pass_fds=[alive])
        os.close(alive)
        self.assertEqual((started.returncode, started.stdout, started.stderr), (0, "", ""))
        with open(f"{folder}/twistd.pid", encoding="ascii") as file:
            self.addCleanup(self.stop, folder, int(file.read()), gone)

    def stop(self, folder: str, pid: int, gone: int) -> None:
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(select.select([gone], [], [], PATIENCE)[0], [gone], "it does not stop")
        [log] = os.listdir(folder)  # and no pid file
        with open(f"{folder}/{log}", encoding="utf-8") as file:
            self.assertNotIn("Traceback", file.read())

    def test_daemon(self) -> None:
        """It serves on this reactor after it has forked, writes its pid, and takes it away when it stops."""
        folder = self.folder()
        self.daemon(folder, "echo", "--port", "0")
        with open(f"{folder}/twistd.log", encoding="utf-8") as file:
            text = file.read()
        listening = re.search(LISTENING, text)
        assert listening is not None, text
        self.assertEqual(listening[4], REACTOR)
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", int(listening[3])), timeout=PATIENCE) as client:
                self.assertEqual(exchange(client, b"x" * 100_000), b"Hello\n" + b"x" * 100_000)

    def test_json_daemon(self) -> None:
        folder = self.folder()
        self.daemon(folder, "--logfile", "echo.json", "echo", "--port", "0", "--log-format", "json")
        with open(f"{folder}/echo.json", encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
        [listening] = [event for event in events if event["log_text"].startswith("Listening, ")]
        self.assertEqual(listening["reactor"], REACTOR)


class CommandTests(TwistdCase):
    def test_timers_follow_the_monotonic_clock(self) -> None:
        """E5: as soon as the options are parsed."""
        code = (
            "import sys, time; from echoproto.server.tap import Options; o = Options(); o.parseOptions(sys.argv[1:])\n"
        )
        code += "from twisted.internet import reactor; print(o.reactor_name, reactor.seconds is time.monotonic)"
        ended = self.run_to_end(sys.executable, "-c", code, "--reactor", REACTOR)
        self.assertEqual(ended.stdout, f"{REACTOR} True\n", ended.stderr)

    def test_check_into_a_full_disk(self) -> None:
        if not os.path.exists("/dev/full"):
            self.skipTest("this system has no /dev/full")
        with open("/dev/full", "w", encoding="ascii") as full:
            words = [script("twistd"), "-n", "echo", "--check", "--port", "0"]
            ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(ended.stderr, "echo: can't write to standard output: No space left on device\n")

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
        self.assertTrue(ended.stdout.startswith("echo: the settings are good; a start would listen on\n"))

    def test_python_m(self) -> None:
        ended = self.run_to_end(sys.executable, "-m", "echoproto", "--version")
        self.assertRegex(ended.stdout, r"^echoproto, version \d")


class NoConsoleTests(TwistdCase):
    def test_closed_standard_streams(self) -> None:
        """E8: started without input, output and error output, it serves, and its descriptors are not mixed up."""
        folder = self.folder()
        command = f"exec {script('twistd')} -n --logfile log echo --port 0 --reactor {REACTOR} <&- >&- 2>&-"
        with subprocess.Popen(["sh", "-c", command], cwd=folder) as process:
            try:
                deadline = time.monotonic() + PATIENCE
                listening = None
                while listening is None:
                    self.assertLess(time.monotonic(), deadline)
                    if os.path.exists(f"{folder}/log"):
                        with open(f"{folder}/log", encoding="utf-8") as file:
                            listening = re.search(LISTENING + r"\n", file.read())
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.fail(f"it ended with status {process.wait(0.02)}")
                with socket.create_connection(("127.0.0.1", int(listening[3])), timeout=PATIENCE) as client:
                    self.assertEqual(exchange(client, b"x"), b"Hello\nx")
            finally:
                process.terminate()
