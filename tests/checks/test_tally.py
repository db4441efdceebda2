import os

from twisted.trial.unittest import SynchronousTestCase

from checks.mutation import equivalents
from checks.mutation.equivalents import Equivalent
from checks.mutation.mutants import mutants_of
from checks.mutation.tally import judge
from checks.mutation.targets import TARGETS, Target, named
from checks.mutation.trials import Outcome

MUTANTS = mutants_of("".join(f"LIMIT{number} = 20\n" for number in range(10)))


class TallyTests(SynchronousTestCase):
    def outcomes(self, survivors: int) -> dict[str, Outcome]:
        return {each.text: Outcome.CAUGHT if at >= survivors else Outcome.SURVIVED for at, each in enumerate(MUTANTS)}

    def test_95_of_100(self) -> None:
        self.assertEqual(len(MUTANTS), 20)
        for survivors, good in ((0, True), (1, True), (2, False)):
            self.assertEqual(judge(MUTANTS, self.outcomes(survivors), []).good, good)

    def test_equivalents_are_not_counted(self) -> None:
        listed = Equivalent("", "- LIMIT0 = 20\n+ LIMIT0 = 21", "it is so")
        tally = judge(MUTANTS, self.outcomes(2), [listed])
        self.assertEqual((tally.counted, tally.equivalent, tally.survivors, tally.good), (19, 1, [MUTANTS[1]], False))

    def test_a_list_that_is_not_true(self) -> None:
        """A change that is caught is no equivalent, nor one that can't be made any more."""
        listed = [Equivalent("", f"- LIMIT0 = 20\n+ LIMIT0 = {number}", "it is so") for number in (19, 5)]
        tally = judge(MUTANTS, self.outcomes(1), listed)
        self.assertEqual((tally.untrue, tally.good), (listed, False))
        [survivor, first, _, summary] = tally.lines(TARGETS[0], 3)
        self.assertEqual(survivor, "echoproto/protocol.py:1 in the module: survived\n- LIMIT0 = 20\n+ LIMIT0 = 21\n")
        self.assertIn("listed as equivalent, but none survives\n- LIMIT0 = 20\n+ LIMIT0 = 19\n", first)
        self.assertEqual(
            summary, "BAD  protocol              95.0 % of  20 caught (0 by time), 1 survived, 0 equivalent, 3 s"
        )

    def test_no_mutants(self) -> None:
        self.assertTrue(judge([], {}, []).good)


class ListTests(SynchronousTestCase):
    def test_the_list(self) -> None:
        """Each of its modules is mutated."""
        self.assertLessEqual({*equivalents.read()}, {each.path for each in TARGETS})

    def test_a_reason(self) -> None:
        os.mkdir(folder := self.mktemp())
        with open(path := os.path.join(folder, "list.toml"), "w", encoding="utf-8") as file:
            file.write("[['a.py']]\nwhere = 'f'\nchange = '''\n- x\n+ y\n'''\nreason = 'so'\n")
        self.assertEqual(equivalents.read(path), {"a.py": [Equivalent("f", "- x\n+ y", "so")]})
        with open(path, "a", encoding="utf-8") as file:
            file.write("[['a.py']]\nwhere = 'g'\nchange = '- x'\nreason = ' '\n")
        self.assertRaises(ValueError, equivalents.read, path)


class TargetsTests(SynchronousTestCase):
    def test_names(self) -> None:
        [drain] = named(["drain"])
        self.assertEqual(named(["server/limits/drain", "echoproto/server/limits/drain.py"]), [drain, drain])
        self.assertEqual(drain, Target("echoproto/server/limits/drain.py", drain.tests))
        self.assertEqual(drain.module, "echoproto.server.limits.drain")
        self.assertEqual(named([]), [*TARGETS])
        self.assertRaises(KeyError, named, ["nothing"])
