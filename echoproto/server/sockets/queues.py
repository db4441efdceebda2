"""
The kernel's queues of a socket: bytes received and not read yet (``Recv-Q`` of ss(8)), bytes sent and not confirmed
yet (``Send-Q``), and, of a listener, connections that wait to be accepted.

Nothing is remembered here: each call asks the kernel.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import struct
import sys
import termios
from typing import Final

from attrs import frozen

SEND_QUEUE_REQUEST: Final = 0x40046677 if "bsd" in sys.platform else termios.TIOCOUTQ
"""The ioctl for the send queue: FIONWRITE of BSD's sys/filio.h, SIOCOUTQ of tcp(7) on Linux. macOS has neither."""

TCP_INFO_QUEUE: Final = struct.Struct("=24xII")
"""Of Linux's struct tcp_info: tcpi_unacked and tcpi_sacked, which for a listener are its queue and its limit."""

NETLINK_SOCK_DIAG: Final = 4
DIAG_HEADER: Final = struct.Struct("=IHH8x")
"""Length, type and flags of a netlink message, whose sequence number and port are 0 (struct nlmsghdr)."""

DIAG_REQUEST: Final = struct.Struct("=B3xIIIII")
"""Family, states, inode, attributes to show, cookie (struct unix_diag_req)."""

DIAG_MESSAGE_SIZE: Final = 16
"""Bytes of struct unix_diag_msg, which its attributes follow."""

DIAG_ATTRIBUTE: Final = struct.Struct("=HHII")
"""Length, type, queue, limit (struct unix_diag_rqlen)."""

SOCK_DIAG_BY_FAMILY: Final = 20
NLM_F_REQUEST: Final = 1
UDIAG_SHOW_RQLEN: Final = 0x10
UNIX_DIAG_RQLEN: Final = 4
ALL_STATES: Final = 0xFFFFFFFF
NO_COOKIE: Final = 0xFFFFFFFF


@frozen
class AcceptQueue:
    """
    The accept queue of a listener.

    :ivar length: connections that wait to be accepted.
    :ivar limit: the backlog of ``listen(2)`` that holds, as the system may lower it.
    """

    length: int
    limit: int


def receive_queue(fd: int) -> int:
    """
    Return the bytes that a connection has received and nobody has read.

    :param fd: its descriptor.
    :raise OSError: if it is not that of a connection.
    """
    return _ask(fd, termios.FIONREAD)


def send_queue(fd: int) -> int | None:
    """
    Return the bytes that a connection has sent and the peer has not confirmed.

    Over TCP, the peer's kernel confirms them. Over a Unix socket, they are there until the peer has read them, and
    Linux counts the memory that they take.

    :param fd: its descriptor.
    :return: ``None`` where the system does not tell (macOS).
    """
    try:
        return _ask(fd, SEND_QUEUE_REQUEST)
    except OSError:
        return None


def accept_queue(listener: socket.socket) -> AcceptQueue | None:
    """
    Return the accept queue of a listening socket.

    :param listener: a TCP or Unix stream socket.
    :return: ``None`` where the system does not tell (outside Linux; in a sandbox that forbids netlink).
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        if listener.family == socket.AF_UNIX:
            return _unix_accept_queue(listener)
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_QUEUE.size)
    except OSError:
        return None
    return AcceptQueue(*TCP_INFO_QUEUE.unpack(info))


def _ask(fd: int, request: int) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(fd, request, count)
    return count[0]


def _unix_accept_queue(listener: socket.socket) -> AcceptQueue | None:
    """Ask by sock_diag(7), as ss(8) does: for a Unix socket, there is no socket option."""
    inode = os.fstat(listener.fileno()).st_ino
    request = DIAG_REQUEST.pack(socket.AF_UNIX, ALL_STATES, inode, UDIAG_SHOW_RQLEN, NO_COOKIE, NO_COOKIE)
    header = DIAG_HEADER.pack(DIAG_HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as diag:
        diag.send(header + request)
        reply = diag.recv(4096, socket.MSG_DONTWAIT)
    _, kind, _ = DIAG_HEADER.unpack_from(reply)
    if kind != SOCK_DIAG_BY_FAMILY:  # an error, such as that the kernel was built without
        return None
    attribute = reply[DIAG_HEADER.size + DIAG_MESSAGE_SIZE :]
    size, kind, length, limit = DIAG_ATTRIBUTE.unpack_from(attribute)
    return AcceptQueue(length, limit) if (size, kind) == (DIAG_ATTRIBUTE.size, UNIX_DIAG_RQLEN) else None
