"""
Outcomes of a module's mutants, in numbers and in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from checks.mutation.equivalents import Equivalent
from checks.mutation.source import Mutant
from checks.mutation.targets import Target
from checks.mutation.trials import Outcome

MIN_CAUGHT_SHARE = 0.95
"""Minimum share of a module's mutants that the tests must catch."""


@frozen
class Tally:
    """
    Outcomes of one module's mutants.

    :ivar outcomes: number of those caught, caught by time, and surviving.
    :ivar survivors: surviving mutants that are not listed as equivalents.
    :ivar equivalent: number of survivors listed as equivalents.
    :ivar untrue: rows of the list of equivalents that are no mutants, or were caught.
    """

    outcomes: Counter[Outcome]
    survivors: Sequence[Mutant]
    equivalent: int
    untrue: Sequence[Equivalent]

    @property
    def counted(self) -> int:
        """Number of mutants without the equivalents."""
        return self.outcomes.total() - self.equivalent

    @property
    def share(self) -> float:
        """Share of caught mutants, 0 to 1; 1 without mutants."""
        return 1 - len(self.survivors) / self.counted if self.counted else 1.0

    @property
    def good(self) -> bool:
        """Tell if enough were caught, and the list of equivalents is true."""
        return self.share >= MIN_CAUGHT_SHARE and not self.untrue

    def lines(self, target: Target, seconds: float) -> Iterator[str]:
        """
        Yield the report: a diff of each survivor, false rows of the list, and a summary.

        :param target: the module.
        :param seconds: duration of the run.
        """
        for mutant in self.survivors:
            yield f"{target.path}:{mutant.line} in {mutant.where or 'the module'}: survived\n{mutant}\n"
        for each in self.untrue:
            where = each.where or "the module"
            yield f"{target.path} in {where}: listed as equivalent, but none survives\n{each.change}\n"
        yield (
            f"{'good' if self.good else 'BAD':<4} {target.name:<20} {100 * self.share:5.1f} % of {self.counted:>3}"
            f" caught ({self.outcomes[Outcome.TIMEOUT]} by time), {len(self.survivors)} survived,"
            f" {self.equivalent} equivalent, {seconds:.0f} s"
        )


def judge(mutants: Sequence[Mutant], outcomes: Mapping[str, Outcome], listed: Sequence[Equivalent]) -> Tally:
    """
    Compare the survivors with the list.

    :param mutants: of a module.
    :param outcomes: by the text of each.
    :param listed: the module's equivalents.
    """
    survivors = [each for each in mutants if outcomes[each.text] is Outcome.SURVIVED]
    counted = [mutant for mutant in survivors if not any(each.covers(mutant) for each in listed)]
    untrue = [each for each in listed if not any(each.covers(mutant) for mutant in survivors)]
    return Tally(Counter(outcomes.values()), counted, len(survivors) - len(counted), untrue)
