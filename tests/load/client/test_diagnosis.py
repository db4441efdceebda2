from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.diagnosis import MAX_SHOWN_BYTES, PROBE_BYTES, SEARCH_BYTES, Diagnosis, Finding, Kind, shown
from echoproto.load.client.payload import QuickPayload

PAYLOAD = QuickPayload(5)
BEGUN = 1000

places = strategies.sampled_from([BEGUN, BEGUN + 3, BEGUN + 5000, BEGUN + SEARCH_BYTES + 4000])
"""Of the first wrong byte: near the beginning of the connection, and farther away than anything is looked for."""


def diagnose(wrong: bytes, acked: int, sent: int) -> tuple[Finding, bytes | None]:
    diagnosis = Diagnosis(PAYLOAD, BEGUN, acked)
    for start in range(0, len(wrong), 700):
        diagnosis.received(wrong[start : start + 700])
    finding = diagnosis.finding(sent)
    return finding, diagnosis.greeting(finding)


def sent(start: int, length: int) -> bytes:
    return PAYLOAD.read(start, length)


class FindingTests(SynchronousTestCase):
    """As `echoproto.load.client.diagnosis` has it, but in mid-stream; offsets count from the connection's beginning."""

    @given(places, strategies.integers(0, 300))
    def test_flipped(self, place: int, right: int) -> None:
        """Also if what was right before it is handed over with it."""
        came = sent(place, right) + bytes([sent(place + right, 1)[0] ^ 1]) + sent(place + right + 1, 500)
        finding, _ = diagnose(came, place, place + right + 501)
        self.assertEqual(finding, Finding(Kind.CORRUPT, place + right - BEGUN, 1))

    @given(places, strategies.integers(1, PROBE_BYTES - 1))
    def test_flipped_at_the_end(self, place: int, length: int) -> None:
        """Too little to tell by what follows; but nothing is missing."""
        came = bytes(byte ^ 255 for byte in sent(place, length))
        self.assertEqual(diagnose(came, place, place + length)[0], Finding(Kind.CORRUPT, place - BEGUN, length))

    @given(places)
    def test_lost(self, place: int) -> None:
        finding, greeting = diagnose(sent(place + 100, 600), place, place + 800)
        self.assertEqual((finding, greeting), (Finding(Kind.LOST, place - BEGUN, 100), None))

    @given(places.filter(lambda place: place > BEGUN + 2000))
    def test_twice(self, place: int) -> None:
        """Whether or not something else is in flight."""
        for end in (place, place + 64):
            finding, _ = diagnose(sent(place - 100, 100), place, end)
            self.assertEqual(finding, Finding(Kind.DUPLICATED, place - BEGUN, 100))

    def test_the_last_message_twice_and_nothing_else(self) -> None:
        finding, _ = diagnose(sent(BEGUN, 64), BEGUN + 64, BEGUN + 64)
        self.assertEqual(finding, Finding(Kind.DUPLICATED, 64, 64))

    @given(places)
    def test_in_another_order(self, place: int) -> None:
        finding, _ = diagnose(sent(place + 50, 50) + sent(place, 50), place, place + 100)
        self.assertEqual(finding, Finding(Kind.REORDERED, place - BEGUN, 50))

    def test_what_nobody_sent(self) -> None:
        for wrong in (b"Bye", b"Goodbye, all of you"):
            finding, greeting = diagnose(wrong, BEGUN + 5000, BEGUN + 5000)
            self.assertEqual((finding, greeting), (Finding(Kind.INSERTED, 5000, len(wrong)), None))

    def test_what_would_have_been_sent_next(self) -> None:
        finding, _ = diagnose(sent(BEGUN + 50, 20), BEGUN + 50, BEGUN + 50)
        self.assertEqual(finding, Finding(Kind.INSERTED, 50, 20))

    def test_an_earlier_connection_has_nothing_to_do_with_it(self) -> None:
        finding, _ = diagnose(sent(BEGUN - 500, 100), BEGUN + 50, BEGUN + 50)
        self.assertEqual(finding, Finding(Kind.INSERTED, 50, 100))

    def test_an_earlier_connection_did_not_send_what_is_expected_either(self) -> None:
        finding, _ = diagnose(sent(BEGUN - 500, 100), BEGUN + 50, BEGUN + 200)
        self.assertEqual(finding, Finding(Kind.CORRUPT, 50, 100))

    def test_just_enough_to_be_recognised(self) -> None:
        """As many bytes as tell that they came before, at the end and behind it."""
        for end in (BEGUN + 5000 + PROBE_BYTES, BEGUN + 5000):
            finding, _ = diagnose(sent(BEGUN + 4900, PROBE_BYTES), BEGUN + 5000, end)
            self.assertEqual(finding, Finding(Kind.DUPLICATED, 5000, 100))

    def test_nothing_at_all(self) -> None:
        self.assertEqual(diagnose(b"", BEGUN + 9, BEGUN + 9)[0], Finding(Kind.INSERTED, 9, 0))

    def test_full(self) -> None:
        diagnosis = Diagnosis(PAYLOAD, BEGUN, BEGUN)
        for _ in range(2):
            self.assertFalse(diagnosis.full)
            diagnosis.received(bytes(SEARCH_BYTES))
        self.assertTrue(diagnosis.full)
        diagnosis.received(bytes(SEARCH_BYTES))
        self.assertEqual(len(diagnosis._wrong), 2 * SEARCH_BYTES)


class GreetingTests(SynchronousTestCase):
    def test_in_front_of_what_was_sent(self) -> None:
        for greeting in (b"Welcome\r\n", b"Hi"):
            came = greeting + sent(BEGUN, 64)
            self.assertEqual(diagnose(came, BEGUN, BEGUN + 64)[1], greeting)

    def test_before_anything_was_sent(self) -> None:
        self.assertEqual(diagnose(b"Welcome\r\n", BEGUN, BEGUN)[1], b"Welcome\r\n")

    def test_one_that_begins_as_the_stream_does(self) -> None:
        """Its first bytes were taken for what was sent, before the rest of it came."""
        first = sent(BEGUN, 2)
        self.assertEqual(diagnose(b"elcome\r\n" + sent(BEGUN, 64), BEGUN + 2, BEGUN + 64)[1], first + b"elcome\r\n")

    def test_not_what_came_in_place_of_the_stream(self) -> None:
        self.assertIsNone(diagnose(bytes(64), BEGUN, BEGUN + 64)[1])

    def test_not_what_came_after_the_stream_had_begun(self) -> None:
        wrong = b"elcome\r\n" + sent(BEGUN, 64)
        self.assertIsNotNone(diagnose(wrong, BEGUN + PROBE_BYTES - 1, BEGUN + 64)[1])
        self.assertIsNone(diagnose(wrong, BEGUN + PROBE_BYTES, BEGUN + 64)[1])

    def test_not_what_came_later(self) -> None:
        wrong = b"Welcome\r\n" + sent(BEGUN + 640, 64)
        finding, greeting = diagnose(wrong, BEGUN + 640, BEGUN + 704)
        self.assertEqual((finding, greeting), (Finding(Kind.INSERTED, 640, 9), None))


class ShownTests(SynchronousTestCase):
    def test_escaped_and_short(self) -> None:
        """E3: what a peer sends can't begin a line of its own, nor steer the terminal."""
        self.assertEqual(shown(b"Hi\r\n\x1b[31m\xff"), r"'Hi\r\n\x1b[31m\xff'")
        self.assertEqual(MAX_SHOWN_BYTES, 40)
        self.assertEqual(shown(b"x" * MAX_SHOWN_BYTES), f"'{'x' * MAX_SHOWN_BYTES}'")
        self.assertEqual(shown(b"x" * 10_000), f"'{'x' * MAX_SHOWN_BYTES}'…")
