import os
import socket
from unittest import mock

from twisted.internet.endpoints import _SystemdParser
from twisted.python.systemd import ListenFDs
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.server.sockets import activation
from echoproto.server.sockets.activation import check_descriptor, descriptor_of, handed_over


class CheckDescriptorTests(SynchronousTestCase):
    def complaint(self, descriptor: int, domain: str = "INET") -> str:
        return str(self.assertRaises(ConfigurationError, check_descriptor, descriptor, domain))

    def make(self, family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        made = socket.socket(family, kind)
        self.addCleanup(made.close)
        return made

    def test_listening_sockets(self) -> None:
        """O12."""
        for family, domain in ((socket.AF_INET, "INET"), (socket.AF_INET6, "INET6"), (socket.AF_UNIX, "UNIX")):
            skt = self.make(family)
            skt.bind(f"\0echo{os.getpid()}" if domain == "UNIX" else ("", 0))
            skt.listen()
            check_descriptor(skt.fileno(), domain)
            self.assertIn(f"is one of domain {domain}, not X", self.complaint(skt.fileno(), "X"))
            os.fstat(skt.fileno())

    def test_sockets_of_other_kinds(self) -> None:
        """O12: each would be logged as listening, without serving."""
        self.assertIn("the socket does not listen; ", self.complaint(self.make(socket.AF_INET).fileno()))
        datagrams = self.make(socket.AF_INET, socket.SOCK_DGRAM)
        self.assertEqual(self.complaint(datagrams.fileno()), "the socket is one of type DGRAM, not STREAM")
        packets = self.make(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.assertIn("type SEQPACKET, not STREAM", self.complaint(packets.fileno(), "UNIX"))
        with mock.patch.object(activation, "STREAMS", ()):
            self.assertIn("is one of protocol 6, not TCP", self.complaint(self.make(socket.AF_INET).fileno()))

    def test_what_is_no_socket(self) -> None:
        """O12."""
        read, write = os.pipe()
        os.close(write)
        self.assertEqual(self.complaint(read), f"descriptor {read}, which was handed over, is no socket")
        os.close(read)
        self.assertEqual(self.complaint(read), f"descriptor {read}, which was handed over, is closed")


class DescriptorOfTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(_SystemdParser, "_sddaemon", ListenFDs([3, 4], ["one", "two"]))

    def test_by_index_or_name(self) -> None:
        self.assertEqual(descriptor_of("1", ""), 4)
        self.assertEqual(descriptor_of("", "one"), 3)

    def test_none(self) -> None:
        for index, name in (("2", ""), ("", "three")):
            error = self.assertRaises(ConfigurationError, descriptor_of, index, name)
            self.assertEqual(str(error), "systemd has handed over no such socket")

    def test_both_or_neither(self) -> None:
        for index, name in (("", ""), ("0", "one")):
            error = self.assertRaises(ConfigurationError, descriptor_of, index, name)
            self.assertIn("one of the two", str(error))

    def test_without_names(self) -> None:
        """O12: LISTEN_FDNAMES may be missing (sd_listen_fds(3)), and Twisted then sees no socket at all."""
        self.patch(_SystemdParser, "_sddaemon", ListenFDs([], []))
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"PATH=/bin\0LISTEN_FDS=2\0LISTEN_PID=%d\0" % os.getpid())
        self.patch(activation, "INITIAL_ENVIRONMENT", path)
        self.assertEqual(descriptor_of("1", ""), 4)
        self.patch(activation, "INITIAL_ENVIRONMENT", "/nonexistent")
        self.assertRaises(ConfigurationError, descriptor_of, "1", "")

    def test_what_an_environment_says(self) -> None:
        mine = b"%d" % os.getpid()
        self.assertEqual(handed_over({b"LISTEN_PID": mine, b"LISTEN_FDS": b"1"}), [3])
        for environment in (
            {},
            {b"LISTEN_PID": mine, b"LISTEN_FDS": b"x"},
            {b"LISTEN_PID": mine, b"LISTEN_FDS": b"-1"},
            {b"LISTEN_PID": b"1", b"LISTEN_FDS": b"1"},
        ):
            self.assertEqual(handed_over(environment), [])
