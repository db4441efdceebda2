"""
System calls of a server for each echo, counted by strace in a run of its own, which they slow down.
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

PER_CONNECTION = (10, 40)
"""Messages on each connection in two runs: what they differ in is of the messages alone, and not of the start."""

FEWEST = (500, 2_000)
"""Messages in each of them, at the least."""

LEAST = 0.005
"""Calls per echo below which it was one that is made now and then, by chance in one run and not in the other."""

DIGITS = 3

TRACED_END_SECONDS = 10.0
"""Time that a server under strace has to end: it is slower then, and its calls are only written when it has ended."""


def count(
    contestant: Contestant, cell: Cell, conditions: Conditions, interruption: StopRequest, *, most: float = math.inf
) -> Calls | None:
    """
    Count the system calls of a contestant in a cell, by name.

    :param most: seconds in which all of it has to be done.
    :return: they, or why they could not be counted; ``None`` if it was interrupted.
    """
    none = Calls(contestant.name, cell)
    strace = shutil.which("strace")
    if strace is None:
        return evolve(none, why="strace is not installed")
    few, many = (max(least, each * cell.connections) for least, each in zip(FEWEST, PER_CONNECTION, strict=True))
    until = Deadline(interruption, time.monotonic() + most)
    try:
        one = _traced(strace, contestant, cell, conditions, messages=few, until=until)
        two = _traced(strace, contestant, cell, conditions, messages=many, until=until)
    except EchoError as error:
        found = evolve(none, why=str(error))
    else:
        found = evolve(none, per_echo=difference(one, two, many - few))
    return None if interruption.requested else found


def difference(one: Mapping[str, int], two: Mapping[str, int], echoes: int) -> dict[str, float]:
    """
    Calls per echo, the most frequent first.

    :param one: calls of a run, by name.
    :param two: those of a run with so many more echoes.
    """
    found = {name: (count - one.get(name, 0)) / echoes for name, count in two.items()}
    kept = {name: round(calls, DIGITS) for name, calls in found.items() if calls >= LEAST}
    return dict(sorted(kept.items(), key=lambda item: -item[1]))


def read_table(text: str) -> Counter[str]:
    """Calls by name, of what ``strace -c`` has written."""
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
    Calls of a whole run, from start to end.

    :raise EchoError: if the server fails, can't be traced, or is not done in time.
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
            raise EchoError("there was no time left to count them")
        verdict = summarise(workload, outcome).verdict
        if verdict not in MEASURED:
            raise EchoError(f"under strace, it is {verdict}")
        found: Counter[str] = Counter()
        with suppress(FileNotFoundError), open(table, encoding="utf-8") as file:
            found = read_table(file.read())
    if not found:
        raise EchoError("strace has told nothing")
    return found
