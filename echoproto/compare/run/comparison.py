"""
A comparison: it makes a plan, fits it to this machine and to the time budget, and measures it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from attrs import define, evolve, frozen
from typing_extensions import override

from echoproto.compare.plan.contestants import Entry, catalogue
from echoproto.compare.plan.file import read_plan
from echoproto.compare.plan.options import Options, chosen
from echoproto.compare.plan.plan import COUNTING, Plan, estimate, fitted
from echoproto.compare.plan.presets import preset
from echoproto.compare.results import Calls, Cell, Contestant, Results, Sample
from echoproto.compare.run import sample, syscalls
from echoproto.compare.run.certificate import make_pem
from echoproto.compare.run.rounds import Measuring, Pair, Rounds, split_by_feasibility
from echoproto.compare.run.sample import Conditions
from echoproto.errors import ConfigurationError
from echoproto.host.environment import environment
from echoproto.host.limits import SPARE_DESCRIPTORS, Cores, Machine, cores, descriptors, local_ports, machine
from echoproto.host.signals import StopRequest
from echoproto.load.address import ROTATION_THRESHOLD
from echoproto.load.errors import ClientLimit
from echoproto.load.memory import needed, show_memory
from echoproto.progress import Progress, show_left
from echoproto.reactors.selection import auto_name
from echoproto.units import counted, show_size


@frozen(kw_only=True)
class Task:
    """
    A requested comparison.

    :ivar preset: name of a preset; ignored if there is a plan file.
    :ivar file: path of a plan file, or ``None``.
    :ivar seed: seed of the order of rounds, and of the load generator.
    :ivar command: the command line as typed.
    """

    preset: str
    file: str | None
    options: Options
    seed: int
    command: str


@frozen(kw_only=True)
class Prepared:
    """
    A comparison that is ready to begin.

    :ivar pairs: the pairs to measure once in each round.
    :ivar results: the results before any measurement.
    :ivar announcement: a line about the plan and its duration.
    """

    plan: Plan
    pairs: list[Pair]
    results: Results
    cores: Cores | None
    announcement: str


@define
class Measurement(Measuring):
    """Measure real servers under real loads."""

    conditions: Conditions
    interruption: StopRequest

    @override
    def sample(self, contestant: Contestant, cell: Cell, number: int, most: float) -> Sample | None:
        return sample.measure(contestant, cell, number, self.conditions, self.interruption, most=most)

    @override
    def calls(self, contestant: Contestant, cell: Cell, most: float) -> Calls | None:
        return syscalls.count(contestant, cell, self.conditions, self.interruption, most=most)


def planned(task: Task) -> tuple[Plan, tuple[Entry, ...]]:
    """
    Return the plan of a task, and its contestants.

    :raise ConfigurationError: if the plan is invalid.
    """
    if task.file is None:
        return chosen(task.options, preset(task.preset, auto_name()), catalogue())
    found = read_plan(task.file)
    return chosen(task.options, found.plan, catalogue(), found.commands)


def prepare(task: Task) -> Prepared:
    """
    Fit a task to this machine and to its time budget.

    :raise EchoError: if the plan is invalid, or this machine can't run it.
    """
    asked, entries = planned(task)
    limits = machine()
    _check_generator(asked.cells, limits)
    pairs, impossible = split_by_feasibility(asked, entries, limits)
    seconds = sum(estimate(pair.cell, asked, pair.entry.connecting) for pair in pairs)
    counted = len([pair for pair in pairs if pair.cell == asked.cells[0]]) if asked.calls else 0
    plan = fitted(asked, seconds, counted)
    pinned_to = cores()
    results = Results(
        preset=plan.preset,
        baseline=plan.baseline,
        seed=task.seed,
        rounds=plan.rounds,
        duration_seconds=plan.duration,
        command=task.command,
        environment=environment(pinned_to),
        contestants=tuple(entry.contestant(plan.cells[0].transport) for entry in entries),
        cells=plan.cells,
        samples=tuple(impossible),
    )
    announcement = _announcement(plan, asked.rounds, seconds * plan.rounds + counted * COUNTING)
    return Prepared(plan=plan, pairs=pairs, results=results, cores=pinned_to, announcement=announcement)


def _check_generator(cells: Iterable[Cell], limits: Machine) -> None:
    """
    Check that this machine has the resources for the generator in all cells.

    :raise ConfigurationError: if the memory is too small for the messages of a cell.
    :raise ClientLimit: if descriptors or ports don't suffice; the message gives the command to raise the limit.
    """
    for cell in cells:
        needed_memory = needed(sample.workload_for(cell, 0, Conditions()))
        if needed_memory > limits.memory:
            raise ConfigurationError(
                f"{counted(cell.connections, 'connection')} with messages of {show_size(cell.size_bytes)} need up to "
                f"{show_memory(needed_memory)} of memory, and {show_memory(limits.memory)} are available: use smaller "
                "--sizes or fewer --connections"
            )
    most = max(cell.connections + cell.idle for cell in cells)
    wanted = most + SPARE_DESCRIPTORS
    if wanted > limits.descriptors:
        raise ClientLimit(
            f"{most:,} connections need {wanted:,} descriptors, and a process may have {limits.descriptors:,}: raise "
            f"the hard limit (ulimit -Hn {wanted}, as root; or LimitNOFILE= of systemd), or use fewer --connections "
            "and --idle"
        )
    ports = local_ports()
    if ports is not None and ports < most <= ROTATION_THRESHOLD:
        raise ClientLimit(
            f"{most:,} connections need as many ephemeral ports, and there are {ports:,}: "
            "sysctl -w net.ipv4.ip_local_port_range='32768 60999', or use fewer --connections and --idle"
        )


def _announcement(plan: Plan, wanted: int, seconds: float) -> str:
    contestants, cells = counted(len(plan.contestants), "contestant"), counted(len(plan.cells), "load")
    rounds = counted(plan.rounds, "round")
    cut = f" (of {wanted}: more would not fit into {show_left(plan.budget or 0)})" if plan.rounds < wanted else ""
    return f"{contestants} under {cells}, {rounds}{cut}: about {show_left(seconds)}"


def measure(prepared: Prepared, progress: Progress, interruption: StopRequest) -> Results:
    """Measure until the end, or an interruption; the results hold all samples taken by then."""
    plan, before = prepared.plan, prepared.results
    for text in dict.fromkeys(f"{each.contestant}: not possible, because {each.why}" for each in before.samples):
        progress.note(text)
    progress.note(prepared.announcement)
    most = max(cell.connections + cell.idle for cell in plan.cells)
    # Child processes inherit this limit, so servers need not raise it themselves.
    with _conditions(plan, before.seed, prepared.cores) as conditions, descriptors(most):
        rounds = Rounds(plan, prepared.pairs, before.seed, Measurement(conditions, interruption), progress)
        rounds.run()
    return evolve(before, samples=(*before.samples, *rounds.samples), calls=tuple(rounds.calls), partial=rounds.partial)


@contextmanager
def _conditions(plan: Plan, seed: int, cores: Cores | None) -> Iterator[Conditions]:
    """Provide the conditions of samples; their certificate exists until the end of this context."""
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
            server_cores=(cores.server,) if cores else None,
            client_cores=(cores.client,) if cores else None,
            pem=pem,
        )
