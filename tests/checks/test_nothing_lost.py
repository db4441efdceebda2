"""The "nothing lost" check is proved by servers that it has to catch, and by one that it must not."""

import itertools
import threading
from collections.abc import Iterator

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from checks.nothing_lost import Run, run
from tests.support import mutants
from tests.support.schedule import FAULTS, FaultKind, Schedule, draw
from tests.support.scheduled import Place


class MutantTests(SynchronousTestCase):
    def test_an_honest_echo_is_good(self) -> None:
        with mutants.serving(mutants.honest) as connect:
            result = run(Place(connect), total=32 << 20, seed=1, maximum=1 << 19)
        self.assertEqual((result.bad, result.lost), ([], 0))
        self.assertGreater(result.connections, 60)
        self.assertGreaterEqual(result.acked + result.unknown, result.sent)

    def test_an_honest_echo_is_good_with_each_fault(self) -> None:
        for kind in FaultKind:
            with mutants.serving(mutants.honest) as connect:
                result = run(Place(connect), total=2 << 20, seed=1, maximum=1 << 18, faults=[kind])
            self.assertEqual((result.bad, result.lost), ([], 0), kind)
            self.assertGreater(result.connections, 10)
            self.assertGreater(result.acked, 0)

    def test_every_mutant_is_caught(self) -> None:
        for mutant in mutants.MUTANTS:
            with mutants.serving(mutant) as connect:
                result = run(Place(connect), total=4 << 20, seed=1, maximum=1 << 20, patience=5)
            self.assertTrue(result.bad, mutant.__name__)

    def test_some_are_revealed_only_by_faults(self) -> None:
        for mutant, kind in mutants.REVEALED_BY_FAULTS.items():
            for faults, caught in (([FaultKind.NONE], False), ([kind], True)):

                def schedule(seed: int, faults: list[FaultKind] = faults) -> Schedule:
                    """TCP itself makes pauses where buffers are small."""
                    return evolve(draw(seed, 1 << 18, faults), buffers=None, late_after=None)

                with mutants.serving(mutant) as connect:
                    # Few at once: a busy machine makes pauses, too.
                    result = run(Place(connect), total=4 << 20, seed=1, at_once=4, patience=5, schedule=schedule)
                self.assertEqual(bool(result.bad), caught, f"{mutant.__name__} with {kind.value}: {result.bad}")

    def test_a_server_that_stops_at_once_is_caught(self) -> None:
        """O7: it ends each connection, and with it what was in flight."""
        told_to_stop = threading.Event()

        def stops(chunks: Iterator[bytes]) -> Iterator[bytes]:
            """So slow that much is in flight."""
            return itertools.takewhile(lambda _: not told_to_stop.wait(0.001), chunks)

        def watch(run: Run) -> None:
            bound = [connection for connection in run.connections if not connection.schedule.is_reset]
            in_flight = sum(connection.channel.arrived() - connection.received for connection in bound)
            if in_flight > 1 << 20 and not told_to_stop.is_set():
                run.stopping()
                told_to_stop.set()

        with mutants.serving(stops) as connect:
            result = run(Place(connect), total=64 << 20, seed=1, faults=FAULTS, maximum=1 << 20, watch=watch)
        self.assertTrue(any("bytes lost at" in line for line in result.bad), str(result))
        self.assertLess(result.sent, 64 << 20)

    def test_most_are_named(self) -> None:
        expected = {
            mutants.drops_the_last_byte: "1 byte lost",
            mutants.drops_a_chunk: "bytes lost at",
            mutants.duplicates_a_chunk: "bytes duplicated",
            mutants.swaps_two_chunks: "bytes reordered",
            mutants.flips_a_bit: "1 byte corrupt",
            mutants.greets: "6 bytes inserted at offset 0",
            mutants.closes_early: "bytes lost at",
        }
        for mutant, words in expected.items():
            with mutants.serving(mutant) as connect:
                result = run(Place(connect), total=8 << 20, seed=2, maximum=1 << 20, patience=5)
            self.assertTrue(any(words in line for line in result.bad), (mutant.__name__, result.bad))

    def test_a_server_that_hangs_is_given_up(self) -> None:
        """What has not come back counts as lost, and the check comes to an end."""
        with mutants.serving(lambda chunks: (b"" for _ in chunks)) as connect:
            result = run(Place(connect), total=1 << 20, seed=1, maximum=1 << 16, patience=1)
        self.assertTrue(result.bad)
        self.assertEqual(result.acked, 0)

    def test_a_run_can_be_repeated(self) -> None:
        quick = [FaultKind.NONE, FaultKind.SLICE, FaultKind.RESET]
        with mutants.serving(mutants.honest) as connect:
            one, two = (run(Place(connect), total=1 << 19, seed=7, maximum=1 << 16, faults=quick) for _ in range(2))
        self.assertEqual(one.connections, two.connections)
