"""
Requests to stop: by a signal, or by a deadline.

The first Ctrl-C requests an orderly stop. Another one, at least a second later, stops at once.
"""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType
from typing import Any, Protocol

from attrs import frozen

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SECOND_SIGNAL_SECONDS = 1.0
"""Interval in seconds after which another signal means "now". An earlier one repeats the first, as from timeout(1),
which signals a command and then its process group; ending at once would lose the report."""


class StopRequest(Protocol):
    """A source of a request to stop."""

    @property
    def requested(self) -> bool:
        """True once a stop is requested."""


@frozen
class Deadline:
    """
    A request to stop at a deadline, or with another request.

    :ivar end: deadline by the monotonic clock.
    """

    other: StopRequest
    end: float

    @property
    def left(self) -> float:
        """Seconds until the deadline, 0 or more."""
        return max(0.0, self.end - time.monotonic())

    @property
    def requested(self) -> bool:
        """True after the deadline, or once the other stop is requested."""
        return self.other.requested or not self.left


class Interruption:
    """
    A context manager that turns the signals that end a process into requests to stop.

    :ivar requested: true after the first signal.
    """

    def __init__(self) -> None:
        self.requested = False
        self._requested_at = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        for number in SIGNALS:
            # Ignored signals stay ignored, such as SIGHUP under nohup.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _come(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.requested:
            self.requested = True
            self._requested_at = now
        elif now - self._requested_at >= SECOND_SIGNAL_SECONDS:
            raise KeyboardInterrupt
