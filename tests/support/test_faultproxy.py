import contextlib
import errno
import select
import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from math import inf

from twisted.trial.unittest import SynchronousTestCase

from tests.support.clients import PATIENCE, exchange, payload, receive, reset
from tests.support.faultproxy import FaultProxy, Link
from tests.support.schedule import Fault, FaultKind, Way

TCP_INFO_DATA_SEGS_IN = 152
"""Offset of the number of data segments in Linux's struct tcp_info (linux/tcp.h)."""


def quiet(end: socket.socket, seconds: float) -> bool:
    """Return true if nothing can be read within some seconds."""
    return not select.select([end], [], [], seconds)[0]


class ProxyCase(SynchronousTestCase):
    """The test is both the client and the server."""

    def setUp(self) -> None:
        self.proxy = self.enterContext(FaultProxy())
        self.listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))

    def link(self, fault: Fault | None = None, seed: int = 1) -> tuple[socket.socket, socket.socket, Link]:
        """The client's end, the server's end, and what is between them."""
        client, link = self.proxy.connect(lambda: socket.create_connection(self.listener.getsockname()), fault, seed)
        server = self.listener.accept()[0]
        for end in (client, server):
            end.settimeout(PATIENCE)
            self.addCleanup(end.close)
        return client, server, link

    def passed(self, link: Link) -> tuple[int, int]:
        """Return the number of forwarded bytes in each direction."""
        return link.up.passed, link.down.passed

    def assert_soon(self, measure: Callable[[], object], expected: object) -> None:
        """The proxy counts a moment after it has passed something on."""
        deadline = time.monotonic() + PATIENCE
        while (measured := measure()) != expected:
            self.assertLess(time.monotonic(), deadline, measured)

    def assert_reset(self, end: socket.socket) -> None:
        error = self.assertRaises(ConnectionResetError, end.recv, 1)
        self.assertEqual(error.errno, errno.ECONNRESET)


class NoFaultTests(ProxyCase):
    def test_passes_on_what_comes_both_ways(self) -> None:
        client, server, _ = self.link()
        client.sendall(b"to the server")
        server.sendall(b"to the client")
        self.assertEqual((receive(server, 13), receive(client, 13)), (b"to the server", b"to the client"))

    def test_much_both_ways_at_once(self) -> None:
        data, answer = payload(4 << 20, 1), payload(4 << 20, 2)
        client, server, link = self.link()
        got: list[bytes] = []
        other = threading.Thread(target=lambda: got.append(exchange(server, answer)))
        other.start()
        self.assertTrue(exchange(client, data) == answer)
        other.join(PATIENCE)
        self.assertTrue(got == [data])
        self.assert_soon(partial(self.passed, link), (4 << 20, 4 << 20))
        self.assert_soon(partial(getattr, link, "over"), True)

    def test_a_half_close_is_a_half_close(self) -> None:
        for first, second in ((0, 1), (1, 0)):
            ends = self.link()[:2]
            one, two = ends[first], ends[second]
            one.sendall(b"last")
            one.shutdown(socket.SHUT_WR)
            self.assertEqual(receive(two, 5), b"last")
            self.assertEqual(two.recv(1), b"")
            two.sendall(b"still here")
            self.assertEqual(receive(one, 10), b"still here")
            self.assertTrue(quiet(one, 0.05), "the other side was closed, too")
            two.close()
            self.assertEqual(one.recv(1), b"")

    def test_a_reset_is_a_reset(self) -> None:
        for first, second in ((0, 1), (1, 0)):
            ends = self.link()[:2]
            reset(ends[first])
            self.assert_reset(ends[second])

    def test_a_reset_does_not_overtake_what_was_sent_before(self) -> None:
        """Found by reading from who resets."""
        client, server, link = self.link(Fault(FaultKind.BANDWIDTH, Way.DOWN, rate=200_000))
        server.sendall(payload(20_000))
        client.sendall(b"x")
        self.assertEqual(receive(client, 1), payload(1))
        self.assert_soon(lambda: link.up.passed, 1)
        server.close()  # with a byte unread, which makes it a reset
        self.assertEqual(receive(client, 19_999), payload(20_000)[1:])
        self.assert_reset(client)

    def test_nor_does_a_refusal(self) -> None:
        """Found by sending to who has closed."""
        client, server, _ = self.link(Fault(FaultKind.BANDWIDTH, Way.DOWN, rate=200_000))
        server.sendall(payload(20_000))
        server.close()
        self.assertEqual(receive(client, 1), payload(1))
        with self.assertRaises(ConnectionError):
            for _ in range(100_000):
                client.send(b"x")
        self.assertEqual(receive(client, 19_999), payload(20_000)[1:])

    def test_who_does_not_read_is_felt_by_who_sends(self) -> None:
        """The proxy itself buffers one read, and the kernel all else."""
        client, _, link = self.link()
        client.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            while True:
                client.send(b"x" * 65536)
        self.assertEqual(len(link.up._waiting) // 65537, 0)
        self.assertFalse(link.over)

    def test_what_has_arrived(self) -> None:
        client, server, link = self.link()
        client.sendall(b"x" * 1000)
        receive(server, 1000)
        if sys.platform.startswith("linux"):  # others may not tell
            self.assert_soon(link.arrived, 1000)
        for end in (client, server):
            end.shutdown(socket.SHUT_WR)
        self.assertEqual((client.recv(1), server.recv(1)), (b"", b""))

    def test_to_a_unix_socket(self) -> None:
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        client, link = self.proxy.connect(lambda: near)
        with client:
            client.sendall(b"x" * 1000)
            self.assertEqual(receive(far, 1000), b"x" * 1000)
            self.assert_soon(link.arrived, 1000)


class SliceTests(ProxyCase):
    def test_pieces_are_segments_of_their_own(self) -> None:
        if not sys.platform.startswith("linux"):
            self.skipTest("other systems do not tell how many segments there were")
        for ways, counts in (
            (Way.UP, (True, False)),
            (Way.DOWN, (False, True)),
            (Way.BOTH, (True, True)),
        ):
            client, server, link = self.link(Fault(FaultKind.SLICE, ways, piece=5))
            client.sendall(payload(5000, 1))
            server.sendall(payload(5000, 2))
            self.assertEqual(receive(server, 5000), payload(5000, 1))
            self.assertEqual(receive(client, 5000), payload(5000, 2))
            self.assertEqual(tuple(self.segments(end) >= 1000 for end in (server, client)), counts)
            self.assert_soon(partial(self.passed, link), (5000, 5000))

    def test_the_seed_decides(self) -> None:
        runs = [self.pieces(seed) for seed in (1, 1, 2)]
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0], runs[2])
        self.assertTrue(1 <= min(runs[0]) < max(runs[0]) <= 100)

    def pieces(self, seed: int) -> list[int]:
        """In which pieces 2,000 bytes are passed on."""
        with contextlib.ExitStack() as stack:
            client, near, far, server = map(stack.enter_context, (*socket.socketpair(), *socket.socketpair()))
            link = Link(near, far, Fault(FaultKind.SLICE, piece=100), seed)
            client.sendall(payload(2000))
            sizes: list[int] = []
            while sum(sizes) < 2000:
                link.turn(near, selectors.EVENT_READ, 0.0)
                link.turn(far, selectors.EVENT_WRITE, 0.0)
                sizes.append(len(server.recv(2000)))
            return sizes

    def segments(self, end: socket.socket) -> int:
        info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return int(struct.unpack_from("=I", info, TCP_INFO_DATA_SEGS_IN)[0])


class StallTests(ProxyCase):
    def test_for_a_time(self) -> None:
        client, server, _ = self.link(Fault(FaultKind.STALL, Way.UP, at=1000, seconds=1.0))
        begun = time.monotonic()
        client.sendall(payload(3000))
        self.assertEqual(receive(server, 1000), payload(3000)[:1000])
        self.assertTrue(quiet(server, 0.15), "more than 1000 bytes have come")
        server.sendall(b"the other way is free")
        self.assertEqual(receive(client, 21), b"the other way is free")
        self.assertEqual(receive(server, 2000), payload(3000)[1000:])
        self.assertTrue(1.0 <= time.monotonic() - begun < PATIENCE)

    def test_both_ways(self) -> None:
        """The first that has come so far stops the other."""
        client, server, _ = self.link(Fault(FaultKind.STALL, Way.BOTH, at=10, seconds=0.4))
        begun = time.monotonic()
        client.sendall(b"x" * 20)
        self.assertEqual(receive(server, 10), b"x" * 10)
        server.sendall(b"y")
        self.assertEqual(receive(client, 1), b"y")
        self.assertGreaterEqual(time.monotonic() - begun, 0.4)
        self.assertEqual(receive(server, 10), b"x" * 10)

    def test_for_ever(self) -> None:
        client, server, _ = self.link(Fault(FaultKind.STALL, Way.BOTH, at=0, seconds=inf))
        client.sendall(b"x")
        server.sendall(b"y")
        server.shutdown(socket.SHUT_WR)
        self.assertTrue(quiet(client, 0.1))
        self.assertTrue(quiet(server, 0.1))

    def test_after_the_last_byte_it_holds_the_end(self) -> None:
        client, server, _ = self.link(Fault(FaultKind.STALL, Way.UP, at=5, seconds=1.0))
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(receive(server, 5), b"hello")
        self.assertTrue(quiet(server, 0.1))
        self.assertEqual(server.recv(1), b"")


class BandwidthTests(ProxyCase):
    def test_is_held(self) -> None:
        for ways in (Way.UP, Way.DOWN):
            client, server, _ = self.link(Fault(FaultKind.BANDWIDTH, ways, rate=1 << 21))
            source, sink = (client, server) if ways is Way.UP else (server, client)
            begun = time.monotonic()
            source.sendall(payload(1 << 19))
            self.assertTrue(receive(sink, 1 << 19) == payload(1 << 19))
            self.assertTrue(0.23 <= time.monotonic() - begun < PATIENCE, time.monotonic() - begun)

    def test_the_other_way_is_free(self) -> None:
        client, server, _ = self.link(Fault(FaultKind.BANDWIDTH, Way.UP, rate=1000))  # 131 s of it would be
        begun = time.monotonic()
        data = payload(1 << 17)
        server.sendall(data)
        self.assertTrue(receive(client, 1 << 17) == data)
        self.assertLess(time.monotonic() - begun, PATIENCE)

    def test_less_than_a_byte_at_a_time(self) -> None:
        client, server, _ = self.link(Fault(FaultKind.BANDWIDTH, rate=10))
        begun = time.monotonic()
        client.sendall(b"1234")
        self.assertEqual(receive(server, 4), b"1234")
        self.assertTrue(0.25 < time.monotonic() - begun < PATIENCE)


class SlowCloseTests(ProxyCase):
    def test_the_end_is_held_back(self) -> None:
        client, server, _ = self.link(Fault(FaultKind.SLOW_CLOSE, Way.UP, seconds=1.0))
        client.sendall(b"hello")
        begun = time.monotonic()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(receive(server, 5), b"hello")
        self.assertTrue(quiet(server, 0.1), "the end was not held back")
        self.assertEqual(server.recv(1), b"")
        self.assertTrue(1.0 <= time.monotonic() - begun < PATIENCE)
        server.close()
        self.assertEqual(client.recv(1), b"")


class ResetTests(ProxyCase):
    def test_after_exactly_so_many_bytes(self) -> None:
        """Both sides get it, whichever direction counts."""
        for at in (0, 1, 1000, 100_000):
            client, server, link = self.link(Fault(FaultKind.RESET, Way.DOWN, at=at))
            with contextlib.suppress(ConnectionError):  # at 0, it comes first
                server.sendall(payload(200_000))
            self.assertTrue(receive(client, at) == payload(200_000)[:at])
            self.assert_reset(client)
            self.assert_soon(partial(self.passed, link), (0, at))
            self.assert_soon(partial(getattr, link, "over"), True)
            with self.assertRaises(ConnectionError):
                while True:
                    server.send(b"x")

    def test_of_what_is_sent(self) -> None:
        client, server, _ = self.link(Fault(FaultKind.RESET, Way.UP, at=10))
        client.sendall(b"x" * 10)
        self.assertEqual(receive(server, 10), b"x" * 10)
        self.assert_reset(server)
        self.assert_reset(client)

    def test_the_other_way_does_not_count(self) -> None:
        client, server, _ = self.link(Fault(FaultKind.RESET, Way.UP, at=10))
        server.sendall(b"y" * 100)
        self.assertEqual(receive(client, 100), b"y" * 100)
        client.sendall(b"x" * 9)
        self.assertEqual(receive(server, 9), b"x" * 9)
        self.assertTrue(quiet(client, 0.05))


class ProxyTests(SynchronousTestCase):
    def test_ends_what_is_left(self) -> None:
        before = threading.active_count()
        near, far = socket.socketpair()
        with FaultProxy() as proxy:
            client, link = proxy.connect(lambda: near, Fault(FaultKind.STALL, seconds=inf))
        with far, client:
            self.assertEqual((client.recv(1), far.recv(1)), (b"", b""))
        self.assertTrue(link.over)
        self.assertEqual(threading.active_count(), before)
