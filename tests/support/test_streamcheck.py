from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.payload import Payload
from tests.support.streamcheck import StreamCheck, Verdict

PAYLOAD = Payload(5)
SENT = PAYLOAD.read(0, 150_000)  # of three of its blocks

places = strategies.integers(0, len(SENT) - 100)
chunks = strategies.lists(strategies.integers(1, 70_000), max_size=7).map(lambda portions: [*portions, 30_000])
"""One at least is large: single bytes alone would take a thousand times as long, and show no more."""


def judge(came: bytes, portions: list[int] | None = None, *, due: int = len(SENT)) -> Verdict:
    """The verdict on what came back of ``SENT``, in portions of some sizes, over and over."""
    check = StreamCheck(PAYLOAD)
    portions = portions or [len(came) or 1]
    start = turn = 0
    while start < len(came):
        size = portions[turn % len(portions)]
        check.received(came[start : start + size])
        start += size
        turn += 1
    return check.finish(len(SENT), due=due)


class GoodTests(SynchronousTestCase):
    @given(chunks)
    def test_all_of_it(self, portions: list[int]) -> None:
        verdict = judge(SENT, portions)
        self.assertEqual(verdict, Verdict(len(SENT), len(SENT), 0, 0, None))
        self.assertTrue(verdict.good)

    @given(places, chunks)
    def test_a_part_that_need_not_be_all(self, length: int, portions: list[int]) -> None:
        verdict = judge(SENT[:length], portions, due=length)
        self.assertEqual(verdict, Verdict(len(SENT), length, 0, len(SENT) - length, None))
        self.assertTrue(verdict.good)

    @given(places, places, chunks)
    def test_less_than_a_part_that_had_to_be_there(self, length: int, missing: int, portions: list[int]) -> None:
        due = min(length + missing, len(SENT))
        verdict = judge(SENT[:length], portions, due=due)
        self.assertEqual(verdict, Verdict(len(SENT), length, due - length, len(SENT) - due, None))
        self.assertEqual(verdict.good, due == length)

    def test_more_than_had_to_come_back(self) -> None:
        self.assertEqual(judge(SENT[:10], due=5), Verdict(len(SENT), 10, 0, len(SENT) - 10, None))

    def test_acked_so_far(self) -> None:
        check = StreamCheck(PAYLOAD)
        check.received(SENT[:10])
        self.assertEqual(check.acked, 10)


class BoundTests(SynchronousTestCase):
    def test_a_stream_that_goes_on_for_ever_is_not_kept(self) -> None:
        check = StreamCheck(PAYLOAD)
        for _ in range(100):
            check.received(bytes(1 << 20))
        self.assertEqual(len(check._wrong or b""), 2 << 20)
        check = StreamCheck(PAYLOAD)
        check.received(bytes(3 << 20))
        check.received(bytes(100))
        self.assertEqual(len(check._wrong or b""), 3 << 20, "nothing is added to what came at once")
