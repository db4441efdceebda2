"""
Short reasons for the end of a TLS connection, from OpenSSL's own table, and from the alerts of RFC 8446.

A peer can choose among these reasons, but can't invent others.
"""

from __future__ import annotations

import re

ALERT_PREFIX = re.compile(r"^(?:ssl/tls|sslv3|tlsv1|tlsv13) alert ")
"""Prefix of an alert of the peer; the version in it is that of OpenSSL's table, and says nothing."""

UNNAMED = "TLS error"
"""Reason where OpenSSL gives none."""


def reason_of(error: BaseException | None) -> str:
    """
    Return the reason of an error of OpenSSL.

    :param error: of pyOpenSSL: its argument is a list of library, function and reason, the cause first.
    :return: such as ``http request`` or ``no shared cipher``; the name of an alert of the peer.
    """
    try:
        reason = error.args[0][0][2]  # type: ignore[union-attr]
    except (AttributeError, IndexError, TypeError):
        return UNNAMED
    words = ALERT_PREFIX.sub("", reason) if isinstance(reason, str) else ""
    return words.removesuffix(" while reading") or UNNAMED


def is_tls_error(error: BaseException | None) -> bool:
    """Tell if OpenSSL raised an error; its module may not be installed."""
    return type(error).__module__.startswith("OpenSSL.")
