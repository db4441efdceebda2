"""The stand-in is tested like what it stands in for: kqueue(2), by what Twisted's reactor asks of it."""

import errno
import os
import select
import socket
import sys

from twisted.trial.unittest import SynchronousTestCase

if not hasattr(select, "epoll"):
    from unittest import SkipTest

    raise SkipTest("the emulation is made of epoll, which this platform lacks")

from tests.emulation import emulated_kqueue
from tests.emulation.emulated_kqueue import (
    KQ_EV_ADD,
    KQ_EV_CLEAR,
    KQ_EV_DELETE,
    KQ_EV_EOF,
    KQ_EV_ERROR,
    KQ_FILTER_READ,
    KQ_FILTER_WRITE,
    kevent,
    kqueue,
)


class KqueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.queue = kqueue()
        self.addCleanup(self.queue.close)
        self.near, self.far = socket.socketpair()
        self.addCleanup(self.near.close)
        self.addCleanup(self.far.close)
        self.fd = self.near.fileno()

    def change(self, filter: int, flags: int, fd: int | None = None) -> None:
        self.assertEqual(self.queue.control([kevent(self.fd if fd is None else fd, filter, flags)], 0, 0), [])

    def events(self, maximum: int = 10) -> list[tuple[int, int, int]]:
        return [(e.ident, e.filter, e.flags & KQ_EV_EOF) for e in self.queue.control([], maximum, 0)]

    def test_nothing_registered(self) -> None:
        self.assertEqual(self.events(), [])

    def test_read(self) -> None:
        self.change(KQ_FILTER_READ, KQ_EV_ADD)
        self.assertEqual(self.events(), [])
        self.far.send(b"x")
        self.assertEqual(self.events(), [(self.fd, KQ_FILTER_READ, 0)])

    def test_level_triggered(self) -> None:
        self.change(KQ_FILTER_READ, KQ_EV_ADD)
        self.far.send(b"x")
        self.assertEqual(self.events(), self.events())
        self.near.recv(1)
        self.assertEqual(self.events(), [])

    def test_edge_triggered(self) -> None:
        self.change(KQ_FILTER_READ, KQ_EV_ADD | KQ_EV_CLEAR)
        self.far.send(b"x")
        self.assertEqual(self.events(), [(self.fd, KQ_FILTER_READ, 0)])
        self.assertEqual(self.events(), [])
        self.far.close()
        self.assertEqual(self.events(), [(self.fd, KQ_FILTER_READ, KQ_EV_EOF)])
        self.assertRaises(OSError, self.change, KQ_FILTER_WRITE, KQ_EV_ADD | KQ_EV_CLEAR)

    def test_write(self) -> None:
        self.change(KQ_FILTER_WRITE, KQ_EV_ADD)
        self.assertEqual(self.events(), [(self.fd, KQ_FILTER_WRITE, 0)])

    def test_both_are_two_events(self) -> None:
        self.change(KQ_FILTER_READ, KQ_EV_ADD)
        self.change(KQ_FILTER_WRITE, KQ_EV_ADD)
        self.far.send(b"x")
        self.assertEqual({e[1] for e in self.events()}, {KQ_FILTER_READ, KQ_FILTER_WRITE})

    def test_neither_of_both_starves(self) -> None:
        self.change(KQ_FILTER_READ, KQ_EV_ADD)
        self.change(KQ_FILTER_WRITE, KQ_EV_ADD)
        self.far.send(b"x")
        self.assertEqual({self.events(1)[0][1] for _ in range(4)}, {KQ_FILTER_READ, KQ_FILTER_WRITE})

    def test_adding_twice_is_adding_once(self) -> None:
        self.change(KQ_FILTER_WRITE, KQ_EV_ADD)
        self.change(KQ_FILTER_WRITE, KQ_EV_ADD)
        self.change(KQ_FILTER_WRITE, KQ_EV_DELETE)
        self.assertEqual(self.events(), [])

    def test_delete_one_of_both(self) -> None:
        self.change(KQ_FILTER_READ, KQ_EV_ADD)
        self.change(KQ_FILTER_WRITE, KQ_EV_ADD)
        self.far.send(b"x")
        self.change(KQ_FILTER_WRITE, KQ_EV_DELETE)
        self.assertEqual(self.events(), [(self.fd, KQ_FILTER_READ, 0)])
        self.change(KQ_FILTER_READ, KQ_EV_DELETE)
        self.assertEqual(self.events(), [])

    def test_delete_what_was_not_added(self) -> None:
        error = self.assertRaises(OSError, self.change, KQ_FILTER_READ, KQ_EV_DELETE)
        self.assertEqual(error.errno, errno.ENOENT)
        self.change(KQ_FILTER_READ, KQ_EV_ADD)
        error = self.assertRaises(OSError, self.change, KQ_FILTER_WRITE, KQ_EV_DELETE)
        self.assertEqual(error.errno, errno.ENOENT)

    def test_a_descriptor_that_is_closed(self) -> None:
        number = os.dup(self.fd)
        os.close(number)
        for flags in (KQ_EV_ADD, KQ_EV_DELETE):
            error = self.assertRaises(OSError, self.change, KQ_FILTER_READ, flags, number)
            self.assertEqual(error.errno, errno.EBADF)

    def test_closing_a_descriptor_takes_its_filters_away(self) -> None:
        self.change(KQ_FILTER_WRITE, KQ_EV_ADD)
        self.near.close()
        self.assertEqual(self.events(), [])

    def test_a_number_that_is_used_again_begins_anew(self) -> None:
        self.change(KQ_FILTER_WRITE, KQ_EV_ADD)
        self.near.close()
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        self.addCleanup(near.close)
        self.assertEqual(near.fileno(), self.fd)
        self.change(KQ_FILTER_READ, KQ_EV_ADD)
        self.assertEqual(self.events(), [])
        far.send(b"x")
        self.assertEqual(self.events(), [(self.fd, KQ_FILTER_READ, 0)])

    def test_end_of_stream(self) -> None:
        """EV_EOF comes with READ while there is still data to read, too."""
        self.change(KQ_FILTER_READ, KQ_EV_ADD)
        self.far.send(b"x")
        self.far.shutdown(socket.SHUT_WR)
        self.assertEqual(self.events(), [(self.fd, KQ_FILTER_READ, KQ_EV_EOF)])
        self.near.recv(1)
        self.assertEqual(self.events(), [(self.fd, KQ_FILTER_READ, KQ_EV_EOF)])

    def test_a_peer_that_is_gone_ends_both(self) -> None:
        self.change(KQ_FILTER_READ, KQ_EV_ADD)
        self.change(KQ_FILTER_WRITE, KQ_EV_ADD)
        self.far.close()
        self.assertEqual(
            sorted(self.events()),
            sorted((self.fd, filter, KQ_EV_EOF) for filter in (KQ_FILTER_READ, KQ_FILTER_WRITE)),
        )

    def test_a_failing_change_is_an_event_where_there_is_room_for_one(self) -> None:
        [event] = self.queue.control([kevent(self.fd, KQ_FILTER_READ, KQ_EV_DELETE)], 1, 0)
        self.assertEqual((event.flags, event.data), (KQ_EV_ERROR, errno.ENOENT))

    def test_what_is_not_emulated_is_refused(self) -> None:
        self.assertRaises(OSError, self.change, -7, KQ_EV_ADD)
        self.assertRaises(OSError, self.change, KQ_FILTER_READ, KQ_EV_ADD | 0x10)
        self.assertRaises(ValueError, self.queue.control, [], -1, 0)
        self.assertRaises(ValueError, self.queue.control, [], 1, -1)

    def test_waits_for_an_event(self) -> None:
        self.change(KQ_FILTER_READ, KQ_EV_ADD)
        self.far.send(b"x")
        self.assertEqual(len(self.queue.control(None, 1, None)), 1)
        self.assertEqual(len(self.queue.control(None, 1, 10.0)), 1)

    def test_close(self) -> None:
        self.assertFalse(self.queue.closed)
        self.assertGreater(self.queue.fileno(), 0)
        self.queue.close()
        self.assertTrue(self.queue.closed)
        self.assertRaises(ValueError, self.queue.control, [], 1, 0)


class SwitchTests(SynchronousTestCase):
    """What happens in a process that has the folder in its PYTHONPATH."""

    def answer(self, script: str) -> str:
        import subprocess

        folder = os.path.dirname(emulated_kqueue.__file__ or "")
        environment = {**os.environ, "PYTHONPATH": folder}
        ended = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
        )
        return ended.stdout.strip()

    def test_twisteds_own_reactor_runs_on_it(self) -> None:
        script = "from echoproto.reactors import selection; selection.ensure_reactor('kqueue')\n"
        script += "from twisted.internet import reactor\n"
        script += "reactor.callWhenRunning(reactor.stop); reactor.run(); print(type(reactor), reactor._impl.__name__)"
        self.assertEqual(self.answer(script), "<class 'twisted.internet.kqreactor.KQueueReactor'> emulated_kqueue")

    def test_nobody_else_sees_it(self) -> None:
        script = "import select, selectors; print(selectors.DefaultSelector.__name__, hasattr(select, 'KQ_EV_ADD'))"
        self.assertEqual(self.answer(script), "EpollSelector False")

    def test_auto_is_what_it_was(self) -> None:
        self.assertEqual(self.answer("from echoproto.reactors.selection import auto_name; print(auto_name())"), "epoll")
