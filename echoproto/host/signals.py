"""
Requests to stop: by Ctrl-C, or since time is up.

The first Ctrl-C asks for an end in order; another one, a second later or more, means now.
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
    """Anything that may ask for an end."""

    @property
    def requested(self) -> bool:
        """True once it does."""


@frozen
class Deadline:
    """
    A request to stop as soon as another one is made, or time is up.

    :ivar end: when it is up, by the monotonic clock.
    """

    other: StopRequest
    end: float

    @property
    def left(self) -> float:
        """Seconds until then, 0 or more."""
        return max(0.0, self.end - time.monotonic())

    @property
    def requested(self) -> bool:
        """True once it is made."""
        return self.other.requested or not self.left


class Interruption:
    """
    Takes the signals that end a process, while it is entered.

    :ivar requested: true once one has come.
    """

    def __init__(self) -> None:
        self.requested = False
        self._requested_at = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        for number in SIGNALS:
            # What is ignored, as SIGHUP under nohup, stays so.
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
