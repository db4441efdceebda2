"""
All mutants of one module, each tried on each reactor until it is caught.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from checks.mutation import trials
from checks.mutation.mutants import mutants_of
from checks.mutation.targets import Target
from checks.mutation.trials import Outcome, Trial

SPARE_SECONDS = 5.0
"""Seconds that tests may take with a mutant, in addition to `TIME_FACTOR` their usual time."""

TIME_FACTOR = 4
"""Factor of the tests' usual time that they may take with a mutant."""

MAX_SECONDS = 600.0
"""Time limit in seconds for the tests without a mutant."""


class TestsFail(Exception):
    """Tests fail without any change; given is the reactor that they fail on."""


class Run:
    """
    Tries the mutants of a module.

    :param target: the module, and its tests.
    :param root: the project's folder.
    :param folder: folder for files of the tests.
    :param jobs: number of them that run at a time.
    :param spare: seconds that tests may take with a mutant, in addition to `TIME_FACTOR` their usual time.
    :param progress: called with the number of tried mutants, and of all.

    :ivar mutants: all of them.
    :ivar outcomes: outcome of each, by its text.
    """

    def __init__(
        self,
        target: Target,
        root: str,
        folder: str,
        *,
        jobs: int,
        spare: float = SPARE_SECONDS,
        progress: Callable[[int, int], None] = lambda tried, of: None,
    ) -> None:
        self._target = target
        self._path = os.path.join(root, target.path)
        self._folder = folder
        self._jobs = jobs
        self._spare = spare
        self._progress = progress
        with open(self._path, encoding="utf-8") as file:
            self._text = file.read()
        self.mutants = mutants_of(self._text)
        self.outcomes: dict[str, Outcome] = {}

    def run(self) -> None:
        """
        Run the tests on each mutant.

        :raise TestsFail: if they fail without one.
        """
        for reactor in self._target.reactors:
            limit = self._spare + TIME_FACTOR * self._seconds_without_mutant(reactor)
            left = [each.text for each in self.mutants if self.outcomes.get(each.text) in {None, Outcome.SURVIVED}]
            trials.run_all(((self._trial(text, reactor), limit) for text in left), self._jobs, self._done)

    def _trial(self, text: str, reactor: str) -> Trial:
        return Trial(self._target, reactor, text, self._path, self._folder)

    def _seconds_without_mutant(self, reactor: str) -> float:
        ended: list[tuple[Outcome, float]] = []
        trial = self._trial(self._text, reactor)
        trials.run_all([(trial, MAX_SECONDS)], 1, lambda _, outcome, seconds: ended.append((outcome, seconds)))
        [(outcome, seconds)] = ended
        if outcome is not Outcome.SURVIVED:
            raise TestsFail(reactor)
        return seconds

    def _done(self, trial: Trial, outcome: Outcome, seconds: float) -> None:
        self.outcomes[trial.text] = outcome
        self._progress(len(self.outcomes), len(self.mutants))
