from collections.abc import Iterator
from random import Random

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.messages import DRAWN_BYTES, HELLO, MAX_DRAWN, Messages, Settings, Supply
from echoproto.load.client.payload import QuickPayload
from echoproto.load.histogram import Histogram, Times

sizes = strategies.tuples(strategies.integers(1, 300), strategies.integers(0, 9000)).map(lambda s: (s[0], sum(s)))
cuts = strategies.lists(strategies.integers(1, 5000), min_size=1, max_size=6)
H_FIRST = next(number for number in range(10_000) if QuickPayload(1, number).read(0, 1) == b"H")
"""A stream whose first byte is that of the greeting."""


def make(
    number: int = 3,
    *,
    size: tuple[int, int] = (10, 10),
    greeting: bytes | None = b"",
    count: int = 1 << 62,
    response: Times | None = None,
    ahead: int = MAX_DRAWN,
) -> Messages:
    supply = Supply(2)
    supply.left = count
    settings = Settings(
        seed=1,
        smallest=size[0],
        largest=size[1],
        greeting=greeting,
        supply=supply,
        service=Times(),
        response=response,
        ahead=ahead,
    )
    return Messages(number, settings)


def send(messages: Messages, count: int, now: int = 0) -> bytes:
    """Begin so many messages; gives their bytes."""
    return b"".join(messages.begin(now, now) or b"" for _ in range(count))


def portions(data: bytes, lengths: list[int]) -> Iterator[bytes]:
    turn = 0
    while data:
        length = lengths[turn % len(lengths)]
        yield data[:length]
        data = data[length:]
        turn += 1


def times_of(times: Times) -> Histogram:
    histogram = Histogram()
    times.move(histogram)
    return histogram


class SupplyTests(SynchronousTestCase):
    @given(strategies.integers(0, 10_000), strategies.integers(1, 100), strategies.integers(1, 64))
    def test_all_of_it_is_given_out_and_nobody_gets_it_all(self, count: int, streams: int, wanted: int) -> None:
        supply = Supply(streams)
        supply.left = count
        taken = []
        while share := supply.take(wanted):
            taken.append(share)
        self.assertEqual((sum(taken), supply.left), (count, 0))
        self.assertLessEqual(max(taken, default=0), max(1, count // (2 * streams)))

    def test_shares(self) -> None:
        """Nobody gets more than half of what would be each one's."""
        supply = Supply(10)
        self.assertEqual((supply.left, supply.take(5)), (0, 0))
        supply.left = 1000
        self.assertEqual((supply.take(1000), supply.left), (50, 950))


class DrawnAheadTests(SynchronousTestCase):
    """Messages drawn in advance."""

    def test_how_many(self) -> None:
        """As many as 4 KiB hold, at least 1, and 64 at the most."""
        for size, count in ((1, 64), (64, 64), (65, 63), (241, 16), (2048, 2), (5000, 1)):
            messages = make(size=(size, size))
            messages.draw()
            self.assertEqual(len(messages.drawn), count)

    def test_sizes_are_the_same_each_time(self) -> None:
        """Those of a seed and a stream, so that a run can be repeated with a later version, too."""
        messages = make(number=3, size=(10, 1000))
        messages.draw()
        draw = Random("1 3 sizes").random
        self.assertEqual([len(each) for each in reversed(messages.drawn)], [10 + int(draw() * 991) for _ in range(4)])

    def test_the_connection_begins_with_the_first(self) -> None:
        """Whatever is drawn after that; only the first message must not begin as a greeting does."""
        messages = make(H_FIRST, size=(5000, 5000), greeting=None)
        send(messages, 1)
        begun = messages.begun
        send(messages, 3)
        self.assertEqual((begun, messages.begun), (1, 1))


class InFlightTests(SynchronousTestCase):
    def test_one_that_is_kept_apart_comes_back(self) -> None:
        messages = make(number=7)
        self.assertEqual((messages.number, messages.sent_at, messages.in_flight), (7, 0, 0))
        message = send(messages, 1)
        messages.enter_fast_path()
        self.assertEqual((messages.expected, len(messages.flight)), (message, 0))
        self.assertEqual(messages.received(message, 5), b"")
        self.assertEqual((messages.expected, messages.in_flight), (None, 0))

    def test_one_that_is_kept_apart_at_the_end(self) -> None:
        """Messages that did not come back count as unknown by default, not as lost."""
        messages = make()
        send(messages, 1)
        messages.enter_fast_path()
        messages.finish(messages.missing)
        self.assertEqual((messages.in_flight, messages.unknown, messages.lost), (0, 10, 0))


class StreamTests(SynchronousTestCase):
    @given(sizes, cuts, strategies.integers(1, 20), strategies.booleans())
    def test_what_comes_back_as_it_was_sent(
        self, size: tuple[int, int], lengths: list[int], window: int, fast: bool
    ) -> None:
        """However large messages are, however many are in flight, and however they are cut on their way."""
        messages = make(size=size)
        total = b""
        for _ in range(5):
            sent = send(messages, window)
            total += sent
            if fast:
                messages.enter_fast_path()
            for part in portions(sent, lengths):
                self.assertEqual(messages.received(part, 1_000_000), b"")
            self.assertEqual((messages.in_flight, messages.missing), (0, 0))
        self.assertEqual(total, QuickPayload(1, 3).read(0, len(total)))
        self.assertEqual((messages.sent, messages.acked, messages.position), (len(total), len(total), len(total)))
        self.assertEqual(times_of(messages._settings.service).count, 5 * window)

    @given(sizes)
    def test_sizes(self, size: tuple[int, int]) -> None:
        messages = make(size=size)
        drawn = {len(messages.begin(0, 0) or b"") for _ in range(100)}
        self.assertTrue(size[0] <= min(drawn) and max(drawn) <= size[1])
        again = make(size=size)
        self.assertEqual([again.begin(0, 0) for _ in range(100)], [message for message, _, _ in messages.flight])

    def test_all_sizes_are_drawn(self) -> None:
        messages = make(size=(1, 3))
        self.assertEqual({len(messages.begin(0, 0) or b"") for _ in range(200)}, {1, 2, 3})

    def test_drawn_ahead(self) -> None:
        for size, drawn in ((10, MAX_DRAWN), (1000, DRAWN_BYTES // 1000), (1 << 20, 1)):
            messages = make(size=(size, size))
            messages.begin(0, 0)
            self.assertEqual(len(messages.drawn), drawn - 1)
            self.assertEqual((messages.sent, messages.drawn_unsent), (size, size * (drawn - 1)))
            messages.give_back()
            self.assertEqual((messages.sent, messages.missing, messages.drawn_unsent), (size, size, 0))

    def test_no_more(self) -> None:
        messages = make(count=3)
        self.assertEqual([len(messages.begin(0, 0) or b"") for _ in range(4)], [10, 10, 10, 0])

    def test_times(self) -> None:
        messages = make(response=Times())
        self.assertEqual(messages.received(messages.begin(5_000_000, 2_000_000) or b"", 9_000_000), b"")
        settings = messages._settings
        assert settings.response is not None
        self.assertEqual(times_of(settings.service).percentile(100) // 1000, 4)
        self.assertEqual(times_of(settings.response).percentile(100) // 1000, 7)


class FastPathTests(SynchronousTestCase):
    def test_one_message(self) -> None:
        messages = make()
        message = messages.begin(7, 7)
        messages.enter_fast_path()
        self.assertEqual((messages.expected, messages.sent_at, messages.in_flight), (message, 7, 1))
        self.assertEqual((messages.sent, messages.acked, messages.missing, messages.position), (10, 0, 10, 0))
        messages.leave_fast_path()
        self.assertEqual((messages.expected, list(messages.flight)), (None, [(message, 7, 7)]))

    def test_not_what_there_is_more_to_think_of(self) -> None:
        two, part, greeted, stuck = make(), make(), make(greeting=None), make()
        send(two, 2)
        part.received(send(part, 1)[:3], 0)
        send(greeted, 1)
        stuck.unsent = memoryview(send(stuck, 1))[4:]
        for messages in (two, part, greeted, stuck, make()):
            messages.enter_fast_path()
            self.assertIsNone(messages.expected)
        self.assertEqual((stuck.sent, stuck.missing, stuck.acked, stuck.position), (4, 4, 0, 0))


class WrongTests(SynchronousTestCase):
    @given(sizes, cuts, strategies.data())
    def test_one_wrong_byte(self, size: tuple[int, int], lengths: list[int], data: strategies.DataObject) -> None:
        """The returned bytes begin at or before the wrong byte, and `position` tells where."""
        messages = make(size=size)
        sent = send(messages, 4)
        place = data.draw(strategies.integers(0, len(sent) - 1))
        came = bytearray(sent)
        came[place] ^= 1
        position = 0
        for part in portions(bytes(came), lengths):
            wrong = messages.received(part, 0)
            position += len(part)
            if wrong:
                break
        self.assertEqual(messages.position, position - len(wrong))
        self.assertTrue(messages.position <= place < position)

    def test_more_than_was_sent(self) -> None:
        messages = make()
        self.assertEqual(messages.received(send(messages, 1) + b"more", 0), b"more")
        self.assertEqual(make().received(b"unasked", 0), b"unasked")


class GreetingTests(SynchronousTestCase):
    @given(cuts, strategies.sampled_from([None, HELLO, b"Hi there, all of you\r\n"]), strategies.booleans())
    def test_one_that_is_known(self, lengths: list[int], greeting: bytes | None, early: bool) -> None:
        messages = make(greeting=greeting)
        due = HELLO if greeting is None else greeting
        self.assertEqual(messages.greeting_due, greeting is not None)
        sent = send(messages, 3) if early else b""
        for part in portions(due + sent, lengths):
            self.assertEqual(messages.received(part, 0), b"")
        self.assertFalse(messages.greeting_due)
        self.assertEqual(messages.received(send(messages, 2), 0), b"")
        self.assertEqual(messages.acked, len(sent) + 20)

    def test_none_is_fine_if_none_is_due(self) -> None:
        for greeting in (None, b""):
            messages = make(greeting=greeting)
            self.assertEqual(messages.received(send(messages, 1), 0), b"")
            messages.begin(0, 0)
            messages.enter_fast_path()
            self.assertIsNotNone(messages.expected)

    def test_another_one(self) -> None:
        """What came in place of it is given back from its first byte on, as far as there is something to be seen."""
        for greeting in (None, HELLO):
            messages = make(greeting=greeting)
            self.assertEqual(messages.received(b"Hel", 0), b"")
            self.assertEqual(messages.received(b"p!", 0), b"Help!")
        messages = make(greeting=b"")
        send(messages, 1)
        self.assertEqual(messages.received(HELLO, 0), HELLO)

    @given(strategies.booleans())
    def test_what_is_sent_first_never_looks_like_one(self, greeted: bool) -> None:
        messages = make(H_FIRST, greeting=None, size=(1, 1))
        sent = send(messages, 1)
        self.assertNotEqual(sent, b"H")
        self.assertEqual(messages.received(HELLO[: 6 * greeted] + sent, 0), b"")
        self.assertEqual((messages.sent, messages.acked, messages.position - messages.begun), (1, 1, 1))
        self.assertEqual(send(make(H_FIRST, size=(1, 1)), 1), b"H")


class ConnectionTests(SynchronousTestCase):
    """One connection after another."""

    def test_what_did_not_come_back(self) -> None:
        for lost, unknown in ((0, 23), (23, 0), (5, 18)):
            messages = make(ahead=1)
            sent = send(messages, 3)
            messages.unsent = memoryview(sent)[28:]
            messages.received(sent[:5], 0)
            self.assertEqual((messages.sent, messages.acked, messages.missing), (28, 5, 23))
            messages.finish(messages.missing, lost=lost)
            self.assertEqual((messages.lost, messages.unknown, messages.in_flight), (lost, unknown, 0))
            self.assertEqual((messages.sent, messages.acked, messages.missing), (28, 5, 0))
            messages.renew()
            self.assertEqual(messages.begun, 30)
            self.assertEqual(messages.received(send(messages, 1), 0), b"")
            self.assertEqual((messages.sent, messages.acked, messages.position), (38, 15, 40))

    def test_each_is_greeted(self) -> None:
        messages = make(greeting=HELLO, ahead=1)
        for _ in range(2):
            self.assertTrue(messages.greeting_due)
            self.assertEqual(messages.received(HELLO, 0), b"")
            self.assertEqual(messages.received(send(messages, 1), 0), b"")
            messages.renew()

    def test_a_message_that_was_drawn_for_one_is_for_the_next(self) -> None:
        messages = make(ahead=1)
        self.assertTrue(messages.draw())
        messages.renew()
        self.assertEqual((messages.begun, len(messages.drawn)), (0, 1))
        self.assertEqual(send(messages, 1), QuickPayload(1, 3).read(0, 10))
