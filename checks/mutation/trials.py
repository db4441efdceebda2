"""
Tests run on mutants, each in a forked process of its own.

Foreign modules that the tests need are imported once, before the forks. Each process imports the project's own modules
anew, so that all of them see the mutant.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from enum import Enum
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from multiprocessing.connection import wait
from types import CodeType
from typing import Any, NoReturn

from attrs import frozen
from hypothesis import Phase

from checks.mutation.targets import Target

PRELOADED = (
    "click",
    "hypothesis",
    "hypothesis.stateful",
    "OpenSSL.SSL",
    "twisted.internet.tcp",
    "twisted.internet.test.reactormixins",
    "twisted.internet.testing",
    "twisted.protocols.tls",
    "twisted.trial.runner",
)
"""Modules that are slow to import. None may create a reactor, because processes would share it."""

MEMORY = 4 << 30
"""Limit of the address space of one process in bytes: an endless loop may fill a list."""

PHASES = (Phase.explicit, Phase.generate)
"""Phases of hypothesis: without shrinking of failing examples; the same few examples each time."""

FORK = multiprocessing.get_context("fork")


class Outcome(Enum):
    """Outcome of the tests with a mutant."""

    CAUGHT = "caught"
    TIMEOUT = "caught by time"
    SURVIVED = "survived"


@frozen
class Trial:
    """
    Tests to run on a mutant of a module.

    :ivar reactor: reactor of the tests.
    :ivar text: text of the mutant; the module's own to check that the tests pass.
    :ivar path: path of the module's file.
    :ivar folder: folder for files of the tests.
    """

    target: Target
    reactor: str
    text: str
    path: str
    folder: str


class _Loader(SourceFileLoader):
    """Load a text in place of a file's."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self._text, self.path, "exec", dont_inherit=True)
        return code


class _Finder(MetaPathFinder):
    """Find the mutant, and no other module."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        trial = self._trial
        if fullname != trial.target.module:
            return None
        return spec_from_file_location(fullname, trial.path, loader=_Loader(fullname, trial.path, trial.text))


def preload() -> None:
    """Import the foreign modules that the tests need, never the project's own."""
    for name in PRELOADED:
        importlib.import_module(name)
    if "twisted.internet.reactor" in sys.modules:
        raise AssertionError("a reactor was made, which all mutants would share")


def run_all(trials: Iterable[tuple[Trial, float]], jobs: int, done: Callable[[Trial, Outcome, float], None]) -> None:
    """
    Run trials in parallel.

    :param trials: trials, each with its time limit in seconds.
    :param jobs: number at a time, at least 1.
    :param done: called with each trial, its outcome, and its duration in seconds.
    """
    running: dict[int, tuple[Any, Trial, float, float]] = {}
    coming = iter(trials)
    try:
        while True:
            while len(running) < jobs and (following := next(coming, None)) is not None:
                trial, limit = following
                process = FORK.Process(target=_run, args=(trial,))
                process.start()
                running[process.sentinel] = (process, trial, time.monotonic(), limit)
            if not running:
                return
            _reap(running, done)
    finally:
        for process, *_ in running.values():
            _kill(process)


def _reap(running: dict[int, tuple[Any, Trial, float, float]], done: Callable[[Trial, Outcome, float], None]) -> None:
    """Wait for the end of a trial, or for its time limit."""
    now = time.monotonic()
    next_end = min(begun + limit for _, _, begun, limit in running.values())
    ended = wait([*running], max(0, next_end - now))
    now = time.monotonic()
    for sentinel, (process, trial, begun, limit) in [*running.items()]:
        if sentinel in ended:
            process.join()
            outcome = Outcome.CAUGHT if process.exitcode else Outcome.SURVIVED
        elif now - begun >= limit:
            outcome = Outcome.TIMEOUT
        else:
            continue
        _kill(process)  # and whatever it has started
        del running[sentinel]
        done(trial, outcome, now - begun)


def _kill(process: Any) -> None:
    """End a process and all its children, which are in its process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()  # it has not come as far as to make the group, or nothing is left of it
    process.join()


def _run(trial: Trial) -> NoReturn:
    """Run the tests in this process; its exit status is 0 if they pass."""
    status = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for fd in (1, 2):
            os.dup2(_nowhere(), fd)
        sys.meta_path.insert(0, _Finder(trial))
        status = 0 if _passes(trial) else 1
    finally:
        os._exit(status)


def _nowhere() -> int:
    return os.open(os.devnull, os.O_WRONLY)


def _passes(trial: Trial) -> bool:
    from hypothesis import settings
    from twisted.application.reactors import installReactor
    from twisted.trial.reporter import Reporter
    from twisted.trial.runner import TestLoader, TrialRunner

    importlib.import_module("tests")  # which has a profile of its own
    settings.register_profile(
        "mutation", derandomize=True, database=None, phases=PHASES, max_examples=20, deadline=None
    )
    settings.load_profile("mutation")
    installReactor(trial.reactor)
    suite = TestLoader().loadByNames([*trial.target.tests], True)
    tempfile.tempdir = tempfile.mkdtemp(dir=trial.folder)
    with open(os.devnull, "w", encoding="utf-8") as stream:
        runner = TrialRunner(
            Reporter, stream=stream, workingDirectory=os.path.join(tempfile.tempdir, "trial"), exitFirst=True
        )
        result: Any = runner.run(suite)
        return bool(result.wasSuccessful() and result.testsRun)
