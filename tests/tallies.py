"""
The output of a part of the suite, as trial and pytest write it: how far it is, what it came to, and what failed.
"""

from __future__ import annotations

import re

from attrs import define, frozen

TEST_OF_TRIAL = re.compile(r"\[(?:OK|FAIL|ERROR|SKIPPED|TODO)\]$", re.MULTILINE)
"""The end of a line about one test; longer lines of the list of failures that follows begin with it."""

TEST_OF_PYTEST = re.compile(r"^\S+::\S+ (?:PASSED|FAILED|SKIPPED|XFAIL)", re.MULTILINE)

LAST_LINES = 40
"""Lines of the output to show of a part that ended without saying what failed."""


@define
class Tally:
    """Tests of the suite, or of a part of it."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@frozen
class Problem:
    """
    A test that failed, or was skipped.

    :ivar name: of the test.
    :ivar text: its traceback, or why it was skipped.
    """

    name: str
    text: str


def read_trial(output: str) -> Tally:
    """Read the closing lines of trial, such as ``FAILED (skips=1, failures=1, errors=2, successes=9)``."""
    closing = re.findall(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", output, re.MULTILINE)
    counts = {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", closing[-1] if closing else "")}
    return Tally(
        counts.get("successes", 0), counts.get("failures", 0) + counts.get("errors", 0), counts.get("skips", 0)
    )


def read_pytest(output: str) -> Tally:
    """Read the closing line of pytest, such as ``1 failed, 9 passed, 1 skipped in 3.21s``."""
    closing = re.findall(r"^=*\s?((?:\d+ \w+(?:, )?)+) in \d", output, re.MULTILINE)
    counts = {name: int(count) for count, name in re.findall(r"(\d+) (\w+)", closing[-1] if closing else "")}
    failed = counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0)
    return Tally(counts.get("passed", 0), failed, counts.get("skipped", 0))


def count_trial(output: str) -> int:
    """Count the tests that trial has run until now."""
    return len(TEST_OF_TRIAL.findall(output.partition("\n====")[0]))


def count_pytest(output: str) -> int:
    """Count the tests that pytest has run until now."""
    return len(TEST_OF_PYTEST.findall(output))


def problems_of_trial(output: str) -> tuple[list[Problem], list[Problem]]:
    """
    Read what failed, and what was skipped.

    Trial ends with a block for each, of a line of ``=``, the kind in brackets, the text, and the names of the tests.
    """
    failed, skipped = [], []
    blocks = re.split(r"^={60,}\n", output.rpartition("\n-------")[0], flags=re.MULTILINE)[1:]
    for block in blocks:
        kind, _, rest = block.partition("\n")
        text, _, names = rest.strip("\n").rpartition("\n\n")
        found = [Problem(name, text) for name in names.splitlines()]
        if kind == "[SKIPPED]":
            skipped += found
        elif kind in {"[FAIL]", "[ERROR]"}:
            failed += found
    return failed, skipped


def problems_of_pytest(output: str) -> tuple[list[Problem], list[Problem]]:
    """
    Read what failed, and what was skipped.

    Before its summary, pytest has a section for each failure, with a title between lines of ``_``.
    """
    failed, skipped = [], []
    whole, _, summary = output.partition(" short test summary info ")
    for section in re.split(r"^_{3,} (?=\S)", whole, flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        text = re.split(r"^={3,} ?[A-Z ]*={3,}$|^={3,}$", text, flags=re.MULTILINE)[0]
        failed.append(Problem(title.strip("_ "), text.strip("\n")))
    for place, why in re.findall(r"^SKIPPED \[\d+\] (\S+): (.*)$", summary, re.MULTILINE):
        skipped.append(Problem(place, why))
    return failed, skipped


def last_lines(output: str) -> str:
    """The end of an output that names no failure, as of a process that was killed."""
    return "\n".join(output.rstrip("\n").splitlines()[-LAST_LINES:])
