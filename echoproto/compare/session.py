"""
One use of ``echoproto compare``, from what is asked for to the exit status.
"""

from __future__ import annotations

from attrs import frozen

from echoproto import terminal
from echoproto.compare.analysis.comparability import check_environments
from echoproto.compare.analysis.figures import Figures, judge
from echoproto.compare.analysis.regression import changes
from echoproto.compare.report import write
from echoproto.compare.results import Results
from echoproto.compare.run.comparison import Task, measure, prepare
from echoproto.errors import INTERRUPTED, EchoError
from echoproto.host.files import check_folder
from echoproto.host.signals import Interruption
from echoproto.load.errors import GOOD, UNREACHABLE
from echoproto.progress import progress_for

WORSE = 1
"""Exit status: something has become worse by more than is tolerated."""


class NothingMeasured(EchoError):
    """No contestant could be measured under any load."""

    exit_status = UNREACHABLE


@frozen(kw_only=True)
class Outputs:
    """
    Destinations of the results.

    :ivar folder: for results, page and pictures.
    :ivar quiet: whether nothing is printed.
    :ivar against: results of an earlier run, or ``None``.
    :ivar tolerance: share by which something may have become worse.
    :ivar different_environments: whether the earlier run may have been made in another environment.
    """

    folder: str
    quiet: bool
    against: str | None
    tolerance: float
    different_environments: bool


def run(task: Task, outputs: Outputs) -> int:
    """
    Measure all that is asked for, and tell it.

    :return: the exit status.
    :raises EchoError: if there is nothing to tell, or it has no figures.
    """
    old = None if outputs.against is None else write.read_file(outputs.against)
    prepared = prepare(task)
    if old is not None:  # at once, not after minutes
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
        status = tell(figures, old, outputs)  # also of those that have all failed: what they did is of interest
        if results.partial or not all(each.void for each in figures):
            return status
    return _nothing(results)


def _nothing(results: Results) -> int:
    """There are no figures: say why, unless somebody did not want any."""
    if results.partial:
        return INTERRUPTED
    why = next((sample.why for sample in results.samples if sample.why), "nothing was asked for")
    raise NothingMeasured(f"not one contestant could be measured: {why}")


def tell(figures: Figures, old: Results | None, outputs: Outputs) -> int:
    """
    Write and print it.

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
    return WORSE if any(change.regression for change in changed or ()) else GOOD
