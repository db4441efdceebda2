"""The installed ``twistd`` as a child process, serving an echo on a port that the system picks."""

import json
import os
import queue
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from echoproto.reactors.selection import name_of

REACTOR = name_of(reactor)
"""The reactor that these tests run on is the one that they have the child serve on."""

PATIENCE = 30.0
"""Seconds after which a child that has not said what it should is given up."""

QUICK = 2.0
"""Seconds within which a start that can't succeed has to say so (O1); one of the figures."""

LOADED = 5
"""How many times as long it may take on a machine that is busy with something else."""

LISTENING = (
    r'(?:Listening, server socket fd is |"listening","fd":)(\d+)(?:, address |,"address":")([^\s"]+)"?'
    r',(?: port |"port":)(\d+|None|null)(?:,"ipv6_only":\w+)?(?:, reactor |,"reactor":")([^\s"]+)'
)
"""As text and as JSON: descriptor, address, port, reactor."""

COUNTERS = r"Counters: (\{.*\})"


def script(name: str) -> str:
    """Where a command of this Python's environment is installed."""
    path = os.path.join(sysconfig.get_path("scripts"), name)
    if not os.path.exists(path):
        raise AssertionError(f"{path} is not installed")
    return path


def tool(case: SynchronousTestCase, name: str) -> str:
    """A program of the system, such as ``ncat``; where it is missing, the test is skipped, but never in CI."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            raise AssertionError(f"{name} is not installed, which CI has to do")
        case.skipTest(f"{name} is not installed")
    return path


class Child:
    """
    A running process whose output is read as it comes.

    :ivar limits: what it may have of each resource, other than this process: soft and hard limit.
    """

    limits: Mapping[int, tuple[int, int]] = {}

    def __init__(self, *words: str, cwd: str, env: dict[str, str] | None = None) -> None:
        self.cwd = cwd
        self.process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=self._prepare,  # noqa: PLW1509 - there are no locks to meet
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _prepare(self) -> None:
        # A shell without job control has its background commands ignore SIGINT, and these tests may be such a one.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for kind, limit in self.limits.items():
            resource.setrlimit(kind, limit)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line from here on that has a pattern in it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {pattern!r} within {PATIENCE} s in {self.lines}") from None
            if line is None:
                raise AssertionError(f"no {pattern!r} before the end in {self.lines}")
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and give its exit status; what it printed is in ``lines``."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.end()

    def stop_now(self, number: int = signal.SIGTERM) -> None:
        """Send a signal over and over, until it means to abort what is left; a first one has to have come."""
        again = rf"Received {signal.Signals(number).name} again, (aborting what is left)?"
        while True:
            self.process.send_signal(number)
            if self.wait_for(again)[1]:
                return

    def end(self) -> int:
        """Wait until it has ended, and give its exit status."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(PATIENCE)
        while not self._queue.empty():
            line = self._queue.get()
            if line is not None:
                self.lines.append(line)
        return status

    @property
    def pid(self) -> int:
        return self.process.pid


class Server(Child):
    """A child that serves; `connect` gives a socket to where it listens first."""

    host = "127.0.0.1"
    sockets_at_start = 0

    def tell(self) -> dict[str, Any]:
        """Its counters, as it tells them on SIGUSR2."""
        self.process.send_signal(signal.SIGUSR2)
        found: dict[str, Any] = json.loads(self.wait_for(COUNTERS)[1])
        return found

    def counters(self) -> dict[str, Any]:
        """The same, once nobody is connected; they add up."""
        deadline = time.monotonic() + PATIENCE
        while (counters := self.tell())["active"]:
            if time.monotonic() > deadline:
                raise AssertionError(f"there are still some connected: {counters}")
            time.sleep(0.01)
        if counters["accepted"] != sum(counters["closed"].values()):
            raise AssertionError(f"they don't add up: {counters}")
        return counters

    def listening(self) -> re.Match[str]:
        found = self.wait_for(LISTENING)
        self.port = int(found[3]) if found[3].isdigit() else 0
        if sys.platform.startswith("linux"):
            self.sockets_at_start = self.sockets()
        return found

    def connect(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=PATIENCE)

    def status(self, field: str) -> int:
        """A number of /proc/PID/status, such as VmRSS in KiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            [line] = [line for line in file if line.startswith(f"{field}:")]
        return int(line.split()[1])

    def status_mask(self, field: str) -> int:
        """A mask of /proc/PID/status, such as SigIgn."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            [line] = [line for line in file if line.startswith(f"{field}:")]
        return int(line.split()[1], 16)

    def sockets(self) -> int:
        """How many of its descriptors are sockets of TCP, or Unix sockets at a path."""
        return sockets_of(self.pid)


def sockets_of(pid: int) -> int:
    """How many of a process's descriptors are sockets of TCP, or Unix sockets at a path."""
    inodes: set[str] = set()
    links = []
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        for name in ("tcp", "tcp6"):
            with open(f"/proc/{pid}/net/{name}", encoding="ascii") as file:
                inodes.update(line.split()[9] for line in file.readlines()[1:])
        with open(f"/proc/{pid}/net/unix", encoding="utf-8", errors="replace") as file:
            inodes.update(fields[6] for line in file if len(fields := line.split()) > 7)
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with suppress(FileNotFoundError):  # it was closed meanwhile
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return sum(link.startswith("socket:") and link[8:-1] in inodes for link in links)


class TwistdCase(SynchronousTestCase):
    """A test case with children; each is ended, and must not have logged a traceback."""

    def folder(self) -> str:
        """An empty folder that is not the checkout: what is installed has to be enough."""
        return self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))

    def without_pictures(self) -> dict[str, str]:
        """Return an environment without what draws, which takes longer than most of what a test is about."""
        folder = self.folder()
        with open(os.path.join(folder, "sitecustomize.py"), "w", encoding="ascii") as file:
            file.write("import sys; sys.modules['altair'] = None")
        return {**os.environ, "PYTHONPATH": folder}

    def serve(
        self, *words: str, twistd: tuple[str, ...] = ("-n",), program: str = "twistd", **options: object
    ) -> Server:
        """Start ``twistd -n echo`` on the reactor of this run, and wait until it listens."""
        arguments = ["--reactor", REACTOR, *words] if "--reactor" not in [*words, *twistd] else [*words]
        if not {"--port", "--listen", "--config"} & set(words):
            arguments += ["--port", "0"]
        server = Server(script(program), *twistd, "echo", *arguments, cwd=self.folder(), **options)  # type: ignore[arg-type]
        self.addCleanup(self._end, server)
        server.listening()
        return server

    def tls_endpoint(self) -> str:
        """An endpoint string for TLS on 127.0.0.1, with a certificate made anew."""
        from tests.support.certificates import make_pem

        pem = os.path.join(self.folder(), "pem")
        with open(pem, "wb") as file:
            file.write(make_pem())
        return f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}"

    def _end(self, server: Server) -> None:
        """After every case: no traceback, descriptors back, counters that add up, and gauges back to 0."""
        try:
            if server.sockets_at_start:
                deadline = time.monotonic() + PATIENCE
                while server.process.poll() is None and server.sockets() > server.sockets_at_start:
                    self.assertLess(time.monotonic(), deadline, "descriptors are not back")
                    time.sleep(0.01)
            if server.process.poll() is None and self._can_tell(server):
                server.counters()
        finally:
            server.stop()
        self.assertNotIn("Traceback", "\n".join(server.lines))
        for line in server.lines:
            if not line.startswith("{") and (found := re.search(COUNTERS, line)):
                told = json.loads(found[1])
                self.assertEqual(told["accepted"], told["active"] + sum(told["closed"].values()), told)

    def _can_tell(self, server: Server) -> bool:
        """Whether it serves, with its log as text on standard output."""
        listens = any("Listening, " in line for line in server.lines if not line.startswith("{"))
        return listens and not any(re.search("Received SIG(TERM|INT)", line) for line in server.lines)

    def assert_within(self, most: float, seconds: Callable[[], float]) -> None:
        """Something takes no longer than so; on a machine that is busy with something else, one of three times."""
        taken: list[float] = []
        while not taken or (taken[-1] > most and len(taken) < 3):
            taken.append(seconds())
        self.assertLessEqual(taken[-1], most, taken)

    def run_to_end(self, *words: str, seconds: float = PATIENCE, **options: object) -> subprocess.CompletedProcess[str]:
        """Run a command that ends by itself."""
        options.setdefault("cwd", self.folder())
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            words, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL, **options
        )


class FailingCase(TwistdCase):
    def complaint(
        self, *words: str, status: int, twistd: tuple[str, ...] = ("-n",), prefix: tuple[str, ...] = ()
    ) -> str:
        """Start it, expect it to fail, and give its one line."""
        folder = self.folder()
        runs: list[subprocess.CompletedProcess[str]] = []

        def seconds() -> float:
            begun = time.monotonic()
            runs.append(self.run_to_end(*prefix, script("twistd"), *twistd, "echo", *words, cwd=folder))
            return time.monotonic() - begun

        self.assert_within(LOADED * QUICK, seconds)
        ended = runs[-1]
        self.assertEqual(ended.returncode, status, ended)
        self.assertNotIn("Traceback", ended.stdout + ended.stderr)
        self.assertNotIn("Usage", ended.stdout + ended.stderr)
        self.assertNotIn("twistd.pid", os.listdir(folder))
        [line] = ended.stderr.splitlines()
        self.assertTrue(line.startswith("echo: "), line)
        return line


@contextmanager
def many_descriptors(needed: int) -> Iterator[None]:
    """Raise this process's limit of descriptors for a while."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise AssertionError(f"the hard limit of descriptors is {hard}, and {needed} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
