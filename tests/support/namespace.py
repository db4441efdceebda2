"""A Linux network namespace for a test, which isolates its traffic."""

import ctypes
import os
import socket
import struct
import subprocess
import sys
from types import TracebackType

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.twistd import tool

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4


class Namespace:
    """
    A network with only a loopback interface. Sockets and processes made ``with namespace:`` belong to it for good.

    A test is skipped where namespaces are not available; in CI, missing privileges are an error.
    """

    def __init__(self, case: SynchronousTestCase) -> None:
        if not sys.platform.startswith("linux"):
            case.skipTest("only Linux has network namespaces")
        if os.geteuid():
            if os.environ.get("CI"):
                raise AssertionError("CI must run as root, to make network namespaces")
            case.skipTest("only root may make network namespaces")
        tool(case, "ip")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._home = self._here(case)
        self._check(self._libc.unshare(CLONE_NEWNET))
        try:
            self._own = self._here(case)
        finally:
            self._enter(self._home)
        self.run("ip", "link", "set", "lo", "up")

    def _here(self, case: SynchronousTestCase) -> int:
        fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        case.addCleanup(os.close, fd)
        return fd

    def _check(self, result: int) -> None:
        if result:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def _enter(self, namespace: int) -> None:
        self._check(self._libc.setns(namespace, CLONE_NEWNET))

    def __enter__(self) -> None:
        self._enter(self._own)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._enter(self._home)

    def run(self, *words: str) -> None:
        """Run a command in the namespace."""
        with self:
            subprocess.run(words, check=True, capture_output=True)

    def forge(self, source: tuple[str, int], target: tuple[str, int], data: bytes, *, tos: int = 0) -> None:
        """Send an IPv4 datagram with a forged source."""
        udp = struct.pack("!4H", source[1], target[1], 8 + len(data), 0) + data
        addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
        # The kernel fills in length, identification and checksum.
        header = struct.pack("!BBHHHBBH", 0x45, tos, 0, 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses
        with self, socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            raw.sendto(header + udp, (target[0], 0))


class Sniffer:
    """Recorder of UDP datagrams over IPv4 on the loopback interface of a namespace."""

    def __init__(self, case: SynchronousTestCase, namespace: Namespace) -> None:
        with namespace:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        case.addCleanup(self._socket.close)
        self._socket.setblocking(False)

    def sent(self) -> list[tuple[int, int]]:
        """Return source and destination port of each datagram so far."""
        found: list[tuple[int, int]] = []
        while True:
            try:
                packet, (_, _, kind, *_) = self._socket.recvfrom(128)
            except BlockingIOError:
                return found
            start = (packet[0] & 0xF) * 4
            if kind != PACKET_OUTGOING and packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_UDP:
                source, target = struct.unpack_from("!2H", packet, start)
                found.append((source, target))
