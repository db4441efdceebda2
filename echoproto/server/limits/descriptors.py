"""
How many descriptors this process may have open: each connection takes one.
"""

from __future__ import annotations

import os
import resource

from twisted.logger import Logger

log = Logger("echoproto")

SPARE = 16
"""Descriptors that are kept for files: a log that is rotated, certificates that are read."""

FD_SETSIZE = 1024
"""Descriptors that select(2) can watch; Twisted drops a connection with a higher one after it was accepted."""


def set_descriptor_limit(reactor_name: str) -> int:
    """
    Set the soft limit of open descriptors to what the reactor can use.

    Raising it to the hard limit needs no privilege (setrlimit(2)). Under ``select``, it is lowered to `FD_SETSIZE`, so
    that the excess is closed as it is accepted, and none of those who are served is harmed.

    :param reactor_name: as in ``--reactor``.
    :return: the soft limit that holds now.
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
            "select watches no more than {limit} descriptors, so no more are opened",
            event="descriptors-limited",
            limit=wanted,
        )
    return wanted


def descriptor_budget() -> int:
    """
    How many more descriptors this process may open, but for a few that are kept for files.

    :return: 0 or more.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1 << 30
    try:
        taken = len(os.listdir("/dev/fd"))
    except OSError:  # in a chroot without devices
        taken = SPARE
    return max(0, soft - taken - SPARE)
