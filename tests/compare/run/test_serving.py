import os
import shlex
import signal
import socket

import psutil
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.run import serving as module
from echoproto.compare.run.serving import NoServer, pinned, serving
from echoproto.load.ownserver import free_port

PATIENCE = 30.0

LISTENS = """
import os, signal, socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=50)
"""
PARENT = f"""
import os, time
if os.fork():
    time.sleep(600)
os.setsid()
{LISTENS}
time.sleep(600)
"""
STUBBORN = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{LISTENS}\ntime.sleep(600)"
SLEEPS = "import time\ntime.sleep(600)"
"""Long enough to be ended, by whom it is tried."""


def words(script: str) -> list[str]:
    return ["{python}", "-c", script, "{port}"]


class ServingTests(SynchronousTestCase):
    def test_it_serves_and_is_ended(self) -> None:
        port = free_port()
        with serving(words(f"{LISTENS}\ntime.sleep(600)"), "tcp", values={"port": str(port)}) as pid:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
            self.assertNotEqual(os.getpgid(pid), os.getpgrp(), "Ctrl-C would end it")
        self.assertFalse(psutil.pid_exists(pid))

    def test_all_of_it_is_ended(self) -> None:
        """Also a process that has left its group."""
        with serving(words(PARENT), "tcp", values={"port": str(free_port())}) as pid:
            processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            self.assertEqual(len(processes), 2)
        _, left = psutil.wait_procs(processes, timeout=PATIENCE)
        self.assertEqual(left, [])

    def test_one_that_will_not_end_is_killed(self) -> None:
        with serving(words(STUBBORN), "tcp", values={"port": str(free_port())}, farewell=0.1) as pid:
            pass
        self.assertFalse(psutil.pid_exists(pid))

    def test_one_that_ends_by_itself(self) -> None:
        with serving(words(f"{LISTENS}\ntime.sleep(600)"), "tcp", values={"port": str(free_port())}) as pid:
            os.kill(pid, signal.SIGKILL)

    def why(self, command: list[str], transport: str = "tcp", patience: float = PATIENCE) -> str:
        values = {"port": str(free_port())}
        with self.assertRaises(NoServer) as caught, serving(command, transport, values=values, patience=patience):
            pass
        return str(caught.exception)

    def test_it_can_not_be_started(self) -> None:
        self.assertIn("/no/such/program", self.why(["/no/such/program"]))

    def test_it_ends_at_once(self) -> None:
        """Its last words are told, made safe."""
        why = self.why(words("import sys\nsys.exit('first\\nport \\x1b busy')"))
        self.assertEqual(why, "it ended with status 1: port \\x1b busy")

    def test_a_daemon(self) -> None:
        """Nothing tells which process to look at; it has to stay what was started."""
        why = self.why(words("import os, sys, time\nif os.fork(): sys.exit()\ntime.sleep(600)"))
        self.assertEqual(why, "it ended with status 0; it has to stay in the foreground")

    def test_it_never_listens(self) -> None:
        for transport in ("tcp", "udp"):
            self.assertIn("did not listen", self.why(words(SLEEPS), transport, patience=0.3))

    def test_it_listens_elsewhere(self) -> None:
        command = words(LISTENS.replace("int(sys.argv[1])", "0") + "\nprint('here', flush=True)\ntime.sleep(600)")
        self.assertIn("did not listen on the port", self.why(command, patience=0.5))

    def test_braces_that_are_not_ours(self) -> None:
        self.assertIn("status 1: {x} é", self.why(words("import sys\nsys.exit('{x} é')")))

    def test_twistd_is_that_of_this_environment(self) -> None:
        self.assertTrue(os.access(module.twistd(), os.X_OK))
        self.assertEqual(shlex.split(module.twistd()), [module.twistd()])


class PinnedTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not hasattr(os, "sched_getaffinity"):
            self.skipTest("this system binds nothing to processors")

    def test_what_is_started_is_bound(self) -> None:
        """And we are not, afterwards."""
        before = os.sched_getaffinity(0)
        core = max(before)
        script = f"{LISTENS}\ntime.sleep(600)"
        with serving(words(script), "tcp", values={"port": str(free_port())}, cores=(core,)) as pid:
            self.assertEqual(os.sched_getaffinity(pid), {core})
            self.assertEqual(os.sched_getaffinity(0), before)

    def test_nowhere(self) -> None:
        before = os.sched_getaffinity(0)
        with pinned(None):
            self.assertEqual(os.sched_getaffinity(0), before)
