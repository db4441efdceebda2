"""
How many descriptors this process may have open: each connection takes one.
"""

from __future__ import annotations

import resource

BOUNDED = ("select",)
"""Reactors that can't watch descriptors from FD_SETSIZE (1,024) on, so that more of them would do harm."""


def raise_descriptor_limit(reactor_name: str) -> int:
    """
    Raise the soft limit of open descriptors to the hard limit, which needs no privilege (setrlimit(2)).

    :param reactor_name: as in ``--reactor``; under ``select``, the limit is left as it is.
    :return: the soft limit that holds now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if reactor_name in BOUNDED or soft == hard:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        return soft  # macOS says "no limit" and then refuses it
    return hard
