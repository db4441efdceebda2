"""
What is to be said of each contestant in each cell: the first of these that holds.

#. It could not be measured, or it failed: why.
#. The generator was the limit, for it or for the baseline: then their throughputs say nothing, and the processor time
   that an echo costs them is compared.
#. The rounds differ too much to tell.
#. There is no difference that could be measured.
#. The ratio to the baseline, with its interval.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum

from attrs import frozen

from echoproto.compare.analysis.measures import CPU, Measure, measure_of, pairs
from echoproto.compare.analysis.statistics import LEAST_ROUNDS, Ratio, paired_ratio
from echoproto.compare.results import CLIENT_LIMIT, GOOD, NOT_POSSIBLE, Cell, Results, Sample
from echoproto.units import counted

NOISY_WIDTH = 0.20
"""Share of a ratio from which on an interval is too wide to tell anything by."""

NO_DIFFERENCE = 0.03
"""Share by which two things may differ, and nobody would choose one for it."""

CLIENT_SHARE = 0.5
"""Share of the rounds in which the generator is the limit, from which on a cell is called so."""


class Kind(Enum):
    """What can be said."""

    NOT_MEASURED = "not measured"
    NOT_POSSIBLE = "not possible"
    FAILED = "failed"
    BASELINE = "baseline"
    NOTHING_TO_COMPARE = "nothing to compare with"
    CLIENT_BOUND = "client-bound"
    NOISY = "noisy"
    SAME = "no measurable difference"
    DIFFERENT = "different"


WITHOUT_FIGURES = {Kind.NOT_MEASURED, Kind.NOT_POSSIBLE, Kind.FAILED}
"""Of which there is nothing to put into a table or a picture."""


@frozen
class Verdict:
    """
    What is said of one contestant in one cell.

    :ivar why: if it has no figures, in one line.
    :ivar measure: what is compared.
    :ivar ratio: to the baseline; ``None`` if there is none.
    """

    contestant: str
    cell: Cell
    kind: Kind
    measure: Measure
    why: str = ""
    ratio: Ratio | None = None

    def __str__(self) -> str:
        """The verdict in a few words."""
        if self.kind in WITHOUT_FIGURES:
            return f"{self.kind.value}, because {self.why}" if self.why else self.kind.value
        if self.ratio is None:
            return f"{self.kind.value} ({self.why})" if self.why else self.kind.value
        if self.kind is Kind.DIFFERENT:
            return show_ratio(self.ratio, self.measure)
        return f"{self.kind.value}: {show_ratio(self.ratio, self.measure)}"

    @property
    def better(self) -> bool:
        """Whether it is better than the baseline, beyond doubt."""
        return (
            self.kind is Kind.DIFFERENT
            and self.ratio is not None
            and (self.ratio.value > 1) is self.measure.more_is_better
        )


def show_ratio(ratio: Ratio, measure: Measure) -> str:
    """``1.68 × (1.61–1.75)``, with what it is a ratio of, unless that is throughput."""
    number = " ".join(filter(None, [show_multiple(ratio.value), measure.times]))
    if ratio.rounds < LEAST_ROUNDS:
        return f"{number} (of {counted(ratio.rounds, 'round')} only)"
    return f"{number} ({_three_digits(ratio.low)}–{_three_digits(ratio.high)})"


def show_multiple(value: float) -> str:
    """``1.68 ×``."""
    return f"{_three_digits(value)} ×"


def _three_digits(number: float) -> str:
    """As ratios are written: 168, 16.8, 1.68, 0.17, 0.017; two digits of what is below one tells as much."""
    decimals = 0 if number >= 100 else 1 if number >= 10 else 2 if number >= 0.1 else 3  # noqa: PLR2004
    return f"{number:.{decimals}f}"


def verdicts(results: Results) -> tuple[Verdict, ...]:
    """All of them, cell by cell, in the order of the contestants."""
    return tuple(judge(results, contestant.name, cell) for cell in results.cells for contestant in results.contestants)


def judge(results: Results, contestant: str, cell: Cell) -> Verdict:
    """What is to be said of one contestant in one cell."""
    samples, others = results.of(contestant, cell), results.of(results.baseline, cell)

    def said(kind: Kind, measure: Measure, why: str = "", ratio: Ratio | None = None) -> Verdict:
        return Verdict(contestant, cell, kind, measure, why, ratio)

    measure = measure_of(cell)
    wrong, bound = without_figures(samples), client_bound(samples)
    if wrong is not None:
        return said(wrong[0], measure, wrong[1])
    if contestant == results.baseline:
        return said(Kind.BASELINE, measure, Kind.CLIENT_BOUND.value if bound else "")
    if without_figures(others) is not None:
        return said(Kind.NOTHING_TO_COMPARE, measure, "the baseline has no figures here")
    bound = bound or client_bound(others)
    measure = CPU if bound else measure
    paired = pairs(results, contestant, results.baseline, cell, measure)
    ratio = paired_ratio(paired, results.seed) if paired else None
    if bound:
        return said(Kind.CLIENT_BOUND, measure, "" if ratio else "and the processor time is unknown", ratio)
    if ratio is None:
        return said(Kind.NOTHING_TO_COMPARE, measure, "there is no round in which both were measured")
    return said(kind_of(ratio), measure, ratio=ratio)


def kind_of(ratio: Ratio) -> Kind:
    """What a ratio says: it can't be told, it is none, or it is one."""
    if ratio.width > NOISY_WIDTH:
        return Kind.NOISY
    return Kind.SAME if ratio.covers_one or ratio.within(NO_DIFFERENCE) else Kind.DIFFERENT


def client_bound(samples: tuple[Sample, ...]) -> bool:
    """Whether the generator was the limit in so many rounds that the throughput is its own."""
    return sum(sample.verdict == CLIENT_LIMIT for sample in samples) >= CLIENT_SHARE * len(samples)


def without_figures(samples: tuple[Sample, ...]) -> tuple[Kind, str] | None:
    """
    Why there is nothing to compare, if so: one round in which an echo failed is enough.

    :return: what it is, and why in one line.
    """
    if not samples:
        return Kind.NOT_MEASURED, ""
    impossible = [sample for sample in samples if sample.verdict == NOT_POSSIBLE]
    if impossible:
        return Kind.NOT_POSSIBLE, _reasons(impossible, len(samples))
    failed = [sample for sample in samples if sample.verdict not in {GOOD, CLIENT_LIMIT}]
    if failed:
        return Kind.FAILED, _reasons(failed, len(samples))
    return None


def _reasons(wrong: list[Sample], rounds: int) -> str:
    """The most frequent reason, and in how many rounds there was one, unless in all."""
    (reason, _), *_ = Counter(_reason(sample) for sample in wrong).most_common(1)
    return reason if len(wrong) == rounds else f"{reason} (in {len(wrong)} of {rounds} rounds)"


def _reason(sample: Sample) -> str:
    named = "" if sample.verdict == NOT_POSSIBLE or sample.verdict in sample.why else sample.verdict
    return ": ".join(filter(None, [named, sample.why]))
