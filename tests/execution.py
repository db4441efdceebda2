"""
The execution of the suite's parts, each in a process of its own: several at once, with progress, and a report.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

from attrs import field, frozen

from tests.tallies import (
    Problem,
    Tally,
    count_pytest,
    count_trial,
    last_lines,
    problems_of_pytest,
    problems_of_trial,
    read_pytest,
    read_trial,
)

EMULATION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "emulation")

LEAST = {"trial": 50, "pytest": 200, "pytest-twisted": 4}
"""Minimum number of tests of each part, since trial accepts none."""

READERS = {
    "trial": (count_trial, read_trial, problems_of_trial),
    "pytest": (count_pytest, read_pytest, problems_of_pytest),
    "pytest-twisted": (count_pytest, read_pytest, problems_of_pytest),
}
"""Readers of each kind of part's output: the tests until now, the final count, and the problems."""

OUTPUT = "_suite"
"""Folder for the output of each part."""

LOOK_SECONDS = 0.5
TERMINAL_SECONDS, LOG_SECONDS = 2, 60
"""Seconds between two lines of progress: at a terminal, where one replaces the other, and elsewhere."""

ERASE = "\r\x1b[2K"
"""Control sequence that clears a terminal's line."""


@frozen
class Part:
    """
    A part of the suite that is run in a process of its own.

    :ivar kind: test runner: ``trial``, ``pytest`` or ``pytest-twisted``.
    :ivar name: of its reactor, or one of those above.
    :ivar arguments: of Python.
    :ivar reactor: reactor, unless it is Twisted's default.
    """

    kind: str
    name: str
    arguments: str
    reactor: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def __format__(self, width: str) -> str:
        return format(str(self), width)

    @property
    def path(self) -> str:
        """Path of its output."""
        return os.path.join(OUTPUT, f"{self.kind}-{self.name}.txt")

    def output(self) -> str:
        """Its output until now."""
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return file.read()


def environment_for(name: str) -> dict[str, str]:
    """The environment of a process that is to run on a reactor: on Linux, kqueue has to be emulated."""
    environment = dict(os.environ)
    if name == "kqueue" and sys.platform.startswith("linux"):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [EMULATION, environment.get("PYTHONPATH", "")]))
    return environment


@frozen
class Ended:
    """
    A part that was run.

    :ivar tally: of its tests; what it lacks, and in CI each skipped test, counts as failed.
    """

    part: Part
    tally: Tally
    failed: list[Problem]
    skipped: list[Problem]


@frozen
class Running:
    """
    A part that runs.

    :ivar begun: when, by the monotonic clock.
    """

    part: Part
    process: subprocess.Popen[bytes]
    begun: float = field(factory=time.monotonic)

    @classmethod
    def start(cls, part: Part) -> Running:
        """Start a part in a process of its own."""
        with open(part.path, "wb") as file:
            return cls(
                part,
                subprocess.Popen(
                    [sys.executable, "-u", *part.arguments.split()],
                    env=environment_for(part.reactor),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                ),
            )

    @property
    def seconds(self) -> float:
        """For how long it runs."""
        return time.monotonic() - self.begun

    def __str__(self) -> str:
        return f"{self.part} {READERS[self.part.kind][0](self.part.output())}"

    def end(self) -> Ended:
        """Read what it has come to, when its process has ended."""
        _, read_tally, read_problems = READERS[self.part.kind]
        output = self.part.output()
        tally, (failed, skipped) = read_tally(output), read_problems(output)
        if os.environ.get("CI"):
            failed += [Problem(each.name, f"It may not be skipped in CI: {each.text}") for each in skipped]
            tally.failed += tally.skipped
        if tally.passed < LEAST[self.part.kind] and not tally.failed:
            failed.append(Problem(str(self.part), f"{tally.passed} tests are too few\n{last_lines(output)}"))
            tally.failed += 1
        if self.process.returncode and not tally.failed:
            why = f"exit status {self.process.returncode}"
            failed.append(Problem(str(self.part), f"{why}\n{last_lines(output)}"))
            tally.failed += 1
        return Ended(self.part, tally, failed, skipped)


class Board:
    """Shows how far the parts are: at a terminal in one line, which the next replaces."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._every = TERMINAL_SECONDS if self._terminal else LOG_SECONDS
        self._begun = time.monotonic()
        self._due = self._begun + self._every

    def tell(self, line: str) -> None:
        """Print a line that stays."""
        print(f"{ERASE if self._terminal else ''}{line}", flush=True)

    def show(self, running: list[Running], waiting: int) -> None:
        """Print the progress, if it is time to."""
        now = time.monotonic()
        if not running or now < self._due:
            return
        self._due = now + self._every
        line = f"{now - self._begun:6.0f} s  {', '.join(map(str, running))} tests; {waiting} parts wait"
        if self._terminal:
            print(f"{ERASE}{line[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
        else:
            print(line, flush=True)


def run(waiting: list[Part], jobs: int) -> Iterator[Ended]:
    """
    Run parts, and show how far they are; gives each when it has ended.

    :param jobs: number that run at once.
    """
    running: list[Running] = []
    board = Board()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(Running.start(waiting.pop(0)))
                board.tell(f"{running[-1].part:<25} begins")
            time.sleep(LOOK_SECONDS)
            for each in [each for each in running if each.process.poll() is not None]:
                running.remove(each)
                ended = each.end()
                word = "FAILED" if ended.tally.failed else "passed"
                board.tell(f"{each.part:<25} {word}  {each.seconds:6.1f} s  {ended.tally}")
                yield ended
            board.show(running, len(waiting))
    finally:
        for each in running:
            os.killpg(each.process.pid, signal.SIGTERM)  # with the servers that its tests have started
            each.process.wait()


def report(ended: list[Ended]) -> None:
    """Print what was skipped, what failed, with tracebacks, and where to find more."""
    reasons = Counter(problem.text for each in ended for problem in each.skipped)
    for reason, count in reasons.most_common():
        print(f"skipped {count:>3}: {reason}")
    for each in ended:
        for problem in each.failed:
            print(f"\nFAILED {each.part}: {problem.name}\n{problem.text}")
    print()
    for each in ended:
        if each.failed or each.tally.failed:
            print(f"{each.part}: {each.tally.failed} failed, all of its output is in {each.part.path}")
            for problem in each.failed:
                print(f"    {problem.name}")
