"""
What can be seen of a comparison while it runs: a bar at a terminal, a line now and then elsewhere.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from attrs import define
from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from echoproto.errors import one_line

SECONDS_BETWEEN_LINES = 5.0
"""A log that somebody reads later needs no more."""

REFRESHES = 2
"""A second: more would only take time from what is measured."""

WIDTH = 30
"""Columns of the bar."""


def show_left(seconds: float) -> str:
    """How long it still takes, as one would say it."""
    whole = max(0, round(seconds))
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"  # noqa: PLR2004 - seconds in a minute


class Silence:
    """Shows how it goes while it is entered; this one, nothing. See `echoproto.compare.run.rounds.View`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave nothing behind that is not to stay."""

    def at(self, what: str, *, done: float, left: float) -> None:
        """What comes now, how many seconds it took up to here, and how many more it takes, about."""

    def say(self, text: str) -> None:
        """Something to be known now, and later."""


@define
class Lines(Silence):
    """A line every few seconds."""

    console: Console
    _last: float | None = None

    def at(self, what: str, *, done: float, left: float) -> None:
        """Say it, if the last time was long ago."""
        if self._last is None or done - self._last >= SECONDS_BETWEEN_LINES:
            self._last = done
            self.say(f"{what}; {show_left(left)} left")

    def say(self, text: str) -> None:
        """Say it."""
        self.console.print(Text(one_line(text)), soft_wrap=True)


class Board(Silence):
    """A line with a bar, which is drawn anew as long as it runs, and then removed."""

    def __init__(self, console: Console) -> None:
        self._what, self._done, self._left, self._when = "", 0.0, 0.0, time.monotonic()
        self._console = console
        self._live = Live(self, console=console, refresh_per_second=REFRESHES, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def at(self, what: str, *, done: float, left: float) -> None:
        """Draw it."""
        self._what, self._done, self._left, self._when = what, done, left, time.monotonic()

    def say(self, text: str) -> None:
        """Say it above the bar, where it stays."""
        self._console.print(Text(one_line(text)), soft_wrap=True)

    def __rich__(self) -> RenderableType:
        since = time.monotonic() - self._when
        left = max(0.0, self._left - since)
        done = self._done + since
        bar = ProgressBar(total=max(done + left, 1.0), completed=done, width=WIDTH)
        # Where there is no room for all of it, Columns has the rest go on in the next line.
        return Columns([bar, Text(f"{show_left(left)} left"), Text(one_line(self._what), style="dim")], padding=(0, 2))
