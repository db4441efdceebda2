import os
import shlex
import signal
import socket
import sys

import psutil
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load import ownserver
from echoproto.load.errors import ClientLimit, Unreachable
from echoproto.load.ownserver import free_port, serving

LISTENS = """import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    while True: listener.accept()
"""
SILENT = "import time\ntime.sleep(60)"
STUBBORN = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{LISTENS}"


def command(script: str, port: int = 0) -> str:
    return shlex.join([sys.executable, "-c", script, str(port)])


class OwnServerTests(SynchronousTestCase):
    def test_a_free_port(self) -> None:
        port = free_port()
        with socket.create_server(("127.0.0.1", port)):
            self.patch(ownserver, "PORTS", range(port, port + 1))
            self.assertRaises(ClientLimit, free_port)

    def test_it_serves_and_is_ended(self) -> None:
        port = free_port()
        with serving(command(LISTENS, port), "127.0.0.1", port) as pid:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            self.assertNotEqual(os.getpgid(pid), os.getpgrp(), "Ctrl-C would end it")
        self.assertFalse(psutil.pid_exists(pid))

    def test_one_that_will_not_end_is_killed(self) -> None:
        self.patch(ownserver, "FAREWELL", 0.2)
        port = free_port()
        with serving(command(STUBBORN, port), "127.0.0.1", port) as pid:
            pass
        self.assertFalse(psutil.pid_exists(pid))

    def test_one_that_ends_by_itself(self) -> None:
        port = free_port()
        with serving(command(LISTENS, port), "127.0.0.1", port) as pid:
            os.kill(pid, signal.SIGKILL)

    def assert_unreachable(self, words: str, part: str) -> None:
        with self.assertRaises(Unreachable) as caught, serving(words, "127.0.0.1", free_port()):
            pass
        self.assertIn(part, str(caught.exception))

    def test_no_such_program(self) -> None:
        self.assert_unreachable("/no/such/program", "/no/such/program")
        self.assert_unreachable("unbalanced '", "quotation")
        self.assert_unreachable("", "--server")

    def test_it_ends_at_once(self) -> None:
        self.assert_unreachable(command("import sys\nsys.exit('busy\\x1b')"), "status 1: busy\\x1b")
        self.assert_unreachable(command("raise SystemExit(3)"), "status 3")

    def test_a_daemon(self) -> None:
        """Nothing tells which process to look at; it has to stay what was started."""
        script = "import os, sys, time\nif os.fork(): sys.exit()\ntime.sleep(600)"
        self.assert_unreachable(command(script), "status 0; it has to stay in the foreground")

    def test_it_does_not_listen(self) -> None:
        self.patch(ownserver, "PATIENCE", 0.2)
        self.assert_unreachable(command(SILENT), "did not listen")
