"""
System calls of a server per echo, counted by strace in separate runs, since strace slows a server down.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from attrs import evolve

from echoproto.compare.results import Calls, Cell, Contestant
from echoproto.compare.run.sample import Conditions, server_of, workload_for
from echoproto.errors import EchoError
from echoproto.host.limits import pinned
from echoproto.host.serving import free_port
from echoproto.host.signals import Deadline, StopRequest
from echoproto.load.processes import run
from echoproto.load.summary import summarise
from echoproto.load.verdict import MEASURED

MESSAGES_OF_RUNS = ((500, 10), (2_000, 40))
"""Messages of two runs: the minimum, and the number per connection. Their difference excludes the calls of start and
end."""

MIN_CALLS_PER_ECHO = 0.005
"""Calls per echo below which a call is left out: an occasional call may appear in only one of the runs."""

DIGITS = 3

TRACED_END_SECONDS = 10.0
"""Time for a server under strace to end: it is slower, and strace writes its table only at the end."""


def count(
    contestant: Contestant, cell: Cell, conditions: Conditions, interruption: StopRequest, *, most: float = math.inf
) -> Calls | None:
    """
    Count the system calls of a contestant in a cell, by name.

    :param most: time limit for all runs, in seconds.
    :return: the calls, or the reason for having none; ``None`` if it was interrupted.
    """
    none = Calls(contestant.name, cell)
    strace = shutil.which("strace")
    if strace is None:
        return evolve(none, why="strace is not installed")
    short, long = (max(least, each * cell.connections) for least, each in MESSAGES_OF_RUNS)
    until = Deadline(interruption, time.monotonic() + most)
    try:
        one = _traced(strace, contestant, cell, conditions, messages=short, until=until)
        two = _traced(strace, contestant, cell, conditions, messages=long, until=until)
    except EchoError as error:
        found = evolve(none, why=str(error))
    else:
        found = evolve(none, per_echo=difference(one, two, long - short))
    return None if interruption.requested else found


def difference(one: Mapping[str, int], two: Mapping[str, int], echoes: int) -> dict[str, float]:
    """
    Return the calls per echo, the most frequent first.

    :param one: calls of a run, by name.
    :param two: calls of a longer run.
    :param echoes: number of further echoes in the longer run.
    """
    found = {name: (count - one.get(name, 0)) / echoes for name, count in two.items()}
    kept = {name: round(calls, DIGITS) for name, calls in found.items() if calls >= MIN_CALLS_PER_ECHO}
    return dict(sorted(kept.items(), key=lambda item: -item[1]))


def read_table(text: str) -> Counter[str]:
    """Read the table of ``strace -c``; return the number of calls by name."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        # % time, seconds, µs per call, calls, errors or nothing, name
        row = re.fullmatch(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)", line)
        if row and row[2] != "total":
            found[row[2]] += int(row[1])
    return found


def _traced(
    strace: str, contestant: Contestant, cell: Cell, conditions: Conditions, *, messages: int, until: Deadline
) -> Counter[str]:
    """
    Return the calls of a whole run, from start to end.

    :raise EchoError: if the server fails, can't be traced, or does not finish in time.
    """
    port = free_port()
    workload = evolve(workload_for(cell, port, conditions), duration=None, count=messages, warmup=0.0, rate=None)
    with tempfile.TemporaryDirectory() as folder:
        table = os.path.join(folder, "table")
        wrapper = (strace, "-c", "-f", "-o", table)
        with (
            server_of(
                *(contestant, cell, port, conditions, until.other),
                wrapper=wrapper,
                start_seconds=until.left,
                end_seconds=TRACED_END_SECONDS,
            ),
            pinned(conditions.client_cores),
        ):
            outcome = run(workload, interruption=until)
        if outcome.interrupted:
            raise EchoError("no time was left to count system calls")
        verdict = summarise(workload, outcome).verdict
        if verdict not in MEASURED:
            raise EchoError(f"the verdict under strace is {verdict}")
        found: Counter[str] = Counter()
        with suppress(FileNotFoundError), open(table, encoding="utf-8") as file:
            found = read_table(file.read())
    if not found:
        raise EchoError("strace reported no system calls")
    return found
