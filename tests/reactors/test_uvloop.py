import errno
import os
import select
import socket
import sys
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from echoproto.reactors.uvloop import Loop
from tests.support.clients import PATIENCE, reset


class LoopTests(SynchronousTestCase):
    """Watches of a socket that was reset, which uvloop itself drops."""

    def setUp(self) -> None:
        self.loop = Loop()
        self.addCleanup(self.loop.close)
        self.near = self.reset_with(b"abc")
        self.seen: list[object] = []

    def reset_with(self, data: bytes) -> socket.socket:
        """Return a socket whose peer has sent some data and a reset, both of which have arrived."""
        listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        far = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
        near = self.enterContext(listener.accept()[0])
        near.setblocking(False)
        far.sendall(data)
        reset(far)
        poll = select.poll()
        poll.register(near, 0)
        self.assertTrue(poll.poll(PATIENCE * 1000))
        return near

    def read(self) -> None:
        """Read one byte; stop at an error."""
        try:
            self.seen.append(self.near.recv(1))
        except ConnectionResetError as error:
            self.seen.append(error.errno)
            self.loop.remove_reader(self.near)
            self.loop.stop()

    def run_loop(self) -> None:
        """Run until a callback stops it."""
        timeout = self.loop.call_later(PATIENCE, self.loop.stop)
        self.loop.run_forever()
        timeout.cancel()

    def test_reads_until_the_error(self) -> None:
        """T9."""
        self.loop.add_reader(self.near, self.read)
        self.run_loop()
        self.assertEqual(self.seen, [b"a", b"b", b"c", errno.ECONNRESET])

    def test_writes_until_the_error(self) -> None:
        """A writer beside the reader is called as often."""
        self.loop.add_writer(self.near.fileno(), self.seen.append, b"w")
        self.loop.add_reader(self.near.fileno(), self.read)
        self.run_loop()
        self.assertEqual(self.seen[:7], [b"a", b"w", b"b", b"w", b"c", b"w", errno.ECONNRESET])

    def test_removed_while_it_is_called(self) -> None:
        """Neither is called again, and another socket of the same number can be watched."""
        fd = self.near.fileno()

        def remove() -> None:
            self.seen.append("reader")
            self.assertTrue(self.loop.remove_reader(fd))
            self.assertTrue(self.loop.remove_writer(fd))
            self.assertFalse(self.loop.remove_reader(fd))
            self.assertFalse(self.loop.remove_writer(fd))
            self.loop.call_soon(self.loop.call_soon, self.loop.stop)

        self.loop.add_reader(fd, remove)
        self.loop.add_writer(fd, self.seen.append, "writer")
        self.run_loop()
        self.assertEqual(self.seen, ["reader"])
        os.dup2(self.reset_with(b"z").fileno(), fd)
        self.loop.add_reader(fd, self.read)
        self.run_loop()
        self.assertEqual(self.seen, ["reader", b"z", errno.ECONNRESET])

    def test_removed_before_it_is_renewed(self) -> None:
        """A watch that is not wanted any more is not renewed."""

        def read() -> None:
            self.seen.append(self.near.recv(1))
            self.loop.call_soon(self.loop.remove_reader, self.near)  # which comes before the renewal
            self.loop.call_later(0, self.loop.stop)

        self.loop.add_reader(self.near, read)
        self.run_loop()
        self.assertEqual(self.seen, [b"a"])

    def test_added_before_it_is_renewed(self) -> None:
        """A handle closed by uvloop does not prevent another watch of the same descriptor."""

        def write() -> None:
            self.seen.append("w")
            self.loop.remove_writer(self.near)

        def read() -> None:
            if not self.seen:
                self.loop.call_soon(self.loop.add_writer, self.near, write)  # which comes before the renewal
            self.read()

        self.loop.add_reader(self.near, read)
        self.run_loop()
        self.assertEqual(sorted(self.seen, key=str), [errno.ECONNRESET, b"a", b"b", b"c", "w"])

    def test_closed_with_a_watch(self) -> None:
        """A loop that ends drops all, which is no reason to watch anew."""
        self.loop.add_reader(self.near, self.read)
        with mock.patch.object(sys, "unraisablehook") as ignored:
            self.loop.close()
        ignored.assert_not_called()
