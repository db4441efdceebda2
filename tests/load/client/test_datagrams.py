from collections import Counter

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.datagrams import HEADER, MAX_REMEMBERED, MIN_DATAGRAM_BYTES, Datagrams, Harm, count_lost
from echoproto.load.client.messages import Settings, Supply
from echoproto.load.histogram import Times

orders = strategies.permutations(range(8))


def make(number: int = 3, *, smallest: int = 16, largest: int = 100, rate: bool = False) -> Datagrams:
    settings = Settings(
        seed=0x12345,
        smallest=smallest,
        largest=largest,
        greeting=None,
        supply=Supply(1),
        service=Times(),
        response=Times() if rate else None,
    )
    return Datagrams(number, settings)


class GoodTests(SynchronousTestCase):
    @given(strategies.integers(16, 70), strategies.integers(0, 2000), strategies.integers(1, 20))
    def test_all_come_back(self, smallest: int, more: int, window: int) -> None:
        datagrams = make(smallest=smallest, largest=smallest + more, rate=True)
        seen: set[bytes] = set()
        for turn in range(3):
            sent = [datagrams.begin(turn, turn) for _ in range(window)]
            self.assertEqual(len(datagrams.flight), window)
            for data in sent:
                self.assertTrue(smallest <= len(data) <= smallest + more)
                self.assertIsNone(datagrams.received(data, turn + 1))
            seen.update(sent)
        self.assertEqual(len(seen), 3 * window)
        total = sum(map(len, seen))
        self.assertEqual((datagrams.sent, datagrams.acked, datagrams.lost, datagrams.unknown), (total, total, 0, 0))
        settings = datagrams._settings
        assert settings.response is not None
        self.assertEqual((settings.service.move(), settings.response.move()), (3 * window, 3 * window))

    def test_layout(self) -> None:
        data = make(largest=40).begin(0, 0)
        self.assertEqual(HEADER.unpack_from(data), (b"El", 0x2345, 3, 0))

    def test_no_two_sockets_send_the_same(self) -> None:
        sent = {make(number, smallest=100).begin(0, 0)[MIN_DATAGRAM_BYTES:] for number in range(20)}
        self.assertEqual(len(sent), 20)

    def test_not_sent_after_all(self) -> None:
        datagrams = make()
        datagrams.take_back(datagrams.begin(0, 0))
        self.assertEqual((datagrams.sent, len(datagrams.flight)), (0, 0))


class HarmTests(SynchronousTestCase):
    def assert_harm(self, came: bytes, harm: Harm, *, smallest: int = 64) -> None:
        """Of two in flight, it is the one that is known by what has come; the other one is fine."""
        datagrams = make(smallest=smallest, largest=smallest)
        one, other = datagrams.begin(0, 0), datagrams.begin(0, 0)
        self.assertEqual(datagrams.received(came, 1), harm)
        self.assertEqual(len(datagrams.flight), 1)
        self.assertIsNone(datagrams.received(other, 1))
        self.assertEqual((datagrams.acked, datagrams.unknown), (len(other), len(one)))

    def test_truncated(self) -> None:
        data = make(smallest=64, largest=64).begin(0, 0)
        for size in (0, 1, 15, 16, 17, 63):
            self.assert_harm(data[:size], Harm("truncated", f"socket 3: datagram 0 truncated from 64 bytes to {size}"))

    @given(strategies.integers(0, 8 * 64 - 1))
    def test_a_flipped_bit(self, place: int) -> None:
        """Also in the header, whose number may be that of the other one then."""
        data = make(smallest=64, largest=64).begin(0, 0)
        byte, bit = divmod(place, 8)
        came = data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :]
        datagrams = make(smallest=64, largest=64)
        datagrams.begin(0, 0)
        harm = datagrams.received(came, 1)
        self.assertEqual(harm, Harm("corrupt", f"socket 3: datagram 0 corrupt at offset {byte}"))
        self.assertEqual((len(datagrams.flight), datagrams.unknown), (0, 64))

    def test_a_flipped_bit_where_there_is_nothing_but_a_header(self) -> None:
        data = make(smallest=16, largest=16).begin(0, 0)
        came = data[:5] + b"\x80" + data[6:]
        self.assert_harm(came, Harm("corrupt", "socket 3: datagram 0 corrupt at offset 5"), smallest=16)

    def test_longer(self) -> None:
        data = make(smallest=64, largest=64).begin(0, 0)
        self.assert_harm(data + b"xyz", Harm("inserted", "socket 3: datagram 0: 3 bytes inserted at offset 64"))

    def test_twice(self) -> None:
        datagrams = make()
        data = datagrams.begin(0, 0)
        self.assertIsNone(datagrams.received(data, 1))
        self.assertEqual(datagrams.received(data, 2), Harm("duplicated", "socket 3: datagram 0 duplicated"))
        self.assertEqual((datagrams.acked, datagrams.sent), (len(data), len(data)))

    def test_something_else(self) -> None:
        other_socket, next_one = make(4).begin(0, 0), make()
        next_one.begin(0, 0)
        for came in (b"what?" * 10, b"?", other_socket, next_one.begin(0, 0)):
            datagrams = make(smallest=64, largest=64)
            datagrams.begin(0, 0)
            what = "1 byte that was" if len(came) == 1 else f"{len(came)} bytes that were"
            words = f"socket 3: {what} not sent by it"
            self.assertEqual(datagrams.received(came, 1), Harm("inserted", words))
            self.assertEqual(len(datagrams.flight), 1)

    @given(orders)
    def test_in_another_order(self, order: list[int]) -> None:
        """Each that comes after a later one is reordered, and has come back all the same."""
        datagrams = make()
        sent = [datagrams.begin(0, 0) for _ in order]
        newest = -1
        for number in order:
            harm = datagrams.received(sent[number], 1)
            self.assertEqual(harm is not None, number < newest)
            if harm is not None:
                self.assertEqual(harm, Harm("reordered", f"socket 3: datagram {number} came after datagram {newest}"))
            newest = max(newest, number)
        self.assertEqual(datagrams.acked, datagrams.sent)


class LossTests(SynchronousTestCase):
    @given(strategies.sets(strategies.integers(0, 9)), strategies.sets(strategies.integers(0, 9)))
    def test_in_time_late_or_never(self, in_time: set[int], late: set[int]) -> None:
        datagrams = make()
        sent = [datagrams.begin(number, number) for number in range(10)]
        for number in sorted(in_time):
            datagrams.received(sent[number], 20)
        never = [number for number in range(10) if number not in in_time]
        self.assertEqual(datagrams.expire(10), [f"socket 3: datagram {number} not back in time" for number in never])
        self.assertEqual((datagrams.lost_datagrams, len(datagrams.flight)), (len(never), 0))
        for number in sorted(late - in_time):
            datagrams.received(sent[number], 99)
        never = [number for number in never if number not in late]
        self.assertEqual(datagrams.lost_datagrams, len(never))
        self.assertEqual(datagrams.lost, sum(len(sent[number]) for number in never))
        self.assertEqual(datagrams.sent, datagrams.acked + datagrams.lost)

    def test_only_what_was_sent_before(self) -> None:
        datagrams = make()
        for now in range(5):
            datagrams.begin(now, now)
        self.assertEqual(len(datagrams.expire(3)), 3)
        self.assertEqual(len(datagrams.flight), 2)

    def test_not_all_that_is_lost_is_remembered(self) -> None:
        datagrams = make(smallest=16, largest=16)
        first, *_ = [datagrams.begin(0, 0) for _ in range(MAX_REMEMBERED + 1)]
        datagrams.expire(1)
        self.assertEqual(datagrams.received(first, 2), Harm("duplicated", "socket 3: datagram 0 duplicated"))
        self.assertEqual(datagrams.lost_datagrams, MAX_REMEMBERED + 1)

    def test_abandoned(self) -> None:
        datagrams = make()
        datagrams.begin(0, 0)
        datagrams.abandon()
        self.assertEqual(
            (datagrams.unknown, datagrams.sent, len(datagrams.flight)), (datagrams.sent, datagrams.sent, 0)
        )

    def test_counted(self) -> None:
        datagrams, findings = make(), Counter({"corrupt": 1})
        data = datagrams.begin(0, 0)
        datagrams.expire(1)
        count_lost([datagrams, make(4)], findings)
        self.assertEqual(findings, {"corrupt": 1, "lost": 1})
        datagrams.received(data, 5)
        count_lost([datagrams, make(4)], findings)
        self.assertEqual(findings, {"corrupt": 1})
