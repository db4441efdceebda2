"""The soak: that the command works, and that it says so when something goes wrong; ``make soak`` runs it for longer."""

import os
import sys

import tests
from tests.integration.twistd import REACTOR, Child, TwistdCase

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(tests.__file__)))
LINUX = None if sys.platform.startswith("linux") else "/proc is Linux's"


class SoakCase(TwistdCase):
    if LINUX is not None:
        skip = LINUX

    def soak(self, seconds: float) -> Child:
        child = Child(
            *(sys.executable, "-m", "checks.soak", "--reactor", REACTOR, "--minutes", str(seconds / 60)), cwd=ROOT
        )
        self.addCleanup(child.stop)
        return child


class SoakTests(SoakCase):
    def test_a_short_run(self) -> None:
        """T9: mixed load for 3 s, each kind of it at least once, and nothing is lost or left open."""
        child = self.soak(3)
        done = child.wait_for("^0 problems, .*")[0]
        self.assertEqual(child.end(), 0, child.lines)
        for kind in ("MiB compared", "blocked", "checked", "churn", "flood", "garbage", "idle"):
            self.assertRegex(done, rf" [1-9][\d,]* {kind}")
        self.assertEqual([line.split()[-1] for line in child.lines[-4:]], ["held", "held", "measured", "held"])
