from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.report.advice import advise
from echoproto.compare.results import NOT_POSSIBLE, Cell, Results
from echoproto.load.verdict import LoadVerdict
from tests.compare.runs import CELLS, TRUTHS, Truth, changed, run

RESULTS = run()
WHICH, ON_TWISTED, COSTS, CAUTIONS = (
    *("Best choice", "Best choice on Twisted", "Cost of another choice"),
    "Caveats",
)


def advice(results: Results) -> dict[str, tuple[str, ...]]:
    return {each.title: each.lines for each in advise(judge(results))}


class WhichTests(SynchronousTestCase):
    def test_the_same_for_all_loads(self) -> None:
        found = advice(RESULTS)
        self.assertEqual(len(found[WHICH]), 1)
        self.assertRegex(
            found[WHICH][0],
            r"^50 connections, 64B, none idle to 10,000 idle: uvloop-protocol, 15\d,000–16\d,000 echoes/s$",
        )
        self.assertIn("echo-lean-epoll", found[ON_TWISTED][0])

    def test_another_for_many(self) -> None:
        truths = {"echo-poll": Truth("echoproto", 90_000, 1.0), "echo-epoll": Truth("echoproto", 60_000)}
        found = advice(run(truths, baseline="echo-epoll"))
        few, many = found[WHICH]
        self.assertRegex(few, "^50 connections, 64B, none idle to 100 idle: echo-poll, ")
        self.assertRegex(many, "^50 connections, 64B, 1,000 idle to 10,000 idle: echo-epoll, ")
        self.assertNotIn(ON_TWISTED, found)

    def test_several_that_are_as_good(self) -> None:
        truths = {name: Truth("command", 100_000) for name in ("one", "two", "three")} | {"x": Truth("command", 50_000)}
        found = advice(run(truths, [Cell()], baseline="one"))
        self.assertRegex(found[WHICH][0], r"^50 connections, 64B: \w+, \w+ or \w+, \d+,\d00 echoes/s$")

    def test_no_difference_can_be_told(self) -> None:
        truths = {name: Truth("command", 100_000) for name in ("one", "two", "three")}
        found = advice(run(truths, [Cell(), Cell(idle=100)], baseline="one"))
        self.assertEqual(len(found[WHICH]), 1)
        self.assertRegex(
            found[WHICH][0],
            r"^50 connections, 64B, none idle to 100 idle: none is measurably better than another \(.*–.* echoes/s\)$",
        )
        self.assertNotIn(COSTS, found)

    def test_one_alone_is_not_any_of_them(self) -> None:
        found = advice(run({"one": Truth("command", 100_000)}, [Cell()], baseline="one"))
        self.assertRegex(found[WHICH][0], "^50 connections, 64B: one, ")

    def test_loads_without_an_axis(self) -> None:
        found = advice(run(cells=[Cell(churn="fin"), Cell(churn="reset")]))
        self.assertEqual(len(found[WHICH]), 2)

    def test_nothing_was_measured(self) -> None:
        found = advice(evolve(RESULTS, samples=()))
        self.assertNotIn(WHICH, found)
        self.assertIn("threads: not measured (none idle)", found[COSTS])


class CostsTests(SynchronousTestCase):
    def test_each_contestant_the_best_first(self) -> None:
        lines = advice(RESULTS)[COSTS]
        self.assertEqual(len(lines), len(TRUTHS))
        self.assertEqual(lines[0], "uvloop-protocol: 100 % of the best")
        self.assertRegex(lines[1], r"^echo-lean-epoll: 9\d–9\d % of the best$")

    def test_where_it_is_near_and_where_far(self) -> None:
        found = {line.partition(":")[0]: line for line in advice(RESULTS)[COSTS]}
        self.assertRegex(
            found["echo-poll"], r"^echo-poll: (69|70|71) % of the best \(none idle\), but 4 % \(10,000 idle\)$"
        )

    def test_where_it_is_not_possible(self) -> None:
        found = {line.partition(":")[0]: line for line in advice(RESULTS)[COSTS]}
        self.assertIn("; not possible (1,000 idle): it holds 1,024 connections", found["echo-select"])
        self.assertRegex(advice(RESULTS)[COSTS][-1], "^threads: ")

    def told(self, name: str, verdicts: dict[Cell, str]) -> tuple[list[str], list[str]]:
        """What is said of a contestant that has such a verdict in some cells, and was measured in no others."""
        samples = tuple(
            evolve(each, verdict=verdicts[each.cell], why="" if verdicts[each.cell] == LoadVerdict.GOOD else "why")
            for each in RESULTS.samples
            if each.contestant == name and each.cell in verdicts
        )
        others = tuple(each for each in RESULTS.samples if each.contestant != name)
        found = advice(evolve(RESULTS, samples=(*samples, *others)))
        costs, cautions = ([line for line in found[title] if name in line] for title in (COSTS, CAUTIONS))
        return costs, cautions

    def test_that_it_has_failed_is_said_once(self) -> None:
        """And not that it was left out after that; but all else that there is to say of it."""
        few, some, many, most = CELLS
        costs, cautions = self.told("threads", {few: "lost"})
        self.assertEqual((costs, cautions), ([], ["threads failed (none idle): lost: why"]))
        costs, cautions = self.told("threads", {few: LoadVerdict.GOOD, some: LoadVerdict.GOOD, many: "lost"})
        self.assertRegex("\n".join(costs), r"^threads: 2\d–?\d* % of the best$")
        self.assertEqual(cautions, ["threads failed (1,000 idle): lost: why"])
        costs, cautions = self.told("threads", {few: "lost", most: NOT_POSSIBLE})
        self.assertEqual(costs, ["threads: not possible (10,000 idle): why"])
        self.assertEqual(cautions, ["threads failed (none idle): lost: why"])


class CautionsTests(SynchronousTestCase):
    def test_none(self) -> None:
        self.assertNotIn(CAUTIONS, advice(RESULTS))

    def test_interrupted(self) -> None:
        self.assertIn("interrupted", advice(evolve(RESULTS, partial=True))[CAUTIONS][0])

    def test_failed(self) -> None:
        lines = advice(changed(RESULTS, "threads", verdict="lost", why="7 bytes lost"))[CAUTIONS]
        self.assertEqual(lines[0], "threads failed (none idle): 7 bytes lost")
        self.assertEqual(len(lines), len(CELLS))

    def test_client_bound_and_noisy(self) -> None:
        results = changed(run(noise=0.3, cells=[Cell()]), "threads", verdict=LoadVerdict.CLIENT_LIMIT)
        bound, noisy = advice(results)[CAUTIONS]
        self.assertTrue(bound.startswith("client-bound in 1 of 9 places: "))
        self.assertTrue(noisy.startswith("noisy in 7 of 9 places: "))

    def test_too_few_rounds(self) -> None:
        lines = advice(run(cells=[Cell()], rounds=3))[CAUTIONS]
        self.assertEqual(lines[0], "3 rounds are too few for a verdict: it takes 5")

    def test_too_few_rounds_until_it_was_interrupted(self) -> None:
        whole = run(cells=[Cell()])
        samples = tuple(each for each in whole.samples if not each.round)
        lines = advice(evolve(whole, samples=samples, partial=True))[CAUTIONS]
        self.assertEqual(lines[1], "1 round is too few for a verdict: it takes 5")
