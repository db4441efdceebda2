"""
Sockets inherited by this process (sd_listen_fds(3)), and their requirements.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping

from twisted.internet.endpoints import _SystemdParser
from twisted.python.systemd import ListenFDs

from echoproto.errors import ConfigurationError

INITIAL_ENVIRONMENT = "/proc/self/environ"
"""Environment at the start of this process, on Linux. Twisted removes from ``os.environ`` the variables it reads."""

FIRST_DESCRIPTOR = 3
"""Number of the first descriptor that is handed over."""

MPTCP = 262
"""Protocol number of Multipath TCP, whose sockets are used as those of TCP are."""

STREAMS = (0, socket.IPPROTO_TCP, MPTCP)
"""Protocols of stream sockets that are served."""


def descriptor_of(index: str, name: str) -> int:
    """
    Return a descriptor that was handed over.

    :param index: of the descriptor, from 0, or empty.
    :param name: of the descriptor (FileDescriptorName= of a systemd unit), or empty.
    :raise ConfigurationError: if there is none, or neither or both of the two are given.
    """
    if bool(index) == bool(name):
        raise ConfigurationError("give the index or the name of a socket, one of the two")
    handed: ListenFDs = _SystemdParser._sddaemon
    try:
        if name:
            return int(handed.inheritedNamedDescriptors()[name])
        return (handed.inheritedDescriptors() or _without_names())[int(index)]
    except LookupError as problem:
        raise ConfigurationError("systemd has handed over no such socket") from problem


def _without_names() -> list[int]:
    """Return the descriptors that Twisted does not find if LISTEN_FDNAMES, which is optional, is missing."""
    try:
        with open(INITIAL_ENVIRONMENT, "rb") as file:
            return handed_over(dict(each.partition(b"=")[::2] for each in file.read().split(b"\0")))
    except OSError:
        return []


def handed_over(environment: Mapping[bytes, bytes]) -> list[int]:
    """Return the descriptors that were handed over to this process, according to an environment."""
    count = environment.get(b"LISTEN_FDS", b"")
    if environment.get(b"LISTEN_PID") != b"%d" % os.getpid() or not count.isdigit():
        return []
    return list(range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count)))


def check_descriptor(descriptor: int, domain: str) -> None:
    """
    Refuse anything but a listening stream socket of a domain.

    :param domain: ``INET``, ``INET6`` or ``UNIX``.
    :raise ConfigurationError: if it is something else; the error names it.
    """
    subject = f"descriptor {descriptor}, which was handed over,"
    try:
        found = os.fstat(descriptor)
    except OSError as problem:
        raise ConfigurationError(f"{subject} is closed") from problem
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigurationError(f"{subject} is no socket")
    with socket.socket(fileno=os.dup(descriptor)) as skt:
        if skt.type != socket.SOCK_STREAM:
            kind = getattr(skt.type, "name", str(skt.type)).removeprefix("SOCK_")
            raise ConfigurationError(f"the socket is one of type {kind}, not STREAM")
        actual = getattr(skt.family, "name", str(skt.family)).removeprefix("AF_")
        if actual != domain:
            raise ConfigurationError(f"the socket is one of domain {actual}, not {domain}")
        if domain != "UNIX" and skt.proto not in STREAMS:
            raise ConfigurationError(f"the socket is one of protocol {skt.proto}, not TCP")
        if not skt.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ConfigurationError("the socket does not listen; in a unit of systemd, that takes Accept=no")
