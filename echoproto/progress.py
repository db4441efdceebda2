"""
Progress of a command that takes long, on standard error: a panel at a terminal, else a line every few seconds.
"""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Self

from attrs import define, frozen
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from echoproto import terminal
from echoproto.errors import one_line

LINE_SECONDS = 5.0
"""Time between two lines: enough for a log that is read later."""

REFRESHES_PER_SECOND = 4
"""Of a panel: nobody reads faster, and drawing takes time from measuring."""

TITLE_COLUMNS = 32
"""Width of a title for which a narrow terminal has room; a longer one would be cut, and goes into the panel."""

FIGURE_COLUMNS = 8
"""Least width of a figure, so that all stay where they are."""

ERRORS = "errors"
"""Name of the figure that is red unless it is 0."""


def show_left(seconds: float) -> str:
    """Format the time that is left, such as "12 min 34 s"."""
    whole = max(0, round(seconds))
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"  # noqa: PLR2004 - seconds in a minute


@frozen(kw_only=True)
class State:
    """
    State of a command at one moment.

    :ivar what: its activity, in a few words.
    :ivar elapsed: seconds since it began.
    :ivar left: seconds that it takes yet, about; ``None`` if ``share`` is known instead.
    :ivar share: share that is done, 0 to 1.
    :ivar figures: names and values.
    """

    what: str
    elapsed: float = 0.0
    left: float | None = None
    share: float = 0.0
    figures: tuple[tuple[str, str], ...] = ()

    def later(self, seconds: float) -> State:
        """Return the state after a while without news."""
        if self.left is None:
            return self
        elapsed, left = self.elapsed + seconds, max(0.0, self.left - seconds)
        share = elapsed / (elapsed + left) if left else 1.0
        return State(what=self.what, elapsed=elapsed, left=left, share=share, figures=self.figures)

    def __str__(self) -> str:
        return one_line(self.what if self.left is None else f"{self.what}; {show_left(self.left)} left")


class Progress:
    """
    Shows progress while it is entered; this one shows nothing.

    :cvar interval: seconds after which another state is worth showing, or ``None``.
    """

    interval: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove all that is not to stay."""

    def begin(self, title: str, what: str) -> None:
        """Begin to show another activity."""

    def show(self, state: State) -> None:
        """Show the latest state."""

    def note(self, text: str) -> None:
        """Show a line that stays."""


@define
class Lines(Progress):
    """A line every few seconds."""

    interval = LINE_SECONDS
    console: Console
    _last: float = -math.inf

    @override
    def begin(self, title: str, what: str) -> None:
        self._last = 0.0
        self.note(f"{title}: {what}")

    @override
    def show(self, state: State) -> None:
        if state.elapsed - self._last >= LINE_SECONDS:
            self._last = state.elapsed
            figures = ", ".join(f"{name} {value}" for name, value in state.figures)
            self.note(f"{state.elapsed:.0f} s: {figures}" if figures else str(state))

    @override
    def note(self, text: str) -> None:
        self.console.print(Text(one_line(text)), soft_wrap=True)


class Board(Progress):
    """A panel that is drawn again and again, and removed in the end."""

    interval = 1.0

    def __init__(self, console: Console) -> None:
        self._console = console
        self._title = ""
        self._state = State(what="")
        self._since = time.monotonic()
        self._live = Live(self, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True)

    @override
    def __enter__(self) -> Self:
        self._live.start()
        return self

    @override
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    @override
    def begin(self, title: str, what: str) -> None:
        self._title = title
        self.show(State(what=what))

    @override
    def show(self, state: State) -> None:
        self._state, self._since = state, time.monotonic()

    @override
    def note(self, text: str) -> None:
        self._console.print(Text(one_line(text)), soft_wrap=True)

    def __rich__(self) -> RenderableType:
        return panel(self._title, self._state.later(time.monotonic() - self._since))


def panel(title: str, state: State) -> RenderableType:
    """Draw a state; in a narrow terminal, figures go on in the next line."""
    figures = []
    for name, value in state.figures:
        style = "bold red" if name == ERRORS and value != "0" else "bold"
        width = max(FIGURE_COLUMNS, len(name), len(value))
        figures.append(Text.assemble((name.rjust(width), "dim"), "\n", (value.rjust(width), style)))
    body = Table.grid(expand=True)
    body.add_column(overflow="fold")
    body.add_row(ProgressBar(total=1, completed=state.share))
    body.add_row(Text(str(state), style="dim"))
    if figures:
        body.add_row(Columns(figures, (0, 3)))
    target = Text(one_line(title))
    if target.cell_len <= TITLE_COLUMNS:
        return Panel(body, title=target if title else None, title_align="left", padding=(0, 1))
    return Panel(Group(target, body), padding=(0, 1))


def progress_for(*, quiet: bool) -> Progress:
    """Return the progress that fits standard error; if it has to be quiet, one that shows nothing."""
    if quiet:
        return Progress()
    console = terminal.console(stderr=True)
    return Board(console) if console.is_terminal else Lines(console)
