import hashlib

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.payload import BLOCK_BYTES, MARK_BYTES, PAGE_BYTES, POOL_BYTES, Payload, QuickPayload


class PayloadTests(SynchronousTestCase):
    def test_pinned(self) -> None:
        """Another stream would make seeds that were printed before worthless."""
        self.assertEqual(Payload(1, 2).read(0, 8).hex(), "fae24ea97b5d68a5")

    @given(strategies.integers(0, 4 * BLOCK_BYTES), strategies.integers(0, 3 * BLOCK_BYTES))
    def test_any_part_is_that_of_the_whole(self, start: int, length: int) -> None:
        whole = Payload(7).read(0, 8 * BLOCK_BYTES)
        self.assertEqual(Payload(7).read(start, length), whole[start : start + length])

    def test_blocks(self) -> None:
        key = (7).to_bytes(8) + (0).to_bytes(8)
        expected = b"".join(hashlib.shake_128(key + n.to_bytes(8)).digest(BLOCK_BYTES) for n in range(3))
        self.assertEqual(Payload(7).read(0, 3 * BLOCK_BYTES), expected)

    def test_streams_have_nothing_in_common(self) -> None:
        starts = {Payload(seed, stream).read(0, 16) for seed in range(10) for stream in range(10)}
        self.assertEqual(len(starts), 100)

    def test_never_repeats(self) -> None:
        blocks = {Payload(7).read(n * BLOCK_BYTES, 16) for n in range(1000)}
        self.assertEqual(len(blocks), 1000)

    def test_beyond_4_gib(self) -> None:
        """Which T4 needs."""
        self.assertNotEqual(Payload(7).read(2**32, 64), Payload(7).read(0, 64))


class QuickPayloadTests(SynchronousTestCase):
    def test_pinned(self) -> None:
        self.assertEqual(QuickPayload(1, 2).read(0, 8), Payload(1, 2).read(0, 8))
        self.assertEqual(hashlib.sha256(QuickPayload(1, 2).read(0, 1 << 20)).hexdigest()[:16], "8d0f3d4b21ff9312")

    @given(strategies.integers(0, 2 * POOL_BYTES), strategies.integers(0, 5 * PAGE_BYTES))
    def test_any_part_is_that_of_the_whole(self, start: int, length: int) -> None:
        self.assertEqual(QuickPayload(7).read(start, length), self.whole()[start : start + length])

    def whole(self) -> bytes:
        if not hasattr(QuickPayloadTests, "kept"):
            QuickPayloadTests.kept = QuickPayload(7).read(0, 2 * POOL_BYTES + 6 * PAGE_BYTES)
        return QuickPayloadTests.kept

    kept: bytes

    @given(strategies.integers(0, POOL_BYTES))
    def test_a_round_does_not_hide_a_shift(self, start: int) -> None:
        """Where most bytes come again after `POOL_BYTES`, at least those at the next beginning of a page do not."""
        whole = self.whole()
        self.assertNotEqual(
            whole[start : start + PAGE_BYTES], whole[start + POOL_BYTES : start + POOL_BYTES + PAGE_BYTES]
        )

    def test_a_round_is_not_in_step_with_buffers(self) -> None:
        self.assertEqual([size for size in range(2, 2049) if POOL_BYTES % size == 0], [])

    def test_streams_are_not_in_step(self) -> None:
        starts = {QuickPayload(seed, stream).read(MARK_BYTES, 16) for seed in range(3) for stream in range(30)}
        self.assertEqual(len(starts), 90)

    def test_each_page_begins_with_bytes_of_its_own(self) -> None:
        marks = {
            QuickPayload(7, stream).read(page * PAGE_BYTES, MARK_BYTES)
            for page in (0, 1, 2, 2**40)
            for stream in (0, 1, 2**63)
        }
        self.assertEqual(len(marks), 12)
