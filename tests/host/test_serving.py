import os
import signal
import socket
import sys
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import psutil
from twisted.trial.unittest import SynchronousTestCase

from echoproto.host import serving as module
from echoproto.host.serving import (
    NoFreePort,
    ServerFailed,
    StartInterrupted,
    accepts,
    echoes_datagrams,
    free_port,
    serving,
)
from echoproto.host.signals import Deadline, Interruption
from tests.host.servers import FAILING, PATIENCE, STUBBORN, begun, running

LISTENS = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=50)
time.sleep(600)
"""


class ServingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.port = free_port()
        self.stop = Interruption()

    def words(self, script: str) -> list[str]:
        return [sys.executable, "-c", script, str(self.port)]

    def serving(self, words: list[str], **settings: Any) -> AbstractContextManager[int]:
        """Run a server of TCP."""
        listens = partial(accepts, "127.0.0.1", self.port)
        return serving(words, listens, **{"name": "it", "stop": self.stop, **settings})

    def test_a_free_port(self) -> None:
        with socket.create_server(("127.0.0.1", self.port)):
            self.patch(module, "PORTS", range(self.port, self.port + 1))
            self.assertEqual(self.assertRaises(NoFreePort, free_port).exit_status, 4)

    def test_it_serves_and_is_ended(self) -> None:
        with self.serving(self.words(LISTENS)) as pid:
            socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE).close()
            self.assertNotEqual(os.getpgid(pid), os.getpgrp(), "Ctrl-C would end it")
        self.assertFalse(psutil.pid_exists(pid))

    def test_all_of_it_is_ended(self) -> None:
        """Also a process that has left its group."""
        parent = f"import os, time\nif os.fork(): time.sleep(600)\nos.setsid()\n{LISTENS}"
        with self.serving(self.words(parent)) as pid:
            processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            self.assertEqual(len(processes), 2)
        _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
        self.assertEqual(alive, [])

    def test_one_that_will_not_end_is_killed(self) -> None:
        stubborn = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{LISTENS}"
        with self.serving(self.words(stubborn), end_seconds=0.1) as pid:
            pass
        self.assertFalse(psutil.pid_exists(pid))

    def test_one_that_ends_by_itself(self) -> None:
        with self.serving(self.words(LISTENS)) as pid:
            os.kill(pid, signal.SIGKILL)

    def test_bound_to_a_processor(self) -> None:
        """And we are not, afterwards."""
        if not hasattr(os, "sched_getaffinity"):
            self.skipTest("this system binds nothing to processors")
        before = os.sched_getaffinity(0)
        with self.serving(self.words(LISTENS), cores=(max(before),)) as pid:
            self.assertEqual(os.sched_getaffinity(pid), {max(before)})
            self.assertEqual(os.sched_getaffinity(0), before)

    def failure(self, words: list[str], **settings: Any) -> str:
        with self.assertRaises(ServerFailed) as caught, self.serving(words, **settings):
            pass
        self.assertEqual(caught.exception.exit_status, 3)
        return str(caught.exception)

    def test_it_can_not_be_started(self) -> None:
        self.assertEqual(
            self.failure(["/no/such/program"]), "it can't be started: /no/such/program: No such file or directory"
        )

    def test_it_ends_at_once(self) -> None:
        """The last line that it has printed is shown, made safe."""
        failure = self.failure(self.words("import sys\nsys.exit('first\\nport \\x1b busy')"))
        self.assertEqual(failure, "it ended with status 1: port \\x1b busy")
        self.assertEqual(self.failure(self.words("raise SystemExit(3)")), "it ended with status 3")

    def test_a_daemon(self) -> None:
        """Nothing tells which process to look at; it has to stay what was started."""
        failure = self.failure(self.words("import os, sys, time\nif os.fork(): sys.exit()\ntime.sleep(600)"))
        self.assertEqual(failure, "it ended with status 0; it has to stay in the foreground, as 'twistd -n' does")

    def test_it_never_listens(self) -> None:
        silent = self.words("import time\nprint('here', flush=True)\ntime.sleep(600)")
        self.assertEqual(self.failure(silent, start_seconds=0.9), "it did not listen on its port within 1 s: here")

    def test_it_is_ended_when_it_has_failed(self) -> None:
        """With a daemon that it has started."""
        for end in ("sys.exit(3)", "sys.exit(0)", "linger()"):
            folder = os.path.abspath(self.mktemp())
            os.mkdir(folder)
            words = [sys.executable, "-c", f"{FAILING}\n{end}", str(self.port), folder]
            self.failure(words, start_seconds=2.0 if end == "linger()" else PATIENCE, end_seconds=0.1)
            pids = [int(name) for name in os.listdir(folder)]
            self.assertEqual([pid for pid in pids if psutil.pid_exists(pid)], [], end)
            self.assertGreater(len(pids), 0, end)

    def test_interrupted_before_it_listens(self) -> None:
        """It is ended then, too."""
        folder = os.path.abspath(self.mktemp())
        os.mkdir(folder)
        found: list[psutil.Process] = []

        def listens() -> bool:
            found[:] = begun(folder, 1)
            self.stop.requested = True
            return False

        words = [sys.executable, "-c", STUBBORN, str(self.port), folder]
        context = serving(words, listens, name="it", stop=self.stop, end_seconds=0.1)
        self.assertEqual(self.assertRaises(StartInterrupted, context.__enter__).exit_status, 130)
        self.assertEqual((len(found), running(found)), (1, []))

    def test_time_is_up(self) -> None:
        """As of a comparison's budget."""
        with self.assertRaises(StartInterrupted), self.serving(self.words(LISTENS), stop=Deadline(self.stop, 0.0)):
            pass


class ProbeTests(SynchronousTestCase):
    def test_of_datagrams(self) -> None:
        port = free_port()
        self.assertFalse(echoes_datagrams("127.0.0.1", port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", port))
            self.assertFalse(echoes_datagrams("127.0.0.1", port))
