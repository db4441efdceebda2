"""
Verdicts on a contestant under a load: their kinds, the interpretation of a ratio, and their texts.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from echoproto.compare.analysis.measures import Measure
from echoproto.compare.analysis.statistics import MIN_ROUNDS, Ratio
from echoproto.units import counted

NOISY_WIDTH = 0.20
"""Width of an interval, as a share of its ratio, above which the rounds are too noisy for a verdict."""

NO_DIFFERENCE = 0.03
"""Maximum difference of two contestants, as a share, without a reason to prefer one."""


class Kind(Enum):
    """Kinds of verdict; `echoproto.compare.analysis.figures` defines their order."""

    NOT_MEASURED = "not measured"
    NOT_POSSIBLE = "not possible"
    FAILED = "failed"
    BASELINE = "baseline"
    NOTHING_TO_COMPARE = "nothing to compare with"
    CLIENT_BOUND = "client-bound"
    NOISY = "noisy"
    SAME = "no measurable difference"
    DIFFERENT = "different"

    @property
    def void(self) -> bool:
        """True if the contestant has no figures."""
        return self in {Kind.NOT_MEASURED, Kind.NOT_POSSIBLE, Kind.FAILED}


@frozen
class Verdict:
    """
    The verdict on one contestant under one load.

    :ivar measure: the measure of the comparison.
    :ivar why: the reason for having no ratio, in one line.
    :ivar ratio: ratio to the baseline; ``None`` if there is none.
    """

    kind: Kind
    measure: Measure
    why: str = ""
    ratio: Ratio | None = None

    def __str__(self) -> str:
        """Return the verdict in a few words."""
        if self.kind.void:
            return f"{self.kind.value}, because {self.why}" if self.why else self.kind.value
        if self.ratio is None:
            return f"{self.kind.value} ({self.why})" if self.why else self.kind.value
        if self.kind is Kind.DIFFERENT:
            return show_ratio(self.ratio, self.measure)
        return f"{self.kind.value}: {show_ratio(self.ratio, self.measure)}"

    @property
    def better(self) -> bool:
        """True if the contestant is significantly better than the baseline."""
        return (
            self.kind is Kind.DIFFERENT
            and self.ratio is not None
            and (self.ratio.value > 1) is self.measure.more_is_better
        )


def kind_of(ratio: Ratio) -> Kind:
    """Return the verdict of a ratio: noisy, no difference, or a difference."""
    if ratio.width > NOISY_WIDTH:
        return Kind.NOISY
    return Kind.SAME if ratio.covers_one or ratio.within(NO_DIFFERENCE) else Kind.DIFFERENT


def show_ratio(ratio: Ratio, measure: Measure) -> str:
    """Format a ratio, such as ``1.68 × (1.61–1.75)``, with the name of its measure unless that is throughput."""
    number = " ".join(filter(None, [show_multiple(ratio.value), measure.times]))
    if ratio.rounds < MIN_ROUNDS:
        return f"{number} (of {counted(ratio.rounds, 'round')} only)"
    return f"{number} ({_three_digits(ratio.low)}–{_three_digits(ratio.high)})"


def show_multiple(value: float) -> str:
    """Format a ratio, such as ``1.68 ×``."""
    return f"{_three_digits(value)} ×"


def _three_digits(number: float) -> str:
    """Format a number: 168, 16.8, 1.68, 0.17, 0.017; below one, two digits are as precise."""
    decimals = 0 if number >= 100 else 1 if number >= 10 else 2 if number >= 0.1 else 3  # noqa: PLR2004
    return f"{number:.{decimals}f}"
