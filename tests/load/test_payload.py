import hashlib

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.payload import BLOCK, Payload


class PayloadTests(SynchronousTestCase):
    def test_pinned(self) -> None:
        """Another stream would make seeds that were printed before worthless."""
        self.assertEqual(Payload(1, 2).read(0, 8).hex(), "fae24ea97b5d68a5")

    @given(strategies.integers(0, 4 * BLOCK), strategies.integers(0, 3 * BLOCK))
    def test_any_part_is_that_of_the_whole(self, start: int, length: int) -> None:
        whole = Payload(7).read(0, 8 * BLOCK)
        self.assertEqual(Payload(7).read(start, length), whole[start : start + length])

    def test_blocks(self) -> None:
        key = (7).to_bytes(8) + (0).to_bytes(8)
        expected = b"".join(hashlib.shake_128(key + n.to_bytes(8)).digest(BLOCK) for n in range(3))
        self.assertEqual(Payload(7).read(0, 3 * BLOCK), expected)

    def test_streams_have_nothing_in_common(self) -> None:
        starts = {Payload(seed, stream).read(0, 16) for seed in range(10) for stream in range(10)}
        self.assertEqual(len(starts), 100)

    def test_never_repeats(self) -> None:
        blocks = {Payload(7).read(n * BLOCK, 16) for n in range(1000)}
        self.assertEqual(len(blocks), 1000)

    def test_beyond_4_gib(self) -> None:
        """Which T4 needs."""
        self.assertNotEqual(Payload(7).read(2**32, 64), Payload(7).read(0, 64))
