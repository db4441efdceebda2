"""
The results of a comparison, as immutable values and as JSON.

A report needs nothing else, so it can be made again from the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any

import attrs
from attrs import field, frozen

from echoproto.compare.structure import MAX_WHOLE, Mismatch, number, one_of, reader_of, shown, text, whole
from echoproto.compare.versions import from_version_1, path_in_version_1

SCHEMA_VERSION = 2
"""Version of the schema; it rises when a key goes or changes its meaning, not when a key is added."""

NOT_POSSIBLE = "not possible"
"""Verdict on a sample that can't be taken here; all other verdicts are a `LoadVerdict`."""

MAX_FIGURE = 1e15
"""The largest accepted figure, so that sums and ratios stay finite."""

MIN_FIGURE = 1e-9
"""The smallest accepted figure above 0 where ratios are made, so that they stay finite."""


def _name(value: Any) -> str:
    if not text(value):
        raise Mismatch("'': must be a name")
    return str(value)


def _fact(value: Any) -> str | int:
    if isinstance(value, str):
        return value
    try:
        return int(whole(-MAX_WHOLE)(value))
    except Mismatch:
        raise Mismatch(f"{shown(value)}: must be a text or a whole number") from None


def _comparable(value: Any) -> float:
    found = float(number(0, most=MAX_FIGURE)(value))
    if 0 < found < MIN_FIGURE:
        raise Mismatch(f"must be 0, or at least {MIN_FIGURE:g}")
    return found


Name = Annotated[str, _name]
Fact = Annotated[str | int, _fact]
Seed = Annotated[int, whole(0, 2**63 - 1)]
"""Seed of a run: earlier versions allowed larger ones than `echoproto.load.workload.MAX_SEED`."""
Count = Annotated[int, whole(0)]
Positive = Annotated[int, whole(1)]
Quantity = Annotated[float, number(0, most=MAX_FIGURE)]
Comparable = Annotated[float, _comparable]
AboveZero = Annotated[float, number(0, open_below=True, most=MAX_FIGURE)]
Share = Annotated[float, number(0, most=100)]
Transport = Annotated[str, one_of("tcp", "tls", "udp")]
Churn = Annotated[str | None, one_of(None, "fin", "reset")]


def _words(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(given)


def _pairs(given: Iterable[Iterable[Any]]) -> tuple[tuple[float, int], ...]:
    return tuple((share, time) for share, time in given)


@frozen
class Contestant:
    """
    A server in the comparison.

    :ivar name: name in tables and on the command line.
    :ivar group: origin: ``echoproto``, ``twisted``, ``asyncio``, ``uvloop``, ``socketserver``, or ``command``.
    :ivar command: words of its command line; ``{port}`` is the port of 127.0.0.1 to listen on.
    :ivar description: description in a few words.
    """

    name: Name
    group: str
    command: tuple[str, ...] = field(converter=_words)
    description: str = ""


@frozen
class Cell:
    """
    One load, the same for all contestants.

    :ivar connections: concurrent connections that exchange messages.
    :ivar size_bytes: size of a message.
    :ivar idle: further connections without messages.
    :ivar transport: ``tcp``, ``tls`` or ``udp``.
    :ivar rate: messages per second over all connections; ``None`` for a closed loop.
    :ivar churn: ``None``, or the closing of a connection per message: ``fin`` or ``reset``.
    """

    connections: Positive = 50
    size_bytes: Positive = 64
    idle: Count = 0
    transport: Transport = "tcp"
    rate: AboveZero | None = None
    churn: Churn = None


@frozen(kw_only=True)
class Sample:
    """
    The measurements of one contestant in one cell in one round.

    :ivar contestant: its name.
    :ivar round: from 0; the samples of one round were taken one after the other, and share the state of the machine.
    :ivar verdict: `NOT_POSSIBLE`, or a `LoadVerdict`.
    :ivar why: the reason for another verdict than good, in one line.
    :ivar echoes_per_second: messages (with churn: connections) that came back complete.
    :ivar service_time_us: percentiles by name, ``p50`` to ``max``; empty if nothing came back.
    :ivar response_time_us: percentiles of the times from the schedule; empty without a rate.
    :ivar spectrum: distribution of the response time with a rate, else of the service time: pairs of a percentile and
        its time in µs.
    :ivar server_cpu_us_per_echo: CPU time of all processes of the server; ``None`` if unknown.
    :ivar client_cpu_share: share of a core that the generator used.
    :ivar idle_rss_bytes: resident memory of the server before any connection; ``None`` if unknown.
    :ivar busy_rss_bytes: resident memory at the end of measuring, with all connections of the cell open.
    :ivar voluntary_switches_per_echo: voluntary context switches of the server; ``None`` if unknown.
    :ivar involuntary_switches_per_echo: involuntary context switches; ``None`` if unknown.
    """

    contestant: str
    cell: Cell
    round: Count
    verdict: str
    why: str = ""
    echoes_per_second: Comparable = 0.0
    service_time_us: Mapping[str, Count] = field(factory=dict)
    response_time_us: Mapping[str, Count] = field(factory=dict)
    spectrum: tuple[tuple[Share, Count], ...] = field(default=(), converter=_pairs)
    server_cpu_us_per_echo: Comparable | None = None
    client_cpu_share: Quantity = 0.0
    idle_rss_bytes: Count | None = None
    busy_rss_bytes: Count | None = None
    voluntary_switches_per_echo: Quantity | None = None
    involuntary_switches_per_echo: Quantity | None = None


@frozen
class Calls:
    """
    System calls of one contestant in one cell, counted in a run of its own, since counting slows it down.

    :ivar per_echo: calls per echo by name, such as ``{"epoll_wait": 1.02}``; empty if they could not be counted.
    :ivar why: the reason for having none, in one line.
    """

    contestant: str
    cell: Cell
    per_echo: Mapping[str, Quantity] = field(factory=dict)
    why: str = ""


@frozen(kw_only=True, slots=False)  # for the index, which is made on first use
class Results:
    """
    A whole comparison.

    :ivar preset: name of its plan; empty for one of the user's own.
    :ivar baseline: the contestant that the others are compared with.
    :ivar seed: seed of the order of rounds, and of the load generator.
    :ivar rounds: planned number of rounds.
    :ivar duration_seconds: measured time of each sample.
    :ivar partial: true if it was interrupted.
    :ivar command: the command line, exactly as typed.
    :ivar environment: machine, system and versions: names and values as text or numbers.
    :ivar samples: in the order in which they were taken.
    """

    preset: str
    baseline: str
    seed: Seed
    rounds: Positive
    duration_seconds: AboveZero
    command: str
    environment: Mapping[str, Fact]
    contestants: tuple[Contestant, ...]
    cells: tuple[Cell, ...]
    samples: tuple[Sample, ...]
    calls: tuple[Calls, ...] = ()
    partial: bool = False

    def of(self, contestant: str, cell: Cell) -> tuple[Sample, ...]:
        """Return all samples of one contestant in one cell, by round."""
        return tuple(self._index.get((contestant, cell), ()))

    @cached_property
    def _index(self) -> Mapping[tuple[str, Cell], Sequence[Sample]]:
        """Samples by contestant and cell, in the order of rounds."""
        found: dict[tuple[str, Cell], list[Sample]] = {}
        for sample in sorted(self.samples, key=lambda sample: sample.round):
            found.setdefault((sample.contestant, sample.cell), []).append(sample)
        return found


def document(results: Results) -> dict[str, Any]:
    """Return the results for JSON."""
    return {"schema_version": SCHEMA_VERSION, **attrs.asdict(results)}


def read(data: Any) -> Results:
    """
    Read the JSON of `document`, or of version 1.

    Unknown keys are ignored, since a later version may have written them.

    :raise ConfigurationError: if it is invalid, or of another ``schema_version``; the message begins with the path of
        the key.
    """
    if not isinstance(data, dict):
        raise Mismatch(f"{shown(data)}: must be an object, as 'echoproto compare' writes into results.json")
    missing = [name for name in ("schema_version", "contestants", "cells", "samples") if name not in data]
    if missing:
        raise Mismatch("missing, so this is not the results.json of 'echoproto compare'", missing[0])
    version = data["schema_version"]
    if isinstance(version, bool) or version not in (1, SCHEMA_VERSION):
        raise Mismatch(f"{shown(version)}: this version of echoproto reads 1 and {SCHEMA_VERSION}", "schema_version")
    if version == SCHEMA_VERSION:
        return _read(data)
    try:
        return _read(from_version_1(data))
    except Mismatch as error:
        raise Mismatch(error.problem, path_in_version_1(error.path)) from None


def _read(data: Mapping[str, Any]) -> Results:
    found: Results = reader_of(Results)(data)
    return found
