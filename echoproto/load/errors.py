"""
Exit statuses of ``echoproto load``, and the errors of a load that could not run at all.
"""

from __future__ import annotations

from typing import Final

from echoproto.errors import EchoError
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Workload

GOOD: Final = 0
"""All messages came back, unharmed."""

HARMED: Final = 1
"""The service lost or corrupted data, or connections failed."""

USAGE: Final = 2
"""Invalid option, file or value; as of `echoproto.errors.ConfigurationError`."""

UNREACHABLE: Final = 3
"""The target does not answer as expected: no connection, no TLS, or another greeting."""

CLIENT_LIMIT: Final = 4
"""The generator itself was the bottleneck, or ran out of descriptors or ports."""

CONNECT_ERRORS = frozenset(
    {
        *("EACCES", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EAGAIN", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "EINVAL"),
        *("ELOOP", "ENAMETOOLONG", "ENETDOWN", "ENETUNREACH", "ENOENT", "ENOTDIR", "ENOTSOCK", "EPERM", "EPROTOTYPE"),
        "ETIMEDOUT",
    }
)
"""Names of the errno values of a failed connect."""

REFUSALS = CONNECT_ERRORS | {"TLS", "certificate", "greeting"}
"""Errors of a connection before its first echo."""

REFUSED = "refused after the handshake"
"""Beginning of the reason for a TLS error that appears after the handshake."""

IDLE_CLOSED = "idle connection closed"
"""Error of an idle connection that the peer closed."""


class Unreachable(EchoError):
    """No connection could be made at all."""

    exit_status = UNREACHABLE


class HandshakeFailed(EchoError):
    """Connections could be made, but TLS failed on all of them."""

    exit_status = UNREACHABLE


class GreetingFailed(EchoError):
    """Connections could be made, but none received the expected greeting."""

    exit_status = UNREACHABLE


class ClientLimit(EchoError):
    """No connection could be made, because this machine or process has reached a limit of its own."""

    exit_status = CLIENT_LIMIT


def nothing_reached(workload: Workload, outcome: Outcome, reason: str) -> EchoError:
    """
    Explain in one line why no connection could be used, and how to proceed.

    :param reason: the last reported reason, safe to print.
    """
    target = workload.target
    if outcome.own_limits:
        names = " and ".join(outcome.own_limits)
        return ClientLimit(f"{target}: client limit: no {names} left here: {reason}")
    if outcome.errors["certificate"]:
        return HandshakeFailed(f"{target}: TLS failed: {reason}: --ca FILE or --insecure may help")
    if outcome.errors["TLS"]:
        refused = "alert" in reason or REFUSED in reason
        hint = "does it ask for a certificate of this client?" if refused else "does it speak TLS there?"
        return HandshakeFailed(f"{target}: TLS failed: {reason}: {hint}")
    if outcome.errors["greeting"]:
        options = "--proxy and --greeting" if workload.proxy else "--greeting"
        return GreetingFailed(f"{target}: {reason}: check {options}")
    why = reason or ", ".join(outcome.errors) or "no reply"
    return Unreachable(f"{target}: {why}: is the service running there?")
