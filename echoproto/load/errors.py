"""
Why a load could not be run at all, and what the exit statuses of ``echoproto load`` mean.
"""

from __future__ import annotations

from typing import Final

from echoproto.errors import EchoError
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Workload

GOOD: Final = 0
"""All came back, unharmed."""

HARMED: Final = 1
"""The service lost or harmed data, or connections failed."""

USAGE: Final = 2
"""Invalid option, file or value; as of `echoproto.errors.ConfigurationError`."""

UNREACHABLE: Final = 3
"""Nobody answers, or not as asked: no connection, no TLS, not the greeting."""

CLIENT_LIMIT: Final = 4
"""The generator itself was the limit, or ran out of descriptors or ports."""

CONNECT_ERRORS = frozenset(
    {
        *("EACCES", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EAGAIN", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "EINVAL"),
        *("ELOOP", "ENAMETOOLONG", "ENETDOWN", "ENETUNREACH", "ENOENT", "ENOTDIR", "ENOTSOCK", "EPERM", "EPROTOTYPE"),
        "ETIMEDOUT",
    }
)
"""Names of errno values that a connection fails with that was never made."""

REFUSALS = CONNECT_ERRORS | {"TLS", "certificate", "greeting"}
"""Errors of a connection that never came to an echo."""


REFUSED = "refused after the handshake"
"""Begins the reason of a TLS error that shows only then."""

IDLE_CLOSED = "idle connection closed"
"""Error of a connection that says nothing."""


class Unreachable(EchoError):
    """No connection could be made at all."""

    exit_status = UNREACHABLE


class HandshakeFailed(EchoError):
    """Connections could be made, but TLS on none of them."""

    exit_status = UNREACHABLE


class GreetingFailed(EchoError):
    """Connections could be made, but none was greeted as it should be."""

    exit_status = UNREACHABLE


class ClientLimit(EchoError):
    """Not one connection could be made, because this machine or process had none left to make."""

    exit_status = CLIENT_LIMIT


def nothing_reached(workload: Workload, outcome: Outcome, reason: str) -> EchoError:
    """
    Explain in one line why not one connection could be used, and what may help.

    :param reason: what was said of it last, safe to print.
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
