import os
import select
import socket
import time
from collections.abc import Callable, Iterator

from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client import poller as poller_module
from echoproto.load.client.poller import READ, WRITE, Epoll, Kqueue, Poll, Poller, make_poller, precise_wakeups


def pollers() -> list[Callable[[], Poller]]:
    """All pollers that can be had here; kqueue is emulated where epoll is."""
    if not hasattr(select, "epoll"):
        return [Kqueue, Poll]
    from tests.emulation import emulated_kqueue

    return [lambda: Kqueue(emulated_kqueue), Poll, Epoll]


class PollerTests(SynchronousTestCase):
    def each(self) -> Iterator[tuple[Poller, socket.socket, socket.socket]]:
        """Each poller, and two ends of a connection."""
        for make in pollers():
            poller = make()
            self.addCleanup(poller.close)
            here, there = socket.socketpair()
            with here, there:
                yield poller, here, there

    def test_reading_and_writing(self) -> None:
        for poller, here, there in self.each():
            fd = here.fileno()
            poller.register(fd, READ)
            self.assertEqual(list(poller.poll(0)), [])
            there.send(b"x")
            for _ in range(2):  # level-triggered
                self.assertEqual(list(poller.poll(1)), [(fd, READ)])
            poller.modify(fd, READ | WRITE)
            self.assertEqual(list(poller.poll(1)), [(fd, READ | WRITE)])
            poller.modify(fd, WRITE)
            self.assertEqual(list(poller.precisely(1)), [(fd, WRITE)])
            poller.modify(fd, READ)
            self.assertEqual(here.recv(9), b"x")
            self.assertEqual(list(poller.precisely(0)), [])

    def test_closed_and_used_again(self) -> None:
        for poller, here, there in self.each():
            fd = here.fileno()
            poller.register(fd, READ | WRITE)
            poller.forget(fd)
            here.close()
            self.assertEqual(list(poller.poll(0)), [])
            again = socket.socket(fileno=os.dup2(there.fileno(), fd))
            with again:
                poller.register(fd, WRITE)
                self.assertEqual([ready for ready, _ in poller.poll(1)], [fd])

    def test_the_end_of_one_that_is_only_watched_for_it(self) -> None:
        """However much there is to be read on it."""
        for poller, here, there in self.each():
            poller.register(here.fileno(), READ)
            poller.watch_end(here.fileno())
            there.send(b"Hello\n")
            self.assertEqual(list(poller.poll(0.01)), [])
            self.assertEqual(list(poller.poll(0)), [])
            there.close()
            [(fd, mask)] = poller.poll(1)
            self.assertEqual((fd, mask & (READ | WRITE)), (here.fileno(), 0))
            self.assertNotEqual(mask, 0)
            poller.forget(fd)

    def test_timeouts(self) -> None:
        for poller, _, _ in self.each():
            for wait in (poller.poll, poller.precisely):
                begun = time.monotonic()
                self.assertEqual(list(wait(0.02)), [])
                self.assertTrue(0.019 <= time.monotonic() - begun < 10)

    def test_the_best_of_this_system(self) -> None:
        best = make_poller()
        self.addCleanup(best.close)
        self.assertIsInstance(best, Epoll if hasattr(select, "epoll") else Kqueue)
        self.patch(poller_module, "system", object())
        self.assertIsInstance(make_poller(), Poll)

    def test_beyond_what_select_can(self) -> None:
        if not hasattr(select, "epoll"):
            self.skipTest("there is no epoll")
        self.patch(poller_module, "FD_SETSIZE", 0)
        poller = Epoll()
        self.addCleanup(poller.close)
        here, there = socket.socketpair()
        with here, there:
            poller.register(here.fileno(), WRITE)
            self.assertEqual(list(poller.precisely(1)), [(here.fileno(), WRITE)])


class PunctualTests(SynchronousTestCase):
    def slack(self) -> str:
        with open(poller_module.TIMER_SLACK_FILE, encoding="ascii") as file:
            return file.read().strip()

    def test_as_long_as_it_is_asked_for(self) -> None:
        try:
            before = self.slack()
        except FileNotFoundError:
            self.skipTest("this system has no such thing")
        with precise_wakeups():
            self.assertEqual(self.slack(), "1")
        self.assertEqual(self.slack(), before)

    def test_where_there_is_no_such_thing(self) -> None:
        self.patch(poller_module, "TIMER_SLACK_FILE", "/nonexistent")
        with precise_wakeups():
            pass
