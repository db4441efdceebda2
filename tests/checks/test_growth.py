import random

from twisted.trial.unittest import SynchronousTestCase

from checks.soak import growth


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
