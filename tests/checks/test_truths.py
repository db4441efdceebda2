from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from checks.truths import MANY_IDLE, lines
from echoproto.compare.analysis.figures import judge
from echoproto.compare.results import Cell, Results
from echoproto.load.verdict import LoadVerdict
from tests.compare.runs import CELLS, TRUTHS, changed, run

RESULTS = run(rounds=5)


def found(*runs: Results) -> list[bool]:
    return [holds for holds, _ in lines([judge(results) for results in runs])]


class TruthsTests(SynchronousTestCase):
    """What is true of the made-up runs is found; what is not, is not."""

    def test_all_of_them(self) -> None:
        self.assertEqual(found(RESULTS), [True] * 5)

    def test_among_other_loads(self) -> None:
        """Idle connections are told by loads that differ in nothing else."""
        others = (
            Cell(size_bytes=100 << 10),
            Cell(10, 100 << 10, idle=MANY_IDLE),
            *(Cell(size_bytes=100 << 10, transport="tls", idle=idle) for idle in (0, MANY_IDLE)),
            *(Cell(rate=1.0, idle=idle) for idle in (0, MANY_IDLE)),
            *(Cell(churn="fin", idle=idle) for idle in (0, MANY_IDLE)),
        )
        for cells in ((*CELLS, *others), (*others, *CELLS)):
            self.assertEqual(found(run(cells=cells, rounds=5)), [True] * 5)
        self.assertEqual(found(run(cells=others, rounds=5)), [False, False, True, True, True])

    def test_by_cpu_time_if_the_generator_was_the_limit(self) -> None:
        self.assertEqual(found(changed(RESULTS, "echo-epoll", verdict=LoadVerdict.CLIENT_LIMIT)), [True] * 5)

    def test_none_of_them(self) -> None:
        truths = {
            **TRUTHS,
            "twisted-poll": evolve(TRUTHS["twisted-poll"], idle=0.1),
            "twisted-epoll": evolve(TRUTHS["twisted-epoll"], idle=0.1, rate=200_000),
            "echo-select": evolve(TRUTHS["echo-select"], most=None),
        }
        self.assertEqual(found(run(truths, rounds=5)), [False] * 5)

    def test_rounds_that_only_one_of_them_has(self) -> None:
        """As the last one of a run that was interrupted."""
        cut = tuple(each for each in RESULTS.samples if each.round < 4 or each.contestant != "twisted-epoll")
        self.assertEqual(len(found(evolve(RESULTS, samples=cut))), 5)

    def test_results_that_can_not_tell(self) -> None:
        for results in (run(cells=[Cell(rate=1.0)], rounds=1), evolve(RESULTS, samples=())):
            self.assertEqual(found(results), [False] * 5)
            self.assertEqual(found(results, RESULTS), [True] * 5)
