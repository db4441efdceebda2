"""
The rounds of a plan: samples in random order, as long as the time budget lasts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from random import Random
from typing import Protocol

from attrs import define, field, frozen

from echoproto.compare.plan.contestants import Entry
from echoproto.compare.plan.plan import COUNTING, Plan, estimate
from echoproto.compare.results import NOT_POSSIBLE, Calls, Cell, Contestant, Sample
from echoproto.host.limits import Machine
from echoproto.load.verdict import MEASURED
from echoproto.progress import Progress, State


@frozen
class Pair:
    """One contestant in one cell."""

    entry: Entry
    cell: Cell

    @property
    def contestant(self) -> Contestant:
        """The contestant as recorded in results."""
        return self.entry.contestant(self.cell.transport)


class Measuring(Protocol):
    """Measurement of samples and system calls, as in `echoproto.compare.run.sample` and `.syscalls`."""

    def sample(self, contestant: Contestant, cell: Cell, number: int, most: float) -> Sample | None:
        """Take one sample of a round, within ``most`` seconds; return ``None`` if it was interrupted."""

    def calls(self, contestant: Contestant, cell: Cell, most: float) -> Calls | None:
        """Count the system calls in a cell, within ``most`` seconds; return ``None`` if it was interrupted."""


def split_by_feasibility(plan: Plan, entries: tuple[Entry, ...], machine: Machine) -> tuple[list[Pair], list[Sample]]:
    """
    Separate the pairs that can be measured from those that can't, which become samples with the reason.

    :param entries: the entries of the plan's contestants.
    """
    pairs, impossible = [], []
    for cell in plan.cells:
        for entry in entries:
            why = entry.cannot(cell, machine)
            if why:
                sample = Sample(contestant=entry.name, cell=cell, round=0, verdict=NOT_POSSIBLE, why=why)
                impossible.append(sample)
            else:
                pairs.append(Pair(entry, cell))
    return pairs, impossible


def order(pairs: list[Pair], seed: int, number: int) -> list[Pair]:
    """
    Return the order of a round: cells in random order, and within each cell all contestants in random order.

    So other activity of the machine affects all compared contestants alike, and none always comes first.
    """
    random = Random(f"{seed}/{number}")  # noqa: S311 - must be reproducible, not secret
    cells = list(dict.fromkeys(pair.cell for pair in pairs))
    random.shuffle(cells)
    found = []
    for cell in cells:
        found += random.sample(among := [pair for pair in pairs if pair.cell == cell], len(among))
    return found


@define
class Rounds:
    """
    Take the samples of a plan.

    :ivar samples: samples taken so far.
    :ivar calls: system calls counted so far.
    :ivar partial: true if an interruption ended the rounds early.
    :ivar rounds: number of complete rounds.
    """

    plan: Plan
    pairs: list[Pair]
    seed: int
    measuring: Measuring
    progress: Progress
    clock: Callable[[], float] = time.monotonic
    samples: list[Sample] = field(factory=list)
    calls: list[Calls] = field(factory=list)
    partial: bool = False
    rounds: int = 0
    _begun: float = 0.0
    _took: dict[Pair, float] = field(factory=dict)

    def run(self) -> None:
        """Take all rounds that fit into the budget, then count system calls."""
        self._begun = self.clock()
        for number in range(self.plan.rounds):
            if not self._round(number):
                break
            self.rounds = number + 1
        if self.plan.calls and not self.partial:
            self._count()

    @property
    def _done(self) -> float:
        return self.clock() - self._begun

    def _round(self, number: int) -> bool:
        """Take a round; return true if it is complete."""
        todo = order(self.pairs, self.seed, number)
        for index, pair in enumerate(todo):
            if pair not in self.pairs:
                continue  # its contestant has failed in this round
            rest = sum(map(self._seconds, todo[index:]))
            left = rest + (self.plan.rounds - number - 1) * sum(map(self._seconds, self.pairs)) + self._counting
            if not self._affordable(self._seconds(pair) + self._counting):
                self.progress.note(f"the budget is spent in round {number + 1} of {self.plan.rounds}, which ends here")
                return False
            what = f"round {number + 1} of {self.plan.rounds}: {pair.entry.name}"
            self.progress.show(State(what=what, elapsed=self._done, left=left))
            begun = self.clock()
            sample = self.measuring.sample(pair.contestant, pair.cell, number, self._most)
            if sample is None:
                self.partial = True
                return False
            self._took[pair] = self.clock() - begun
            self.samples.append(sample)
            self._drop(pair, sample)
        return True

    def _drop(self, pair: Pair, sample: Sample) -> None:
        """Exclude a failed contestant from this cell, or from all cells if it did not even start."""
        if sample.verdict in MEASURED:
            return
        self.progress.note(f"{pair.entry.name}: {sample.verdict}: {sample.why}")
        everywhere = sample.idle_rss_bytes is None and sample.verdict != NOT_POSSIBLE
        self.pairs = [other for other in self.pairs if other != pair and not (everywhere and other.entry == pair.entry)]

    def _seconds(self, pair: Pair) -> float:
        """Estimate the duration of a sample in seconds, from the last sample of the pair."""
        return self._took.get(pair) or estimate(pair.cell, self.plan, pair.entry.connecting)

    @property
    def _most(self) -> float:
        """Remaining seconds of the budget."""
        return math.inf if self.plan.budget is None else self.plan.budget - self._done

    def _affordable(self, seconds: float) -> bool:
        return seconds <= self._most

    @property
    def _counting(self) -> float:
        return COUNTING * len(self._counted()) if self.plan.calls else 0.0

    def _counted(self) -> list[Pair]:
        return [pair for pair in self.pairs if pair.cell == self.plan.cells[0]]

    def _count(self) -> None:
        todo = self._counted()
        for index, pair in enumerate(todo):
            if not self._affordable(COUNTING):
                self.progress.note("the budget is spent before all system calls were counted")
                return
            left = COUNTING * (len(todo) - index)
            self.progress.show(State(what=f"counting system calls: {pair.entry.name}", elapsed=self._done, left=left))
            calls = self.measuring.calls(pair.contestant, pair.cell, self._most)
            if calls is None:
                self.partial = True
                return
            self.calls.append(calls)
