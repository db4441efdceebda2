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

TO_CATCH = 0.95
"""The share of a module's mutants that has to be caught."""


@frozen
class Tally:
    """
    Outcomes of one module's mutants.

    :ivar outcomes: number of those caught, caught by time, and surviving.
    :ivar survivors: those that are not listed as equivalents.
    :ivar equivalent: number of survivors that are listed so.
    :ivar untrue: rows of the list of equivalents that are no mutants, or were caught.
    """

    outcomes: Counter[Outcome]
    survivors: Sequence[Mutant]
    equivalent: int
    untrue: Sequence[Equivalent]

    @property
    def counted(self) -> int:
        """Mutants without the equivalents."""
        return self.outcomes.total() - self.equivalent

    @property
    def share(self) -> float:
        """The share of them that was caught, 0 to 1; 1 where there are none."""
        return 1 - len(self.survivors) / self.counted if self.counted else 1.0

    @property
    def good(self) -> bool:
        """Tell if enough were caught, and the list of equivalents is true."""
        return self.share >= TO_CATCH and not self.untrue

    def lines(self, target: Target, seconds: float) -> Iterator[str]:
        """
        Say it: a diff of each survivor, what is untrue of the list, and a summary.

        :param target: the module.
        :param seconds: that it took.
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
    Compare what survived with what is listed.

    :param mutants: of a module.
    :param outcomes: by the text of each.
    :param listed: the module's equivalents.
    """
    survivors = [each for each in mutants if outcomes[each.text] is Outcome.SURVIVED]
    counted = [mutant for mutant in survivors if not any(each.covers(mutant) for each in listed)]
    untrue = [each for each in listed if not any(each.covers(mutant) for mutant in survivors)]
    return Tally(Counter(outcomes.values()), counted, len(survivors) - len(counted), untrue)
