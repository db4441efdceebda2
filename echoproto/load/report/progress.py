"""
Progress of a load: its rate, its share done, and its main figures.
"""

from __future__ import annotations

from attrs import define, field

from echoproto.load.processes import ProgressReport
from echoproto.load.workload import Workload
from echoproto.progress import ERRORS, Progress, State
from echoproto.units import show_time


@define
class Pace:
    """
    The current rate: messages per second between the last two reports with different times.

    :ivar rate: ``None`` until there are two reports.
    """

    rate: float | None = None
    _elapsed: float = 0.0
    _messages: int = 0

    def see(self, report: ProgressReport) -> None:
        """Take the next report into account."""
        if report.elapsed > self._elapsed:
            self.rate = (report.messages - self._messages) / (report.elapsed - self._elapsed)
            self._elapsed, self._messages = report.elapsed, report.messages
        elif report.elapsed < self._elapsed:  # another run
            self.rate, self._elapsed, self._messages = None, 0.0, 0


def share_done(workload: Workload, report: ProgressReport) -> float:
    """Return the share of a load that is done, 0 to 1."""
    if workload.count is not None:
        return min(1.0, report.messages / workload.count)
    return min(1.0, report.elapsed / (workload.duration or 1.0))


def figures(report: ProgressReport, pace: Pace) -> tuple[tuple[str, str], ...]:
    """Return the main figures, by name."""
    return (
        ("echoes/s", "-" if pace.rate is None else f"{pace.rate:,.0f}"),
        ("echoes", f"{report.messages:,}"),
        ("p50", show_time(report.times.percentile(50)) if report.times.count else "-"),
        ("p99", show_time(report.times.percentile(99)) if report.times.count else "-"),
        (ERRORS, f"{report.errors:,}"),
    )


@define
class LoadProgress:
    """
    Show the progress reports of one run.

    :ivar what: purpose of the run, or an empty text.
    """

    workload: Workload
    what: str
    progress: Progress
    _pace: Pace = field(factory=Pace)

    def begin(self) -> None:
        """Show the name of the run, and an empty report."""
        self.progress.begin(str(self.workload.target), self.what or "running")
        self.see(ProgressReport())

    def see(self, report: ProgressReport) -> None:
        """Show a report."""
        self._pace.see(report)
        self.progress.show(
            State(
                what=self.what or ("running" if report.elapsed else "connecting, warming up"),
                elapsed=report.elapsed,
                share=share_done(self.workload, report),
                figures=figures(report, self._pace),
            )
        )
