"""
Short reasons for the end of a TLS connection, from OpenSSL's own table, and from the alerts of RFC 8446.

A peer can choose among them, but can't make up one of its own.
"""

from __future__ import annotations

import re

PREFIXES = re.compile(r"^(?:ssl/tls|sslv3|tlsv1|tlsv13) alert ")
"""Of alerts that the peer has sent; which version's table they are from says nothing."""

UNNAMED = "TLS error"
"""In place of a reason that OpenSSL does not give."""


def reason_of(error: BaseException | None) -> str:
    """
    The reason of an error of OpenSSL's.

    :param error: of pyOpenSSL: its argument is a list of library, function and reason, the cause first.
    :return: such as ``http request`` or ``no shared cipher``; of an alert that the peer has sent, its name.
    """
    try:
        reason = error.args[0][0][2]  # type: ignore[union-attr]
    except (AttributeError, IndexError, TypeError):
        return UNNAMED
    words = PREFIXES.sub("", reason) if isinstance(reason, str) else ""
    return words.removesuffix(" while reading") or UNNAMED


def is_tls_error(error: BaseException | None) -> bool:
    """Return whether OpenSSL raised an error; its module may not be installed."""
    return type(error).__module__.startswith("OpenSSL.")
