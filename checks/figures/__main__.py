"""
Measure the figures to hold, and the promises about time, CPU and load, with the installed ``twistd``:
``python -m checks.figures [NAME ...] [--reactor R]``.

Prints a line for each figure: the measurement, its limit, and the result. The exit status is 1 if one misses its limit.
Needs Linux (/proc) and an idle machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from signal import SIGTERM, signal

from checks.figures.bench import Line
from checks.figures.connections import churn, descriptors, storm
from checks.figures.memory import blocked_memory, idle_memory
from checks.figures.neighbours import hog, slow_readers
from checks.figures.stopping import failing_start, stop
from checks.figures.workers import replacement
from echoproto.reactors.selection import AUTO, auto_name
from tests.suite import KNOWN

Figure = Callable[[str], Iterator[Line]]

FIGURES: dict[str, Figure] = {
    figure.__name__.replace("_", "-"): figure
    for figure in (
        *(idle_memory, blocked_memory, slow_readers, hog, descriptors, churn, storm),
        *(stop, failing_start, replacement),
    )
}


def measure(name: str, reactor: str) -> bool:
    """Measure one figure, print its lines, and tell whether all of them hold."""
    good = True
    try:
        for line in FIGURES[name](reactor):
            print(line, flush=True)
            good = good and line.held is not False
    except Exception as error:  # the others are to be measured all the same
        traceback.print_exc()
        print(Line(name, f"{type(error).__name__}: {error}", "no error", held=False), flush=True)
        return False
    return good


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.figures", description=(__doc__ or "").strip())
    parser.add_argument("--reactor", default=AUTO, choices=(AUTO, *KNOWN), help="reactor of the server (default auto)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(FIGURES)} (default all)")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(FIGURES):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    signal(SIGTERM, lambda *_: sys.exit("ended before its time"))  # and the server with it
    reactor = auto_name() if arguments.reactor == AUTO else arguments.reactor
    print(f"reactor {reactor}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start", flush=True)
    held = [measure(name, reactor) for name in arguments.names or FIGURES]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
