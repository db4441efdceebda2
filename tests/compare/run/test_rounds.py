from itertools import groupby

from attrs import define, evolve, field
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.plan.contestants import Entry
from echoproto.compare.plan.plan import COUNTING, Plan, estimate
from echoproto.compare.results import NOT_POSSIBLE, Calls, Cell, Contestant, Sample
from echoproto.compare.run.rounds import Pair, Rounds, order, split_by_feasibility
from echoproto.host.limits import Machine
from echoproto.load.verdict import LoadVerdict
from echoproto.progress import Progress, State

LARGE = Machine(descriptors=1 << 20, tasks=1 << 20, memory=1 << 40)
CELLS = (Cell(), Cell(idle=5), Cell(size_bytes=9))
ENTRIES = tuple(Entry(name=name, group="", description="", commands={"tcp": f"{name} {{port}}"}) for name in "abc")
PAIRS = [Pair(entry, cell) for cell in CELLS for entry in ENTRIES]
PLAN = Plan(contestants="abc", cells=CELLS, rounds=3, baseline="a", calls=False)


@define
class Fake(Progress):
    """
    Measures nothing, but takes its time; and shows nothing, but remembers.

    :ivar verdicts: of samples, by contestant, cell and round, whatever is not good.
    :ivar interrupted_after: samples.
    """

    took: float = 1.0
    verdicts: dict[tuple[str, Cell, int], Sample] = field(factory=dict)
    interrupted_after: int = 1 << 30
    now: float = 0.0
    taken: list[tuple[str, Cell, int]] = field(factory=list)
    counted: list[str] = field(factory=list)
    most: list[float] = field(factory=list)
    said: list[str] = field(factory=list)
    seen: list[tuple[str, float, float]] = field(factory=list)

    def sample(self, contestant: Contestant, cell: Cell, number: int, most: float) -> Sample | None:
        if len(self.taken) == self.interrupted_after:
            return None
        self.now += self.took
        self.most.append(most)
        key = contestant.name, cell, number
        self.taken.append(key)
        return self.verdicts.get(key, sample(*key))

    def calls(self, contestant: Contestant, cell: Cell, most: float) -> Calls | None:
        if len(self.taken) == self.interrupted_after:
            return None
        self.now += self.took
        self.most.append(most)
        self.counted.append(contestant.name)
        return Calls(contestant.name, cell, {"read": 1.0})

    def show(self, state: State) -> None:
        assert state.left is not None
        self.seen.append((state.what, state.elapsed, state.left))

    def note(self, text: str) -> None:
        self.said.append(text)

    def clock(self) -> float:
        return self.now


def sample(
    name: str, cell: Cell, number: int, verdict: str = LoadVerdict.GOOD, idle_rss_bytes: int | None = 5
) -> Sample:
    return Sample(contestant=name, cell=cell, round=number, verdict=verdict, idle_rss_bytes=idle_rss_bytes, why="why")


def rounds(fake: Fake, plan: Plan = PLAN, pairs: list[Pair] = PAIRS, seed: int = 1) -> Rounds:
    made = Rounds(plan, list(pairs), seed, fake, fake, clock=fake.clock)
    made.run()
    return made


class OrderTests(SynchronousTestCase):
    @given(strategies.integers(0, 2**40), strategies.integers(0, 50))
    def test_all_contestants_of_a_cell_one_after_the_other(self, seed: int, number: int) -> None:
        found = order(PAIRS, seed, number)
        self.assertEqual(len(found), len(PAIRS))
        self.assertEqual(set(found), set(PAIRS))
        self.assertEqual(len(list(groupby(found, key=lambda pair: pair.cell))), len(CELLS))
        self.assertEqual(order(PAIRS, seed, number), found)

    def test_each_round_has_another_one(self) -> None:
        self.assertGreater(len({tuple(order(PAIRS, 1, number)) for number in range(20)}), 10)
        self.assertGreater(len({tuple(order(PAIRS, seed, 0)) for seed in range(20)}), 10)


class SortOutTests(SynchronousTestCase):
    def test_what_is_not_possible_says_why(self) -> None:
        entries = (ENTRIES[0], evolve(ENTRIES[1], selects=True))
        plan = evolve(PLAN, cells=(Cell(), Cell(idle=2_000)))
        pairs, impossible = split_by_feasibility(plan, entries, LARGE)
        self.assertEqual([(pair.entry.name, pair.cell.idle) for pair in pairs], [("a", 0), ("b", 0), ("a", 2_000)])
        [lacking] = impossible
        self.assertEqual((lacking.contestant, lacking.cell.idle, lacking.verdict), ("b", 2_000, NOT_POSSIBLE))
        self.assertIn("FD_SETSIZE", lacking.why)


class RoundsTests(SynchronousTestCase):
    def test_every_contestant_once_a_round_in_every_cell(self) -> None:
        fake = Fake()
        made = rounds(fake)
        self.assertEqual(len(fake.taken), 3 * len(PAIRS))
        self.assertEqual(len(set(fake.taken)), 3 * len(PAIRS))
        self.assertEqual([number for _, _, number in fake.taken], sorted(number for _, _, number in fake.taken))
        self.assertEqual((made.rounds, made.partial, len(made.samples)), (3, False, 3 * len(PAIRS)))
        self.assertEqual((fake.counted, fake.said), ([], []))

    def test_time_left(self) -> None:
        """Once each kind of sample has been taken, it is known how long they take; it ends at nothing."""
        fake = Fake(took=2.0)
        rounds(fake)
        self.assertEqual([left for _, _, left in fake.seen[9:]], [float(2 * n) for n in range(18, 0, -1)])
        self.assertEqual(fake.seen[9][1], 18.0)
        self.assertAlmostEqual(fake.seen[0][2], 3 * sum(estimate(p.cell, PLAN, p.entry.connecting) for p in PAIRS))

    def test_calls_are_counted_afterwards_in_the_first_cell(self) -> None:
        fake = Fake()
        made = rounds(fake, evolve(PLAN, calls=True))
        self.assertEqual(fake.counted, ["a", "b", "c"])
        self.assertEqual({calls.cell for calls in made.calls}, {CELLS[0]})

    @given(strategies.floats(0.01, 200), strategies.floats(0.01, 30), strategies.booleans())
    def test_the_budget_is_kept(self, budget: float, took: float, calls: bool) -> None:
        """Whatever samples take: it may be exceeded by one that takes longer than was thought, and no more."""
        fake = Fake(took=took)
        made = rounds(fake, evolve(PLAN, budget=budget, calls=calls))
        self.assertLessEqual(fake.now, budget + took)
        self.assertTrue(all(0 <= most <= budget for most in fake.most))
        whole = len(made.samples) == 3 * len(PAIRS) and len(made.calls) == (3 if calls else 0)
        self.assertEqual(any("budget is spent" in text for text in fake.said), not whole)
        self.assertFalse(made.partial)

    def test_time_for_calls_is_kept(self) -> None:
        fake = Fake(took=1.0)
        rounds(fake, evolve(PLAN, calls=True, budget=20.0 + 3 * COUNTING))
        self.assertLess(len(fake.taken), 27)
        self.assertEqual(len(fake.counted), 3)

    def test_who_fails_in_a_cell_is_left_out_there(self) -> None:
        fake = Fake(verdicts={("a", CELLS[0], 0): sample("a", CELLS[0], 0, "corrupt")})
        rounds(fake)
        self.assertEqual(len(fake.taken), 27 - 2)
        self.assertEqual([number for name, cell, number in fake.taken if (name, cell) == ("a", CELLS[0])], [0])
        self.assertEqual(fake.said, ["a: corrupt: why"])

    def test_who_does_not_start_is_left_out_everywhere(self) -> None:
        verdicts = {("b", cell, 0): sample("b", cell, 0, "unreachable", None) for cell in CELLS}
        fake = Fake(verdicts=verdicts)
        made = rounds(fake)
        self.assertEqual(len([name for name, _, _ in fake.taken if name == "b"]), 1)
        self.assertEqual(len(fake.taken), 18 + 1)
        self.assertEqual({pair.entry.name for pair in made.pairs}, {"a", "c"})

    def test_the_limit_of_the_generator_leaves_nobody_out(self) -> None:
        fake = Fake(verdicts={("a", CELLS[0], 0): sample("a", CELLS[0], 0, LoadVerdict.CLIENT_LIMIT)})
        rounds(fake)
        self.assertEqual(len(fake.taken), 27)

    def test_interrupted(self) -> None:
        """What was taken is kept, and nothing else is begun."""
        fake = Fake(interrupted_after=13)
        made = rounds(fake, evolve(PLAN, calls=True))
        self.assertEqual((len(made.samples), made.partial, made.rounds, fake.counted), (13, True, 1, []))

    def test_interrupted_while_counting(self) -> None:
        fake = Fake(interrupted_after=27)
        made = rounds(fake, evolve(PLAN, calls=True))
        self.assertEqual((len(made.samples), made.partial, made.rounds, made.calls), (27, True, 3, []))
