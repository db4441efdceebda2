from collections.abc import Iterator
from random import Random

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.messages import BATCH, HELLO, MOST_AHEAD, Exchange, Settings, Supply
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
    ahead: int = MOST_AHEAD,
) -> Exchange:
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
    return Exchange(number, settings)


def send(exchange: Exchange, count: int, now: int = 0) -> bytes:
    """Begin so many messages; gives their bytes."""
    return b"".join(exchange.begin(now, now) or b"" for _ in range(count))


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
            exchange = make(size=(size, size))
            exchange.draw()
            self.assertEqual(len(exchange.messages), count)

    def test_sizes_are_the_same_each_time(self) -> None:
        """Those of a seed and a stream, so that a run can be repeated with a later version, too."""
        exchange = make(number=3, size=(10, 1000))
        exchange.draw()
        draw = Random("1 3 sizes").random
        self.assertEqual(
            [len(each) for each in reversed(exchange.messages)], [10 + int(draw() * 991) for _ in range(4)]
        )

    def test_the_connection_begins_with_the_first(self) -> None:
        """Whatever is drawn after that; only the first message must not begin as a greeting does."""
        exchange = make(H_FIRST, size=(5000, 5000), greeting=None)
        send(exchange, 1)
        begun = exchange.begun
        send(exchange, 3)
        self.assertEqual((begun, exchange.begun), (1, 1))


class InFlightTests(SynchronousTestCase):
    def test_one_that_is_kept_apart_comes_back(self) -> None:
        exchange = make(number=7)
        self.assertEqual((exchange.number, exchange.sent_at, exchange.in_flight), (7, 0, 0))
        message = send(exchange, 1)
        exchange.settle()
        self.assertEqual((exchange.expected, len(exchange.flight)), (message, 0))
        self.assertEqual(exchange.received(message, 5), b"")
        self.assertEqual((exchange.expected, exchange.in_flight), (None, 0))

    def test_one_that_is_kept_apart_at_the_end(self) -> None:
        """Messages that did not come back count as unknown by default, not as lost."""
        exchange = make()
        send(exchange, 1)
        exchange.settle()
        exchange.finish(exchange.missing)
        self.assertEqual((exchange.in_flight, exchange.unknown, exchange.lost), (0, 10, 0))


class StreamTests(SynchronousTestCase):
    @given(sizes, cuts, strategies.integers(1, 20), strategies.booleans())
    def test_what_comes_back_as_it_was_sent(
        self, size: tuple[int, int], lengths: list[int], window: int, hurried: bool
    ) -> None:
        """However large messages are, however many are in flight, and however they are cut on their way."""
        exchange = make(size=size)
        total = b""
        for _ in range(5):
            sent = send(exchange, window)
            total += sent
            if hurried:
                exchange.settle()
            for part in portions(sent, lengths):
                self.assertEqual(exchange.received(part, 1_000_000), b"")
            self.assertEqual((exchange.in_flight, exchange.missing), (0, 0))
        self.assertEqual(total, QuickPayload(1, 3).read(0, len(total)))
        self.assertEqual((exchange.sent, exchange.acked, exchange.place), (len(total), len(total), len(total)))
        self.assertEqual(times_of(exchange._settings.service).count, 5 * window)

    @given(sizes)
    def test_sizes(self, size: tuple[int, int]) -> None:
        exchange = make(size=size)
        drawn = {len(exchange.begin(0, 0) or b"") for _ in range(100)}
        self.assertTrue(size[0] <= min(drawn) and max(drawn) <= size[1])
        again = make(size=size)
        self.assertEqual([again.begin(0, 0) for _ in range(100)], [message for message, _, _ in exchange.flight])

    def test_all_sizes_are_drawn(self) -> None:
        exchange = make(size=(1, 3))
        self.assertEqual({len(exchange.begin(0, 0) or b"") for _ in range(200)}, {1, 2, 3})

    def test_drawn_ahead(self) -> None:
        for size, drawn in ((10, MOST_AHEAD), (1000, BATCH // 1000), (1 << 20, 1)):
            exchange = make(size=(size, size))
            exchange.begin(0, 0)
            self.assertEqual(len(exchange.messages), drawn - 1)
            self.assertEqual((exchange.sent, exchange.undealt), (size, size * (drawn - 1)))
            exchange.give_back()
            self.assertEqual((exchange.sent, exchange.missing, exchange.undealt), (size, size, 0))

    def test_no_more(self) -> None:
        exchange = make(count=3)
        self.assertEqual([len(exchange.begin(0, 0) or b"") for _ in range(4)], [10, 10, 10, 0])

    def test_times(self) -> None:
        exchange = make(response=Times())
        self.assertEqual(exchange.received(exchange.begin(5_000_000, 2_000_000) or b"", 9_000_000), b"")
        settings = exchange._settings
        assert settings.response is not None
        self.assertEqual(times_of(settings.service).percentile(100) // 1000, 4)
        self.assertEqual(times_of(settings.response).percentile(100) // 1000, 7)


class SettleTests(SynchronousTestCase):
    def test_one_message(self) -> None:
        exchange = make()
        message = exchange.begin(7, 7)
        exchange.settle()
        self.assertEqual((exchange.expected, exchange.sent_at, exchange.in_flight), (message, 7, 1))
        self.assertEqual((exchange.sent, exchange.acked, exchange.missing, exchange.place), (10, 0, 10, 0))
        exchange.unsettle()
        self.assertEqual((exchange.expected, list(exchange.flight)), (None, [(message, 7, 7)]))

    def test_not_what_there_is_more_to_think_of(self) -> None:
        two, part, greeted, stuck = make(), make(), make(greeting=None), make()
        send(two, 2)
        part.received(send(part, 1)[:3], 0)
        send(greeted, 1)
        stuck.unsent = memoryview(send(stuck, 1))[4:]
        for exchange in (two, part, greeted, stuck, make()):
            exchange.settle()
            self.assertIsNone(exchange.expected)
        self.assertEqual((stuck.sent, stuck.missing, stuck.acked, stuck.place), (4, 4, 0, 0))


class WrongTests(SynchronousTestCase):
    @given(sizes, cuts, strategies.data())
    def test_one_wrong_byte(self, size: tuple[int, int], lengths: list[int], data: strategies.DataObject) -> None:
        """What is given back begins at or before the wrong byte, and `place` tells where."""
        exchange = make(size=size)
        sent = send(exchange, 4)
        place = data.draw(strategies.integers(0, len(sent) - 1))
        came = bytearray(sent)
        came[place] ^= 1
        position = 0
        for part in portions(bytes(came), lengths):
            wrong = exchange.received(part, 0)
            position += len(part)
            if wrong:
                break
        self.assertEqual(exchange.place, position - len(wrong))
        self.assertTrue(exchange.place <= place < position)

    def test_more_than_was_sent(self) -> None:
        exchange = make()
        self.assertEqual(exchange.received(send(exchange, 1) + b"more", 0), b"more")
        self.assertEqual(make().received(b"unasked", 0), b"unasked")


class GreetingTests(SynchronousTestCase):
    @given(cuts, strategies.sampled_from([None, HELLO, b"Hi there, all of you\r\n"]), strategies.booleans())
    def test_one_that_is_known(self, lengths: list[int], greeting: bytes | None, early: bool) -> None:
        exchange = make(greeting=greeting)
        due = HELLO if greeting is None else greeting
        self.assertEqual(exchange.greeting_due, greeting is not None)
        sent = send(exchange, 3) if early else b""
        for part in portions(due + sent, lengths):
            self.assertEqual(exchange.received(part, 0), b"")
        self.assertFalse(exchange.greeting_due)
        self.assertEqual(exchange.received(send(exchange, 2), 0), b"")
        self.assertEqual(exchange.acked, len(sent) + 20)

    def test_none_is_fine_if_none_is_due(self) -> None:
        for greeting in (None, b""):
            exchange = make(greeting=greeting)
            self.assertEqual(exchange.received(send(exchange, 1), 0), b"")
            exchange.begin(0, 0)
            exchange.settle()
            self.assertIsNotNone(exchange.expected)

    def test_another_one(self) -> None:
        """What came in place of it is given back from its first byte on, as far as there is something to be seen."""
        for greeting in (None, HELLO):
            exchange = make(greeting=greeting)
            self.assertEqual(exchange.received(b"Hel", 0), b"")
            self.assertEqual(exchange.received(b"p!", 0), b"Help!")
        exchange = make(greeting=b"")
        send(exchange, 1)
        self.assertEqual(exchange.received(HELLO, 0), HELLO)

    @given(strategies.booleans())
    def test_what_is_sent_first_never_looks_like_one(self, greeted: bool) -> None:
        exchange = make(H_FIRST, greeting=None, size=(1, 1))
        sent = send(exchange, 1)
        self.assertNotEqual(sent, b"H")
        self.assertEqual(exchange.received(HELLO[: 6 * greeted] + sent, 0), b"")
        self.assertEqual((exchange.sent, exchange.acked, exchange.place - exchange.begun), (1, 1, 1))
        self.assertEqual(send(make(H_FIRST, size=(1, 1)), 1), b"H")


class ConnectionTests(SynchronousTestCase):
    """One connection after another."""

    def test_what_did_not_come_back(self) -> None:
        for lost, unknown in ((0, 23), (23, 0), (5, 18)):
            exchange = make(ahead=1)
            sent = send(exchange, 3)
            exchange.unsent = memoryview(sent)[28:]
            exchange.received(sent[:5], 0)
            self.assertEqual((exchange.sent, exchange.acked, exchange.missing), (28, 5, 23))
            exchange.finish(exchange.missing, lost=lost)
            self.assertEqual((exchange.lost, exchange.unknown, exchange.in_flight), (lost, unknown, 0))
            self.assertEqual((exchange.sent, exchange.acked, exchange.missing), (28, 5, 0))
            exchange.renew()
            self.assertEqual(exchange.begun, 30)
            self.assertEqual(exchange.received(send(exchange, 1), 0), b"")
            self.assertEqual((exchange.sent, exchange.acked, exchange.place), (38, 15, 40))

    def test_each_is_greeted(self) -> None:
        exchange = make(greeting=HELLO, ahead=1)
        for _ in range(2):
            self.assertTrue(exchange.greeting_due)
            self.assertEqual(exchange.received(HELLO, 0), b"")
            self.assertEqual(exchange.received(send(exchange, 1), 0), b"")
            exchange.renew()

    def test_a_message_that_was_drawn_for_one_is_for_the_next(self) -> None:
        exchange = make(ahead=1)
        self.assertTrue(exchange.draw())
        exchange.renew()
        self.assertEqual((exchange.begun, len(exchange.messages)), (0, 1))
        self.assertEqual(send(exchange, 1), QuickPayload(1, 3).read(0, 10))
