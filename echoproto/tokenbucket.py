"""
Token bucket: a limit on a rate that allows bursts.
"""

from __future__ import annotations

from collections.abc import Callable


class TokenBucket:
    """
    Tokens that arrive at a rate, up to a burst; the bucket is full at first.

    :param seconds: a monotonic clock, in seconds.
    :param rate: tokens per second, above 0.
    :param burst: tokens that the bucket holds, at least 1.

    Rate and burst may be changed at any time.

    :ivar tokens: tokens at the last call; a user may overdraw them.
    """

    __slots__ = ("_filled_at", "_seconds", "burst", "rate", "tokens")

    def __init__(self, seconds: Callable[[], float], rate: float, burst: float) -> None:
        self._seconds = seconds
        self._filled_at = seconds()
        self.rate = rate
        self.burst = burst
        self.tokens = float(burst)

    def fill(self) -> float:
        """Add the tokens since the last call; return how many there are now."""
        now = self._seconds()
        self.tokens = min(self.burst, self.tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        return self.tokens

    def take(self) -> bool:
        """Take a token, if there is one."""
        enough = self.fill() >= 1
        self.tokens -= enough
        return enough

    def wait(self) -> float:
        """Return the seconds from the last call until there is a token."""
        return max(0.0, (1 - self.tokens) / self.rate)
