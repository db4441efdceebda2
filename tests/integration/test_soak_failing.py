import os
import signal

from tests.integration.test_soak import SoakCase


class DeadServerTests(SoakCase):
    """The soak says so when its server ends."""

    def test_a_server_that_dies(self) -> None:
        child = self.soak(600)
        os.kill(int(child.wait_for(r"pid is (\d+)")[1]), signal.SIGKILL)
        child.wait_for("the server has ended by itself|ConnectionRefusedError")
        self.assertEqual(child.end(), 1)
        self.assertRegex("\n".join(child.lines), r"log .*the server ended with status -9")
