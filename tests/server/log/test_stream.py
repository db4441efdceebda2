import os
import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.log.stream import LogStream, append_only, open_stream


class LogStreamTests(SynchronousTestCase):
    def test_a_pipe_that_is_shared(self) -> None:
        """It does not wait, and others who write to it still do as before."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        stream = open_stream(writing)
        while stream.write(b"x" * 4096):
            pass
        self.assertTrue(os.get_blocking(writing))

    def test_a_pipe_that_is_shared_and_can_not_be_opened_again(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        stream = LogStream(writing)
        lines = 0
        while stream.write(b"x" * 9999 + b"\n"):
            lines += 1
        received = os.read(reading, 1 << 20)
        stream.write(b"y\n")
        received += os.read(reading, 1 << 20)
        self.assertEqual(received, (b"x" * 9999 + b"\n") * lines + b"y\n")

    def test_a_reader_that_is_gone(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        os.close(reading)
        self.assertFalse(open_stream(writing).write(b"x"))

    def test_a_socket(self) -> None:
        """As systemd gives standard output to a service."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            stream = open_stream(ours.fileno())
            assert stream._socket is not None
            self.addCleanup(stream._socket.close)
            self.assertTrue(stream.write(b"x\n"))
            self.assertEqual(theirs.recv(9), b"x\n")
            while stream.write(b"x" * 4096):
                pass
            self.assertTrue(os.get_blocking(ours.fileno()))

    def test_a_file_that_is_cut_off(self) -> None:
        """The next line is at its end: no NULs."""
        path = Path(self.mktemp())
        with open(path, "wb") as opened:
            stream = open_stream(opened.fileno())
            stream.write(b"before\n")
            os.truncate(path, 0)
            stream.write(b"after\n")
        self.assertEqual(path.read_bytes(), b"after\n")

    def test_only_files_are_appended_to(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        append_only(writing)
        self.assertTrue(open_stream(writing).write(b"x"))
