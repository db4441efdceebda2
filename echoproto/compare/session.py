"""
One run of ``echoproto compare``, from the task to the exit status.
"""

from __future__ import annotations

from attrs import frozen

from echoproto import terminal
from echoproto.compare.analysis.comparability import check_environments
from echoproto.compare.analysis.figures import Figures, judge
from echoproto.compare.analysis.regression import changes, exit_status
from echoproto.compare.report import write
from echoproto.compare.results import Results
from echoproto.compare.run.comparison import Task, measure, prepare
from echoproto.errors import INTERRUPTED, EchoError
from echoproto.host.files import check_folder
from echoproto.host.signals import Interruption
from echoproto.load.errors import UNREACHABLE
from echoproto.progress import progress_for


class NothingMeasured(EchoError):
    """No contestant could be measured under any load."""

    exit_status = UNREACHABLE


@frozen(kw_only=True)
class Outputs:
    """
    Destinations of the results.

    :ivar folder: folder for results, page and pictures.
    :ivar quiet: true to print nothing.
    :ivar against: path of the results of an earlier run, or ``None``.
    :ivar tolerance: slowdown that still passes, as a share.
    :ivar different_environments: true to permit an earlier run from another environment.
    """

    folder: str
    quiet: bool
    against: str | None
    tolerance: float
    different_environments: bool


def run(task: Task, outputs: Outputs) -> int:
    """
    Run the task, and report its results.

    :return: the exit status.
    :raises EchoError: if there are no results, or none with figures.
    """
    old = None if outputs.against is None else write.read_file(outputs.against)
    prepared = prepare(task)
    if old is not None:  # before the measurement, which takes minutes
        check_environments(prepared.results, old, may_differ=outputs.different_environments)
    check_folder(outputs.folder)
    with Interruption() as interruption:
        try:
            with progress_for(quiet=outputs.quiet) as progress:
                results = measure(prepared, progress, interruption)
        except KeyboardInterrupt:
            return INTERRUPTED
    if any(sample.echoes_per_second for sample in results.samples):
        figures = judge(results)
        status = tell(figures, old, outputs)  # also if all contestants failed: the reasons are of interest
        if results.partial or not all(each.void for each in figures):
            return status
    return _nothing(results)


def _nothing(results: Results) -> int:
    """Raise the reason for a lack of figures, unless an interruption caused it."""
    if results.partial:
        return INTERRUPTED
    why = next((sample.why for sample in results.samples if sample.why), "the plan has no samples")
    raise NothingMeasured(f"no contestant could be measured: {why}")


def tell(figures: Figures, old: Results | None, outputs: Outputs) -> int:
    """
    Write and print the figures.

    :return: the exit status.
    """
    changed = None
    if old is not None:
        changed = changes(
            figures,
            judge(old),
            tolerance=outputs.tolerance,
            different_environments=outputs.different_environments,
        )
    console = terminal.console(quiet=outputs.quiet)
    write.write(figures, outputs.folder, console, changed)
    if figures.results.partial:
        return INTERRUPTED
    return exit_status(changed or ())
