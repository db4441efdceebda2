"""
The figures of a comparison: one table of all contestants under all loads, judged once.

Tables, page, pictures, advice, ranking and regression read this table; none of them judges samples again. The verdict
on a contestant under a load is the first of these that applies:

#. Not measured, not possible or failed, with the reason: one round with a failed echo is enough, and it has no figures.
#. Client-bound: the generator was the bottleneck, for it or for the baseline. Then their throughputs mean nothing, and
   their CPU times per echo are compared.
#. Noisy: the rounds differ too much.
#. No measurable difference.
#. The ratio to the baseline, with its interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from statistics import median

from attrs import frozen

from echoproto.compare.analysis.measures import CPU, MEASURES, Measure, measure_of, pairs, values
from echoproto.compare.analysis.statistics import paired_ratio
from echoproto.compare.analysis.verdict import Kind, Verdict, kind_of
from echoproto.compare.results import NOT_POSSIBLE, Cell, Contestant, Results, Sample
from echoproto.load.verdict import MEASURED, LoadVerdict

CLIENT_SHARE = 0.5
"""Minimum share of rounds with the generator as the bottleneck, for a contestant to be client-bound in a cell."""


@frozen
class Spread:
    """Median and range of a measure over all rounds in which it was measured."""

    median: float
    low: float
    high: float


@frozen
class Figure:
    """
    One contestant under one load.

    :ivar samples: samples by round.
    :ivar spreads: spread of each measure that was measured in any round; empty if the contestant failed.
    :ivar client_bound: true if the generator was the bottleneck in at least `CLIENT_SHARE` of the rounds.
    """

    contestant: Contestant
    cell: Cell
    samples: tuple[Sample, ...]
    spreads: Mapping[Measure, Spread]
    client_bound: bool
    verdict: Verdict

    @property
    def void(self) -> bool:
        """True if it has no figures."""
        return self.verdict.kind.void

    def median(self, measure: Measure) -> float | None:
        """Return the median of a measure over all rounds; ``None`` if no round has it."""
        spread = self.spreads.get(measure)
        return spread.median if spread else None


@frozen
class Figures:
    """
    The table.

    :ivar results: the results of the table.
    :ivar rows: figures by contestant's name and cell; cell by cell, in the order of the contestants.
    """

    results: Results
    rows: Mapping[tuple[str, Cell], Figure]

    def __iter__(self) -> Iterator[Figure]:
        return iter(self.rows.values())

    def at(self, contestant: str, cell: Cell) -> Figure:
        """Return the figure of a contestant under a load."""
        return self.rows[contestant, cell]

    def under(self, cell: Cell) -> tuple[Figure, ...]:
        """Return the figures of all contestants under a load."""
        return tuple(self.rows[contestant.name, cell] for contestant in self.results.contestants)


def judge(results: Results) -> Figures:
    """Judge all contestants under all loads."""
    rows = product(results.cells, results.contestants)
    return Figures(results, {(one.name, cell): _figure(results, one, cell) for cell, one in rows})


def _figure(results: Results, contestant: Contestant, cell: Cell) -> Figure:
    samples = results.of(contestant.name, cell)
    verdict = _void(samples, cell) or _verdict(results, contestant.name, cell)
    spreads = {} if verdict.kind.void else {measure: _spread(samples, measure) for measure in MEASURES}
    known = {measure: spread for measure, spread in spreads.items() if spread is not None}
    return Figure(contestant, cell, samples, known, _client_bound(samples), verdict)


def _spread(samples: tuple[Sample, ...], measure: Measure) -> Spread | None:
    found = [value for _, value in values(samples, measure)]
    return Spread(median(found), min(found), max(found)) if found else None


def _verdict(results: Results, contestant: str, cell: Cell) -> Verdict:
    """Judge a contestant with figures."""
    samples, others, measure = results.of(contestant, cell), results.of(results.baseline, cell), measure_of(cell)
    if contestant == results.baseline:
        return Verdict(Kind.BASELINE, measure, Kind.CLIENT_BOUND.value if _client_bound(samples) else "")
    if _void(others, cell):
        return Verdict(Kind.NOTHING_TO_COMPARE, measure, "the baseline has no figures here")
    bound = _client_bound(samples) or _client_bound(others)
    measure = CPU if bound else measure
    paired = pairs(samples, others, measure)
    ratio = paired_ratio(paired, results.seed) if paired else None
    if bound:
        return Verdict(Kind.CLIENT_BOUND, measure, "" if ratio else "and the CPU time is unknown", ratio)
    if ratio is None:
        return Verdict(Kind.NOTHING_TO_COMPARE, measure, "there is no round in which both were measured")
    return Verdict(kind_of(ratio), measure, ratio=ratio)


def _client_bound(samples: tuple[Sample, ...]) -> bool:
    return sum(sample.verdict == LoadVerdict.CLIENT_LIMIT for sample in samples) >= CLIENT_SHARE * len(samples)


def _void(samples: tuple[Sample, ...], cell: Cell) -> Verdict | None:
    """Judge a contestant without figures; ``None`` if it has some."""
    impossible = [sample for sample in samples if sample.verdict == NOT_POSSIBLE]
    failed = [sample for sample in samples if sample.verdict not in MEASURED | {NOT_POSSIBLE}]
    if not samples:
        return Verdict(Kind.NOT_MEASURED, measure_of(cell))
    if wrong := impossible or failed:
        kind = Kind.NOT_POSSIBLE if impossible else Kind.FAILED
        return Verdict(kind, measure_of(cell), _reasons(wrong, len(samples)))
    return None


def _reasons(wrong: list[Sample], rounds: int) -> str:
    """Return the most frequent reason, and the number of affected rounds, unless all are affected."""
    (reason, _), *_ = Counter(map(_reason, wrong)).most_common(1)
    return reason if len(wrong) == rounds else f"{reason} (in {len(wrong)} of {rounds} rounds)"


def _reason(sample: Sample) -> str:
    named = "" if sample.verdict == NOT_POSSIBLE or sample.verdict in sample.why else sample.verdict
    return ": ".join(filter(None, [named, sample.why]))
