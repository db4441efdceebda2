"""
The limit of open descriptors of this process; each connection takes one.
"""

from __future__ import annotations

import os
import resource

from twisted.logger import Logger

log = Logger("echoproto")

RESERVED_DESCRIPTORS = 16
"""Descriptors reserved for files: a log to rotate, certificates to read."""

FD_SETSIZE = 1024
"""Maximum number of descriptors that select(2) can watch; Twisted accepts and drops a connection with a higher one."""


def set_descriptor_limit(reactor_name: str) -> int:
    """
    Set the soft limit of open descriptors to what the reactor can use.

    Raising it to the hard limit needs no privilege (setrlimit(2)). Under ``select``, it is lowered to `FD_SETSIZE`:
    excess connections are closed at accept, without harm to the others.

    :param reactor_name: as in ``--reactor``.
    :return: the soft limit in force now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if reactor_name != "select" else min(FD_SETSIZE, soft if soft >= 0 else FD_SETSIZE)
    if wanted == soft:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        return soft  # macOS says "no limit" and then refuses it
    if reactor_name == "select":
        log.info(
            "select can watch {limit} descriptors; the descriptor limit is lowered to that",
            event="descriptors-limited",
            limit=wanted,
        )
    return wanted


def descriptor_budget() -> int:
    """
    Return the number of descriptors that this process may still open for connections, 0 or more.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1 << 30
    try:
        taken = len(os.listdir("/dev/fd"))
    except OSError:  # in a chroot without devices
        taken = RESERVED_DESCRIPTORS
    return max(0, soft - taken - RESERVED_DESCRIPTORS)
