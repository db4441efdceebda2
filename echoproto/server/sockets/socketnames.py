"""
Names of Unix sockets: paths and, on Linux, abstract names, which have no file (unix(7)).

An abstract name is written with ``@`` in place of its first NUL, as in other programs.
"""

from __future__ import annotations

import os
import sys

from echoproto.errors import ConfigurationError, one_line

PATH_LIMIT = 103 if sys.platform == "darwin" or "bsd" in sys.platform else 107
"""Maximum length of a path in bytes: ``sun_path`` without the NUL at its end (unix(7), on BSD unix(4))."""


def socket_name(text: str) -> bytes:
    """
    Encode the name of a Unix socket for ``bind(2)``.

    :param text: a path, or an abstract name with a leading ``@`` (or NUL); ``./@name`` is a path.
    """
    name = os.fsencode(text)
    return b"\0" + name[1:] if name.startswith(b"@") else name


def shown_name(name: bytes) -> str:
    """
    Show the name of a Unix socket as one word that stands for no other name.

    :return: input for `socket_name`, with a doubled backslash, and an escape for each space, unprintable character
        and byte that is not UTF-8.
    """
    if name.startswith(b"@"):
        name = b"./" + name
    if name.startswith(b"\0"):
        name = b"@" + name[1:]
    text = name.replace(b"\\", rb"\\").decode("utf-8", "backslashreplace")
    return one_line(text).replace(" ", r"\x20")


def check_path(path: bytes) -> None:
    """
    Refuse a path that no socket can have; ``bind`` would give a poor error, or cut it at its first NUL.

    :param path: of a file or, on Linux, with a leading NUL, an abstract name, which may be longer by that byte.
    :raise ConfigurationError: if it is empty, too long, or has a NUL in it.
    """
    abstract = path.startswith(b"\0")
    limit = PATH_LIMIT + abstract
    if path in (b"", b"\0"):
        raise ConfigurationError("its path is missing")
    if abstract and not sys.platform.startswith("linux"):
        raise ConfigurationError("only Linux has abstract names; for a file whose name begins with @, write ./@name")
    if len(path) > limit:
        raise ConfigurationError(f"its path is {len(path)} bytes long, and the limit of this system is {limit}")
    if b"\0" in path[1:]:
        raise ConfigurationError("its path has a NUL in it")
