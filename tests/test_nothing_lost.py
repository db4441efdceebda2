"""The "nothing lost" check is proved by servers that it has to catch, and by one that it must not."""

from twisted.trial.unittest import SynchronousTestCase

from tests import mutants
from tests.nothing_lost import run


class MutantTests(SynchronousTestCase):
    def test_an_honest_echo_is_good(self) -> None:
        with mutants.serving(mutants.honest) as connect:
            result = run(connect, total=64 << 20, seed=1, maximum=1 << 20)
        self.assertEqual((result.bad, result.lost), ([], 0))
        self.assertGreater(result.connections, 60)
        self.assertGreaterEqual(result.acked + result.unknown, result.sent)

    def test_every_mutant_is_caught(self) -> None:
        for mutant in mutants.MUTANTS:
            with mutants.serving(mutant) as connect:
                result = run(connect, total=4 << 20, seed=1, maximum=1 << 20, patience=5)
            self.assertTrue(result.bad, mutant.__name__)

    def test_most_are_named(self) -> None:
        expected = {
            mutants.drops_the_last_byte: "1 bytes lost",
            mutants.drops_a_chunk: "bytes lost at",
            mutants.duplicates_a_chunk: "bytes duplicated",
            mutants.swaps_two_chunks: "bytes reordered",
            mutants.flips_a_bit: "1 bytes corrupt",
            mutants.greets: "6 bytes inserted at offset 0",
            mutants.closes_early: "bytes lost at",
        }
        for mutant, words in expected.items():
            with mutants.serving(mutant) as connect:
                result = run(connect, total=8 << 20, seed=2, maximum=1 << 20, patience=5)
            self.assertTrue(any(words in line for line in result.bad), (mutant.__name__, result.bad))

    def test_a_server_that_hangs_is_given_up(self) -> None:
        """What has not come back counts as lost, and the check comes to an end."""
        with mutants.serving(lambda chunks: (b"" for _ in chunks)) as connect:
            result = run(connect, total=1 << 20, seed=1, maximum=1 << 16, patience=1)
        self.assertTrue(result.bad)
        self.assertEqual(result.acked, 0)

    def test_a_run_can_be_repeated(self) -> None:
        with mutants.serving(mutants.honest) as connect:
            one, two = (run(connect, total=1 << 20, seed=7, maximum=1 << 16) for _ in range(2))
        self.assertEqual((one.connections, one.sent), (two.connections, two.sent))
