"""
Who a file is to belong to, looked up in this system's lists of users and groups.
"""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable

from echoproto.errors import ConfigurationError, quoted

LARGEST_ID = 2**32 - 2
"""The number above it is -1, which has chown(2) leave things as they are."""


def owner_ids(owner: str) -> tuple[int, int] | None:
    """
    Look up whom a setting means.

    :param owner: ``USER``, ``USER:GROUP`` or ``:GROUP``, names or numbers; a number need not be in the lists.
    :return: user and group ID as ``chown(2)`` takes them, -1 for one that is not given; ``None`` of an empty text.
    :raise ConfigurationError: if this system has no such user or group.
    """
    if not owner:
        return None
    user, _, group = owner.partition(":")
    uid = _id("user", user, lambda: pwd.getpwnam(user).pw_uid)
    gid = _id("group", group, lambda: grp.getgrnam(group).gr_gid)
    return uid, gid


def _id(kind: str, name: str, look_up: Callable[[], int]) -> int:
    if not name:
        return -1
    if name.isascii() and name.isdecimal():
        if int(name) > LARGEST_ID:
            raise ConfigurationError(f"{name} is no {kind}: the largest number of one is {LARGEST_ID}")
        return int(name)
    try:
        return look_up()
    except KeyError as problem:
        raise ConfigurationError(f"this system has no {kind} {quoted(name)}") from problem
