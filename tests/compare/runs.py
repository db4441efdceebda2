"""Made-up comparisons of known truth, as what judges, prints and draws them needs some."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from attrs import evolve, field, frozen

from echoproto.compare.results import NOT_POSSIBLE, Calls, Cell, Contestant, Results, Sample
from echoproto.load.verdict import LoadVerdict

SPECTRUM_SHARES = (0.0, 50.0, 75.0, 90.0, 99.0, 99.9, 99.99, 100.0)

ENVIRONMENT: dict[str, str | int] = {
    "date": "2026-01-01T00:00:00+00:00",
    "cpu": "made up",
    "cores": 2,
    "kernel": "Linux 6.18",
    "python": "CPython 3.11.2",
    "twisted": "26.4.0",
}


@frozen
class Truth:
    """
    What is true of one contestant.

    :ivar group: whose it is.
    :ivar rate: echoes a second that it makes of one core, with nobody idle.
    :ivar idle: by how many times it gets slower for each 1,000 idle connections: 0 for not at all.
    :ivar most: connections that it can hold; ``None`` for any number.
    :ivar memory: bytes of each connection.
    :ivar calls: of the system, for each echo.
    """

    group: str
    rate: float
    idle: float = 0.0
    most: int | None = None
    memory: int = 2_500
    calls: Mapping[str, float] = field(factory=dict)

    def rate_in(self, cell: Cell) -> float:
        """Echoes a second in a cell, on the average."""
        return self.rate / (1 + self.idle * cell.idle / 1_000) / (1 + cell.size_bytes / 30_000)


STOCK = {"recv": 1.0, "epoll_ctl": 2.0, "epoll_wait": 2.0, "send": 1.0}
AT_ONCE = {"recv": 1.0, "epoll_wait": 1.0, "send": 1.0}

TRUTHS = {
    "echo-lean-epoll": Truth("echoproto", 150_000, calls=AT_ONCE),
    "echo-epoll": Truth("echoproto", 107_000, calls=AT_ONCE),
    "echo-poll": Truth("echoproto", 110_000, 1.6, calls={"recv": 1.0, "poll": 1.0, "send": 1.0}),
    "echo-select": Truth("echoproto", 112_000, 1.8, 1_024, calls={"recv": 1.0, "select": 1.0, "send": 1.0}),
    "twisted-epoll": Truth("twisted", 62_000, calls=STOCK),
    "twisted-poll": Truth("twisted", 66_000, 1.2, calls={"recv": 1.0, "poll": 2.0, "send": 1.0}),
    "asyncio-protocol": Truth("asyncio", 129_000, memory=1_800, calls=AT_ONCE),
    "uvloop-protocol": Truth("uvloop", 158_000, memory=1_500, calls=AT_ONCE),
    "threads": Truth("socketserver", 45_000, most=5_000, memory=18_000, calls={"recvfrom": 1.0, "sendto": 1.0}),
}
"""As such things were measured once."""

CELLS = tuple(Cell(idle=idle) for idle in (0, 100, 1_000, 10_000))


def run(
    truths: Mapping[str, Truth] = TRUTHS,
    cells: Sequence[Cell] = CELLS,
    *,
    rounds: int = 7,
    noise: float = 0.01,
    drift: float = 0.05,
    seed: int = 1,
    baseline: str = "twisted-epoll",
) -> Results:
    """
    A whole run.

    :param noise: standard deviation of the logarithm of what each sample has for itself.
    :param drift: the same of what all samples of a round share.
    """
    random = Random(seed)
    samples = []
    for number in range(rounds):
        shared = random.gauss(0, drift)
        for cell in cells:
            for name in random.sample(sorted(truths), len(truths)):
                factor = math.exp(shared + random.gauss(0, noise))
                samples.append(sample(name, truths[name], cell, number, factor))
    contestants = tuple(
        Contestant(name, truth.group, ("./server", "{port}"), f"the server called {name}")
        for name, truth in truths.items()
    )
    return Results(
        preset="made up",
        baseline=baseline,
        seed=seed,
        rounds=rounds,
        duration_seconds=1.0,
        command="echoproto compare",
        environment=ENVIRONMENT,
        contestants=contestants,
        cells=tuple(cells),
        samples=tuple(samples),
        calls=tuple(Calls(name, cells[0], truth.calls) for name, truth in truths.items() if truth.calls),
    )


def sample(name: str, truth: Truth, cell: Cell, number: int, factor: float = 1.0) -> Sample:
    """One sample, which is so many times as fast as it is in truth."""
    held = cell.connections + cell.idle
    if truth.most is not None and held > truth.most:
        why = f"it holds {truth.most:,} connections, and here there are {held:,}"
        return Sample(contestant=name, cell=cell, round=number, verdict=NOT_POSSIBLE, why=why)
    rate = truth.rate_in(cell) * factor
    spectrum = [
        (share, round(1e6 * cell.connections / rate * (0.8 + (share / 100) ** 40))) for share in SPECTRUM_SHARES
    ]
    times = {f"p{share:g}": time for share, time in spectrum[1:-1]} | {"max": spectrum[-1][1] * 2}
    return Sample(
        contestant=name,
        cell=cell,
        round=number,
        verdict=LoadVerdict.GOOD,
        echoes_per_second=rate if cell.rate is None else cell.rate,
        service_time_us=times,
        response_time_us={} if cell.rate is None else times,
        spectrum=spectrum,
        server_cpu_us_per_echo=1e6 / rate,
        client_cpu_share=0.6,
        idle_rss_bytes=25_000_000,
        busy_rss_bytes=25_000_000 + held * truth.memory,
        voluntary_switches_per_echo=0.02,
        involuntary_switches_per_echo=0.001,
    )


def changed(results: Results, contestant: str, **changes: Any) -> Results:
    """The same, but all samples of one contestant are changed in the same way."""
    samples = [evolve(each, **changes) if each.contestant == contestant else each for each in results.samples]
    return evolve(results, samples=tuple(samples))
