"""The soak: that the command works, and that it says so when something goes wrong; ``make soak`` runs it for longer."""

import os
import random
import signal
import sys

from twisted.trial.unittest import SynchronousTestCase

import tests
from checks.soak import growth
from tests.integration.twistd import REACTOR, Child, TwistdCase

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(tests.__file__)))
LINUX = None if sys.platform.startswith("linux") else "/proc is Linux's"


class SoakTests(TwistdCase):
    if LINUX is not None:
        skip = LINUX

    def soak(self, seconds: float) -> Child:
        child = Child(
            *(sys.executable, "-m", "checks.soak", "--reactor", REACTOR, "--minutes", str(seconds / 60)), cwd=ROOT
        )
        self.addCleanup(child.stop)
        return child

    def test_a_short_run(self) -> None:
        """T9: mixed load for 3 s, each kind of it at least once, and nothing is lost or left open."""
        child = self.soak(3)
        done = child.wait_for("^0 problems, .*")[0]
        self.assertEqual(child.end(), 0, child.lines)
        for kind in ("MiB compared", "blocked", "checked", "churn", "flood", "garbage", "idle"):
            self.assertRegex(done, rf" [1-9][\d,]* {kind}")
        self.assertEqual([line.split()[-1] for line in child.lines[-4:]], ["held", "held", "measured", "held"])

    def test_a_server_that_dies(self) -> None:
        child = self.soak(600)
        os.kill(int(child.wait_for(r"pid is (\d+)")[1]), signal.SIGKILL)
        child.wait_for("the server has ended by itself|ConnectionRefusedError")
        self.assertEqual(child.end(), 1)
        self.assertRegex("\n".join(child.lines), r"log .*the server ended with status -9")


class GrowthTests(SynchronousTestCase):
    def samples(self, minutes: float, leak: float) -> list[tuple[float, float]]:
        """Every 5 s: a warm-up of 10 MiB, noise of up to 1 MiB, and a leak in MiB an hour."""
        noise = random.Random(1)
        return [(5.0 * n, 50 - 10 * 0.5 ** (n / 6) + leak * n / 720 + noise.random()) for n in range(int(minutes * 12))]

    def test_no_leak(self) -> None:
        for minutes in (5, 30, 600):
            self.assertFalse(growth(self.samples(minutes, 0)).leaks)

    def test_a_leak(self) -> None:
        for minutes, leak in ((5, 100), (30, 20), (600, 9)):
            found = growth(self.samples(minutes, leak))
            self.assertTrue(found.leaks, found)
            self.assertTrue(0.8 * leak < found.slope < 1.2 * leak, found)

    def test_a_slow_growth_of_a_short_run_is_noise(self) -> None:
        found = growth(self.samples(5, 20))
        self.assertGreater(found.slope, 10)
        self.assertFalse(found.leaks)
