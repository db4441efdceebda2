"""
Change the code, and find changes that no test notices: ``python -m checks.mutation [MODULE ...]``.

Prints each surviving change as a diff, and the share caught in each module. The exit status is 1 if a module has less
than 95 %, without the equivalent changes listed in ``equivalents.toml``, or if that list is out of date. For a module
that is not in the list: ``python -m checks.mutation FILE --tests TESTS``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time

from checks.mutation import equivalents, run, targets, trials
from checks.mutation.run import Run, TestsFail
from checks.mutation.tally import judge
from checks.mutation.targets import TARGETS, Target

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def arguments() -> argparse.ArgumentParser:
    """Make the parser of the command's arguments."""
    parser = argparse.ArgumentParser(prog="python -m checks.mutation", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="parallel test processes (default 2)")
    parser.add_argument(
        "--tests", action="append", metavar="TESTS", help="test module of a MODULE that is not in the list"
    )
    parser.add_argument(
        "--spare",
        type=float,
        default=run.SPARE_SECONDS,
        metavar="SECONDS",
        help=f"extra time for the tests of a change, beyond {run.TIME_FACTOR} × their usual time (default %(default)s)",
    )
    names = ", ".join(each.name for each in TARGETS)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"one of {names} (default all)")
    return parser


def chosen(parser: argparse.ArgumentParser, given: argparse.Namespace) -> list[Target]:
    """Give the modules that were named."""
    if given.jobs < 1:
        parser.error(f"--jobs {given.jobs}: must be at least 1, for example 2")
    if given.tests:
        return [Target(path, (*given.tests,)) for path in given.modules]
    try:
        return targets.named(given.modules)
    except KeyError as error:
        names = ", ".join(each.name for each in TARGETS)
        parser.error(f"unknown module {error}, expected one of {names}, or a file with --tests")


def show(tried: int, of: int) -> None:
    """Show the progress at a terminal."""
    if sys.stderr.isatty():
        print(f"\r{tried} of {of} ", end="\r" if tried == of else "", file=sys.stderr, flush=True)


def main() -> int:
    """Run the command; its exit status."""
    parser = arguments()
    given = parser.parse_args()
    modules = chosen(parser, given)
    listed = equivalents.read()
    trials.preload()
    good, summary = True, []
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        for target in modules:
            begun = time.monotonic()
            tries = Run(target, ROOT, folder, jobs=given.jobs, spare=given.spare, progress=show)
            try:
                tries.run()
            except TestsFail as failed:
                good = False
                lines = [f"BAD  {target.name:<20} its tests fail on {failed} without any change"]
            else:
                tally = judge(tries.mutants, tries.outcomes, listed.get(target.path, []))
                good = good and tally.good
                lines = [*tally.lines(target, time.monotonic() - begun)]
            print("\n".join(lines), flush=True)
            summary.append(lines[-1])
    if len(summary) > 1:
        print("\n" + "\n".join(summary))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
