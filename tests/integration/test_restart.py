"""Stops of the process that are the same on each reactor, and what is left for the next start."""

import signal
import sys

from echoproto.host.serving import free_port
from tests.integration.twistd import Server, TwistdCase
from tests.support.clients import receive


class RestartTests(TwistdCase):
    def test_under_twist(self) -> None:
        server = self.serve("--log-format", "text", twistd=(), program="twist")
        self.assertEqual(server.stop(), 0)

    def test_a_restart_binds_at_once(self) -> None:
        """C10: though connections that it has closed itself are still in TIME_WAIT on that port."""
        server = self.serve("--port", str(free_port()))  # one that nobody is given meanwhile
        client = self.enterContext(server.connect())
        self.assertEqual(receive(client, 6), b"Hello\n")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(receive(client, 1), b"")
        client.close()
        again = self.serve("--port", str(server.port))
        with again.connect() as client:
            self.assertEqual(receive(client, 6), b"Hello\n")

    def test_an_ignored_signal_stays_ignored(self) -> None:
        """A shell without job control has its background commands ignore SIGINT."""
        if not sys.platform.startswith("linux"):
            self.skipTest("/proc is Linux's")
        from tests.integration.twistd import REACTOR, script

        command = f"trap '' INT; exec {script('twistd')} -n echo --port 0 --reactor {REACTOR}"
        server = Server("sh", "-c", command, cwd=self.folder())
        self.addCleanup(self._end, server)
        server.listening()
        ignored = {number for number in range(1, 32) if server.status_mask("SigIgn") >> (number - 1) & 1}
        self.assertIn(signal.SIGINT, ignored)
