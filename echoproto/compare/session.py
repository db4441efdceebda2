"""
One use of ``echoproto compare``, from its options to the exit status.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from attrs import define, frozen
from rich.console import Console

from echoproto.compare import calls, limits, measuring
from echoproto.compare.certificate import make_pem
from echoproto.compare.contestants import Entry, catalogue
from echoproto.compare.environment import environment
from echoproto.compare.measuring import Conditions
from echoproto.compare.options import Options, chosen
from echoproto.compare.plan import COUNTING, Plan, estimate, fitted
from echoproto.compare.planfile import read_plan
from echoproto.compare.presets import preset
from echoproto.compare.progress import Board, Lines, Silence, show_left
from echoproto.compare.results import Calls, Cell, Contestant, Results, Sample, document
from echoproto.compare.rounds import Rounds, sort_out
from echoproto.errors import ConfigurationError, EchoError
from echoproto.load.address import descriptors
from echoproto.load.errors import GOOD, INTERRUPTED, UNREACHABLE
from echoproto.load.interruption import Interruption
from echoproto.load.processes import Asking
from echoproto.reactors.choice import auto_name


class NothingMeasured(EchoError):
    """No contestant could be measured in any cell."""

    exit_status = UNREACHABLE


@frozen(kw_only=True)
class Task:
    """
    What is asked for.

    :ivar preset: name of a plan; ignored if there is a file.
    :ivar file: with a plan of one's own, or ``None``.
    :ivar seed: of the order of rounds, and of all that the generator draws.
    :ivar command: exactly what was typed.
    """

    preset: str
    file: str | None
    options: Options
    seed: int
    command: str


@define
class _Measuring:
    """Takes samples and counts calls, as `echoproto.compare.rounds.Measuring`."""

    conditions: Conditions
    interruption: Asking

    def sample(self, contestant: Contestant, cell: Cell, number: int, most: float) -> Sample | None:
        return measuring.measure(contestant, cell, number, self.conditions, self.interruption, most=most)

    def calls(self, contestant: Contestant, cell: Cell) -> Calls | None:
        return calls.count(contestant, cell, self.conditions, self.interruption)


def planned(task: Task) -> tuple[Plan, tuple[Entry, ...]]:
    """
    The plan that is asked for, and its contestants.

    :raise ConfigurationError: if it can't be meant.
    """
    if task.file is None:
        return chosen(task.options, preset(task.preset, auto_name()), catalogue())
    found = read_plan(task.file)
    return chosen(task.options, found.plan, catalogue(), found.commands)


def measure(task: Task, view: Silence, interruption: Asking) -> Results:
    """
    Measure all that is asked for.

    :raise EchoError: if that can't be meant, or this machine does not allow it.
    """
    plan, entries = planned(task)
    machine = limits.machine()
    limits.check(plan.cells, machine.descriptors)
    pairs, impossible = sort_out(plan, entries, machine)
    for sample in impossible:
        view.say(f"{sample.contestant}: not possible, because {sample.why}")
    wanted = plan.rounds
    seconds = sum(estimate(pair.cell, plan, pair.entry.connecting) for pair in pairs)
    counted = len([pair for pair in pairs if pair.cell == plan.cells[0]]) if plan.calls else 0
    plan = fitted(plan, seconds, counted)
    view.say(_announcement(plan, wanted, seconds * plan.rounds + counted * COUNTING))
    cores = limits.cores()
    with _conditions(plan, task.seed, cores) as conditions, descriptors(_most(plan)):
        measured = _Measuring(conditions, interruption)
        rounds = Rounds(plan, pairs, task.seed, measured, interruption, view)
        rounds.run()
    return Results(
        preset=plan.preset,
        baseline=plan.baseline,
        seed=task.seed,
        rounds=plan.rounds,
        duration=plan.duration,
        command=task.command,
        environment=environment(cores),
        contestants=tuple(entry.contestant(plan.cells[0].transport) for entry in entries),
        cells=plan.cells,
        samples=(*impossible, *rounds.samples),
        calls=tuple(rounds.calls),
        partial=rounds.partial,
    )


def _announcement(plan: Plan, wanted: int, seconds: float) -> str:
    """What is going to be done, and how long it takes."""
    samples = f"{len(plan.contestants)} contestants in {len(plan.cells)} cells, {plan.rounds} rounds"
    cut = f" (of {wanted}: the budget is {show_left(plan.budget or 0)})" if plan.rounds < wanted else ""
    return f"{plan.preset or 'plan'}: {samples}{cut}, about {show_left(seconds)}"


def _most(plan: Plan) -> int:
    return max(cell.connections + cell.idle for cell in plan.cells)


@contextmanager
def _conditions(plan: Plan, seed: int, cores: tuple[tuple[int, ...], tuple[int, ...]] | None) -> Iterator[Conditions]:
    """How samples are taken; a certificate is there for as long."""
    server_cores, client_cores = cores or (None, None)
    with ExitStack() as stack:
        pem = ""
        if any(cell.transport == "tls" for cell in plan.cells):
            pem = os.path.join(stack.enter_context(tempfile.TemporaryDirectory(prefix="echoproto-")), "pem")
            with open(pem, "wb", opener=lambda path, flags: os.open(path, flags, mode=0o600)) as file:
                file.write(make_pem())
        yield Conditions(
            duration=plan.duration,
            warmup=plan.warmup,
            seed=seed,
            server_cores=server_cores,
            client_cores=client_cores,
            pem=pem,
        )


def run(task: Task, output: str, *, quiet: bool) -> int:
    """
    Measure all that is asked for, and tell it.

    :param output: a folder.
    :param quiet: whether there is no progress, and no table.
    :return: the exit status.
    :raises EchoError: if there is nothing to report.
    """
    check_writable(output)
    with Interruption() as interruption:
        try:
            with _view(quiet=quiet) as view:
                results = measure(task, view, interruption)
        except KeyboardInterrupt:
            return INTERRUPTED
    if not any(sample.echoes_per_second for sample in results.samples) and not results.partial:
        why = results.samples[0].why if results.samples else "there was nothing to measure"
        raise NothingMeasured(f"not one contestant could be measured: {why}")
    tell(results, output, quiet=quiet)
    return INTERRUPTED if results.partial else GOOD


def _view(*, quiet: bool) -> Silence:
    """What shows how it goes, on standard error."""
    console = Console(stderr=True, highlight=False)
    if quiet:
        return Silence()
    return Board(console) if console.is_terminal else Lines(console)


def check_writable(folder: str) -> None:
    """Say at once, not after the run, that results could not be written."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--output {folder}: can't be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise ConfigurationError(f"--output {folder}: can't be written to")


def tell(results: Results, folder: str, *, quiet: bool) -> None:
    """Write and print all that is to be said."""
    with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as file:
        json.dump(document(results), file, indent=1)
