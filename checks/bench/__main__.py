"""
Measure our servers beside others: ``make bench``, or ``python -m checks.bench [--full] [--output DIR]``.

Puts stock Twisted, asyncio, uvloop, and servers in C and Go (with a compiler) under the same load in turns, with
`echoproto.compare`. Takes at most 10 minutes, with C for all servers that are not in Python. ``--full`` measures the
whole matrix of connections, message sizes and idle connections in hours; ``--resume`` continues it, if machine and
versions are the same. Prints the targets at the end; the exit status is 1 if one is missed. Needs an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from checks.bench.parts import Part, all_of_them, few, joined
from checks.bench.targets import Row, rows
from echoproto.compare.analysis.comparability import check_environments
from echoproto.compare.analysis.figures import judge
from echoproto.compare.report.write import read_file, write
from echoproto.compare.results import Results, document
from echoproto.compare.run.comparison import Task, measure, prepare
from echoproto.errors import INTERRUPTED, EchoError
from echoproto.host.signals import Interruption
from echoproto.progress import Progress, progress_for
from echoproto.terminal import console as terminal

SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

COMPILERS = {
    "c": ("gcc", "-O2", "-o", "{program}", f"{SOURCES}/c/echo.c"),
    "go": ("go", "build", "-o", "{program}", f"{SOURCES}/go/echo.go"),
}


def peers(folder: str) -> dict[str, str]:
    """Build the servers in other languages that have a compiler here; return their commands by name."""
    made = {}
    for name, command in COMPILERS.items():
        if shutil.which(command[0]) is None:
            print(f"{name} is left out: there is no {command[0]}", file=sys.stderr)
            continue
        program = os.path.join(folder, f"echo-{name}")
        subprocess.run([word.replace("{program}", program) for word in command], check=True)
        made[name] = f"{program} {{port}}"
    return made


def measured(parts: Iterator[Part], folder: str, arguments: argparse.Namespace, view: Progress) -> Iterator[Results]:
    """
    Yield the results of each part: existing ones if the run is resumed, else new ones.

    :raise ConfigurationError: if existing results come from another environment, unless that is permitted.
    """
    paths = {part: os.path.join(folder, f"{part.name}.json") for part in parts}
    kept = {part: read_file(path) for part, path in paths.items() if arguments.resume and os.path.exists(path)}
    with Interruption() as interruption:
        for number, (part, path) in enumerate(paths.items(), 1):
            if part in kept:
                yield kept[part]
                continue
            view.note(f"part {number} of {len(paths)}: {part.name}")
            command = shlex.join(sys.argv)
            task = Task(preset="", file=part.file, options=part.options, seed=arguments.seed, command=command)
            prepared = prepare(task)
            for other in kept.values():  # now, not when they are joined, which may be hours later
                check_environments(other, prepared.results, may_differ=arguments.different_environments)
            results = measure(prepared, view, interruption)
            if results.partial:
                raise KeyboardInterrupt
            with open(f"{path}.new", "w", encoding="utf-8") as file:
                json.dump(document(results), file)
            os.replace(f"{path}.new", path)
            yield results


def show(reached: list[Row], console: Console) -> None:
    """Print the reached figures and their targets."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("to reach", "reached", "must", "stretch", ""):
        table.add_column(title)
    for row in reached:
        sign = "≤ " if row.at_most else ""
        style = {"NOT REACHED": "red", "not measured": "yellow"}.get(row.verdict)
        table.add_row(row.name, row.shown, f"{sign}{row.must:g}", f"{sign}{row.stretch:g}", row.verdict, style=style)
    console.print()
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.bench", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--full", action="store_true", help="measure the whole matrix, in hours")
    parser.add_argument("--resume", action="store_true", help="keep the parts that are already measured")
    parser.add_argument(
        "--different-environments", action="store_true", help="resume even if machine or versions differ"
    )
    parser.add_argument("--output", default="bench", help="folder for the results (default bench)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the order of rounds (default 1)")
    arguments = parser.parse_args()
    folder = os.path.join(arguments.output, "parts")
    os.makedirs(folder, exist_ok=True)
    console = terminal()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="echo-") as programs,
            progress_for(quiet=False) as view,
        ):
            parts = (all_of_them if arguments.full else few)(peers(programs))
            found = list(measured(parts, folder, arguments, view))
        results = joined(found, shlex.join(sys.argv), different_environments=arguments.different_environments)
    except KeyboardInterrupt:
        print(f"interrupted; with --resume, the parts in {folder} are kept", file=sys.stderr)
        return INTERRUPTED
    except EchoError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    write(judge(results), arguments.output, console)
    reached = rows(results)
    show(reached, console)
    return 1 if any(row.verdict == "NOT REACHED" for row in reached) else 0


if __name__ == "__main__":
    sys.exit(main())
