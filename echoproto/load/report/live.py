"""
What can be seen of a load while it runs: a panel at a terminal, a line now and then elsewhere.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from attrs import define, field
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from echoproto.errors import one_line
from echoproto.load.processes import Glimpse
from echoproto.load.workload import Workload
from echoproto.units import show_time

SECONDS_BETWEEN_LINES = 5.0
"""A log that somebody reads later needs no more."""

REFRESHES = 4
"""A second: more can't be read."""

PERCENT = 100

TITLE = 32
"""Columns of a title for which a narrow terminal has room; a longer one would be cut, and goes into the panel."""

FIGURE = 8
"""Columns of each figure at least, so that they stay where they are."""


@define
class Pace:
    """
    How many messages a second there are now: between the last two glimpses that were some time apart.

    :ivar rate: ``None`` until there are two.
    """

    rate: float | None = None
    _elapsed: float = 0.0
    _messages: int = 0

    def see(self, glimpse: Glimpse) -> None:
        """Take the next glimpse into account."""
        if glimpse.elapsed > self._elapsed:
            self.rate = (glimpse.messages - self._messages) / (glimpse.elapsed - self._elapsed)
            self._elapsed, self._messages = glimpse.elapsed, glimpse.messages
        elif glimpse.elapsed < self._elapsed:  # another run
            self.rate, self._elapsed, self._messages = None, 0.0, 0


def share_done(workload: Workload, glimpse: Glimpse) -> float:
    """How much of a load is done, 0 to 1."""
    if workload.count is not None:
        return min(1.0, glimpse.messages / workload.count)
    return min(1.0, glimpse.elapsed / (workload.duration or 1.0))


class View:
    """
    Shows what can be seen while it is entered; this one, nothing.

    :cvar every: seconds after which it wants to see something new, or ``None``.
    """

    every: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave nothing behind that is not to stay."""

    def begin(self, workload: Workload, what: str) -> None:
        """A run begins; what it is for, in a few words, or nothing."""

    def see(self, glimpse: Glimpse) -> None:
        """Show the latest."""


@define
class Lines(View):
    """A line every few seconds."""

    every = SECONDS_BETWEEN_LINES
    console: Console
    _pace: Pace = field(factory=Pace)
    _last: float = 0.0

    def begin(self, workload: Workload, what: str) -> None:
        """Say what is done, and forget how fast the last was."""
        self._pace, self._last = Pace(), 0.0
        self._print(f"{workload.target}: {what or 'running'}")

    def see(self, glimpse: Glimpse) -> None:
        """Say how it goes, if that was long ago."""
        if glimpse.elapsed - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = glimpse.elapsed
        self._pace.see(glimpse)
        shown = ", ".join(f"{name} {value}" for name, value in figures(glimpse, self._pace))
        self._print(f"{glimpse.elapsed:.0f} s: {shown}")

    def _print(self, text: str) -> None:
        self.console.print(Text(one_line(text)), soft_wrap=True)


def figures(glimpse: Glimpse, pace: Pace) -> list[tuple[str, str]]:
    """What is worth seeing, by name."""
    return [
        ("echoes/s", "-" if pace.rate is None else f"{pace.rate:,.0f}"),
        ("echoes", f"{glimpse.messages:,}"),
        ("p50", show_time(glimpse.times.percentile(50)) if glimpse.times.count else "-"),
        ("p99", show_time(glimpse.times.percentile(99)) if glimpse.times.count else "-"),
        ("errors", f"{glimpse.errors:,}"),
    ]


class Board(View):
    """A panel that is drawn anew as long as it runs, and then removed."""

    every = 1.0

    def __init__(self, console: Console, workload: Workload) -> None:
        self._live = Live(console=console, refresh_per_second=REFRESHES, transient=True)
        self._pace = Pace()
        self._workload = workload
        self._what = ""

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def begin(self, workload: Workload, what: str) -> None:
        """Draw an empty panel."""
        self._workload, self._what, self._pace = workload, what, Pace()
        self.see(Glimpse())

    def see(self, glimpse: Glimpse) -> None:
        """Draw the latest."""
        self._pace.see(glimpse)
        self._live.update(panel(self._workload, self._what, glimpse, self._pace))


def panel(workload: Workload, what: str, glimpse: Glimpse, pace: Pace) -> RenderableType:
    """The panel at one moment."""
    bad = bool(glimpse.errors)
    shown = []
    for name, value in figures(glimpse, pace):
        style = "bold red" if bad and name == "errors" else "bold"
        width = max(FIGURE, len(name), len(value))
        shown.append(Text.assemble((name.rjust(width), "dim"), "\n", (value.rjust(width), style)))
    state = what or ("running" if glimpse.elapsed else "connecting, warming up")
    bar = ProgressBar(total=PERCENT, completed=PERCENT * share_done(workload, glimpse))
    body = Table.grid(expand=True)
    body.add_column(overflow="fold")
    # Where there is no room for all figures, Columns has them go on in the next line.
    for part in (bar, Text(one_line(state), style="dim"), Columns(shown, (0, 3))):
        body.add_row(part)
    target = Text(one_line(str(workload.target)))
    if target.cell_len <= TITLE:
        return Panel(body, title=target, title_align="left", padding=(0, 1))
    return Panel(Group(target, body), padding=(0, 1))
