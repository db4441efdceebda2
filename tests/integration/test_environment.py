"""What the machine around the service may be like: a full disk, no standard streams, a storm of clients."""

import os
import subprocess
import sys
import time

from echoproto.host.serving import free_port
from tests.integration.twistd import PATIENCE, REACTOR, script
from tests.integration.unheard import UnheardCase

LINUX = None if sys.platform.startswith("linux") else "/dev/full and /proc are Linux's"


class EnvironmentTests(UnheardCase):
    def test_the_disk_of_the_log_is_full(self) -> None:
        """E1: the echo goes on, and stops in order."""
        if LINUX:
            self.skipTest(LINUX)
        for words, command in (
            (("-n", "--logfile", "/dev/full"), "{}"),
            (("-n",), "{} >/dev/full"),
            (("-n",), "{} --log-format json >/dev/full"),
        ):
            child, port = self.unheard(*words, command=command)
            self.served(port)
            self.assertEqual(child.stop(), 0)
            self.assertEqual(child.lines, [])

    def test_without_standard_streams(self) -> None:
        """E8: /dev/null is put in their place, so that no socket is."""
        if LINUX:
            self.skipTest(LINUX)
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            child, port = self.unheard("-n", command=f"{{}} {closed}")
            for number in range(3):
                link = os.readlink(f"/proc/{child.pid}/fd/{number}")
                self.assertTrue(link == "/dev/null" or link.startswith("pipe:"), link)
            self.served(port)
            self.assertEqual(child.stop(), 0)

    def test_a_daemon_without_standard_streams(self) -> None:
        """E8: also as a daemon, which closes whatever has taken their places."""
        folder = self.folder()
        port = free_port()
        words = f"echo --port {port} --interface 127.0.0.1 --reactor {REACTOR} --greeting ''"
        subprocess.run(["sh", "-c", f"{script('twistd')} {words} <&- >&- 2>&-"], cwd=folder, check=True)
        pid = self.pid_of_daemon(folder)
        try:
            self.served(port)
        finally:
            os.kill(pid, 15)
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(os.path.join(folder, "twistd.pid")):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        with open(os.path.join(folder, "twistd.log"), encoding="utf-8") as file:
            self.assertNotIn("Traceback", file.read())
