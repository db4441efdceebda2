from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.diagnosis import PROBE_BYTES, Finding, Kind
from tests.support.streamcheck import StreamCheck, Verdict
from tests.support.test_streamcheck import PAYLOAD, SENT, chunks, judge, places

lengths = strategies.integers(PROBE_BYTES + 4, 1000)
"""A part that begins like what stands in its place is found some bytes later, and has to be recognised from there."""


class WrongTests(SynchronousTestCase):
    """Each kind of harm is found at its first byte, however the stream was cut into portions, and named."""

    def assert_finding(self, came: bytes, portions: list[int], finding: Finding) -> None:
        verdict = judge(came, portions)
        self.assertEqual((verdict.finding, verdict.acked), (finding, finding.offset))
        self.assertFalse(verdict.good)

    @given(places, chunks)
    def test_the_end_is_missing(self, length: int, portions: list[int]) -> None:
        verdict = judge(SENT[:length], portions)
        self.assertEqual(verdict, Verdict(len(SENT), length, len(SENT) - length, 0, None))
        self.assertFalse(verdict.good)

    @given(places, strategies.integers(0, 7), chunks)
    def test_a_flipped_bit(self, place: int, bit: int, portions: list[int]) -> None:
        came = bytearray(SENT)
        came[place] ^= 1 << bit
        self.assert_finding(bytes(came), portions, Finding(Kind.CORRUPT, place, 1))

    @given(places, lengths, chunks)
    def test_a_part_is_missing(self, place: int, length: int, portions: list[int]) -> None:
        length = min(length, len(SENT) - place - 50)
        came = SENT[:place] + SENT[place + length :]
        verdict = judge(came, portions)
        assert verdict.finding is not None
        # What is missing may begin like what follows it; then it is found as many bytes later.
        self.assertIs(verdict.finding.kind, Kind.LOST)
        self.assertEqual(verdict.finding.length, length)
        self.assertTrue(place <= verdict.finding.offset <= place + 3)

    @given(strategies.integers(2000, len(SENT) - 100), lengths, chunks)
    def test_a_part_comes_twice(self, place: int, length: int, portions: list[int]) -> None:
        came = SENT[:place] + SENT[place - length : place] + SENT[place:]
        verdict = judge(came, portions)
        assert verdict.finding is not None
        self.assertEqual((verdict.finding.kind, verdict.finding.length), (Kind.DUPLICATED, length))
        self.assertTrue(place <= verdict.finding.offset <= place + 3)

    @given(strategies.integers(0, len(SENT) - 3000), lengths, lengths, chunks)
    def test_two_parts_change_places(self, place: int, one: int, two: int, portions: list[int]) -> None:
        end = place + one + two
        came = SENT[:place] + SENT[place + one : end] + SENT[place : place + one] + SENT[end:]
        verdict = judge(came, portions)
        assert verdict.finding is not None
        self.assertIs(verdict.finding.kind, Kind.REORDERED)
        self.assertTrue(place <= verdict.finding.offset <= place + 3)

    def test_a_shift_of_one_byte(self) -> None:
        """One byte is missing, comes twice, or is foreign; or two change places."""
        for place in (1, 2, PROBE_BYTES, 1000):
            byte = SENT[place : place + 1]
            swapped = SENT[: place - 1] + byte + SENT[place - 1 : place] + SENT[place + 1 :]
            for came, finding in (
                (SENT[:place] + SENT[place + 1 :], Finding(Kind.LOST, place, 1)),
                (SENT[:place] + byte + SENT[place:], Finding(Kind.DUPLICATED, place + 1, 1)),
                (SENT[:place] + bytes([byte[0] ^ 255]) + SENT[place:], Finding(Kind.INSERTED, place, 1)),
                (swapped, Finding(Kind.CORRUPT, place - 1, 2)),
            ):
                self.assert_finding(came, [999], finding)

    def test_how_many_bytes_are_wrong(self) -> None:
        """Up to 7, the stream is recognised behind them, even if it is wrong again soon; from 8 on, all are wrong."""
        for length in (1, 2, 7, 8):
            wrong = bytes(each ^ 255 for each in SENT[50 : 50 + length])
            came = SENT[:50] + wrong + SENT[50 + length : 90] + b"Hello"
            self.assert_finding(came, [999], Finding(Kind.CORRUPT, 50, length if length < 8 else len(came) - 50))

    def test_a_wrong_end_and_more_than_was_sent(self) -> None:
        came = SENT[:-1] + bytes([SENT[-1] ^ 255]) + PAYLOAD.read(len(SENT), 5)
        self.assert_finding(came, [999], Finding(Kind.CORRUPT, len(SENT) - 1, 6))

    def test_the_beginning_comes_twice(self) -> None:
        self.assert_finding(SENT[:100] + SENT, [999], Finding(Kind.DUPLICATED, 100, 100))

    def test_within_reach(self) -> None:
        """A right place is looked for up to 1 MiB away, and no further."""
        reach, place = 1 << 20, (1 << 20) + 1000
        for length, finding in (
            (reach - 8, Finding(Kind.LOST, place, reach - 8)),
            (reach - 7, Finding(Kind.CORRUPT, place, 5000)),
            (-reach, Finding(Kind.DUPLICATED, place, reach)),
            (-reach - 1, Finding(Kind.CORRUPT, place, 5000)),
        ):
            check = StreamCheck(PAYLOAD)
            check.received(PAYLOAD.read(0, place))
            check.received(PAYLOAD.read(place + length, 5000))
            self.assertEqual(check.finish(place + 2 * reach, due=0).finding, finding)

    def test_much_that_is_foreign(self) -> None:
        """1.5 MiB in between are recognised as such, in portions, too."""
        check = StreamCheck(PAYLOAD)
        check.received(SENT[:1000] + bytes(1000))
        check.received(bytes((3 << 19) - 1000))
        check.received(SENT[1000:])
        self.assertEqual(check.finish(len(SENT), due=len(SENT)).finding, Finding(Kind.INSERTED, 1000, 3 << 19))

    def test_something_foreign_comes_in_between(self) -> None:
        for place in (0, 1000):
            came = SENT[:place] + b"Hello, hello\n" + SENT[place:]
            self.assert_finding(came, [999], Finding(Kind.INSERTED, place, 13))

    def test_something_foreign_comes_in_place_of_it(self) -> None:
        came = SENT[:1000] + bytes(5000)
        self.assert_finding(came, [999], Finding(Kind.CORRUPT, 1000, 5000))

    def test_something_foreign_comes_before_or_after_a_short_stream(self) -> None:
        for sent, came, expected in (
            (0, b"Hello\n", Finding(Kind.INSERTED, 0, 6)),
            (1, b"Hello\n" + SENT[:1], Finding(Kind.INSERTED, 0, 6)),
            (1, SENT[:1] + b"Bye", Finding(Kind.INSERTED, 1, 3)),
            (10, SENT[:9] + b"Hello" + SENT[9:10], Finding(Kind.INSERTED, 9, 5)),
        ):
            check = StreamCheck(PAYLOAD)
            check.received(came)
            self.assertEqual(check.finish(sent, due=sent).finding, expected)

    def test_more_than_was_sent(self) -> None:
        """Even if it is what would have been sent next."""
        verdict = judge(SENT + PAYLOAD.read(len(SENT), 5))
        finding = Finding(Kind.INSERTED, len(SENT), 5)
        self.assertEqual(verdict, Verdict(len(SENT), len(SENT) + 5, 0, 0, finding))

    def test_in_words(self) -> None:
        self.assertEqual(str(Finding(Kind.LOST, 7, 3)), "3 bytes lost at offset 7")
        self.assertEqual([each.value for each in Kind], ["corrupt", "duplicated", "inserted", "lost", "reordered"])
