from twisted.trial.unittest import SynchronousTestCase

from tests.support.pairs import all_pairs, pairs_of, rows

FACTORS = {"shape": ["round", "square"], "colour": ["red", "green", "blue"], "size": ["small", "large"]}


class PairsTests(SynchronousTestCase):
    def test_every_pair_comes(self) -> None:
        found = rows(FACTORS)
        self.assertEqual(set().union(*map(pairs_of, found)), all_pairs(FACTORS))
        self.assertLess(len(found), 12, "fewer than all combinations")
        self.assertEqual(len(all_pairs(FACTORS)), 2 * 3 + 2 * 2 + 3 * 2)

    def test_but_for_those_that_must_not(self) -> None:
        banned = frozenset({("shape", "square"), ("colour", "blue")})
        found = rows(FACTORS, [banned])
        self.assertEqual(set().union(*map(pairs_of, found)), all_pairs(FACTORS) - {banned})
